"""Reads float networks from ONNX files."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from google.protobuf.message import DecodeError
from onnx import numpy_helper

from golden.graph import MATRIX_KINDS, Graph, Node
from golden.operators import OPERATORS

# They do nothing to a network that is not being trained.
_PASSING = ("Identity", "Dropout")
# Attributes without a meaning here, at the only values that they may have.
_IDLE = {"MaxPool": {"storage_order": 0}, "BatchNormalization": {"training_mode": 0}}


def load_model(path: Path) -> onnx.ModelProto:
    """Read an ONNX file.

    Raises:
        OSError: It cannot be read.
        ValueError: It is no valid ONNX model.
    """
    try:
        model = onnx.load(path)
        onnx.checker.check_model(model)
    except (DecodeError, onnx.checker.ValidationError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{path}: not a valid ONNX model: {reason}") from None
    return model


def read_graph(path: Path) -> Graph:
    """Read a float network: one input, one output, batch normalization folded into products.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is no valid ONNX model, or has an operator that is not supported; the message
            names the node.
    """
    graph = load_model(path).graph
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    inputs = [value.name for value in graph.input if value.name not in constants]
    for names, what in ((inputs, "input"), ([value.name for value in graph.output], "output")):
        if len(names) != 1:
            raise ValueError(f"{path}: must have one {what}, not {len(names)}: {', '.join(names)}")
    aliases: dict[str, str] = {}
    nodes: list[Node] = []
    for number, proto in enumerate(graph.node):
        name = proto.name or f"{proto.op_type}_{number}"
        tensors = tuple(aliases.get(tensor, tensor) for tensor in proto.input)
        attributes = node_attributes(proto)
        if proto.op_type == "Constant":
            constants[proto.output[0]] = _constant(name, attributes)
        elif proto.op_type in _PASSING:
            aliases[proto.output[0]] = tensors[0]
        elif proto.op_type == "BatchNormalization":
            _fold_normalization(nodes, constants, name, tensors, attributes)
            aliases[proto.output[0]] = tensors[0]
        elif _is_bias(proto.op_type, tensors, nodes, constants):
            _fold_bias(nodes, constants, tensors)
            product = next(tensor for tensor in tensors if tensor not in constants)
            aliases[proto.output[0]] = product
        else:
            node = Node(
                name=name,
                kind=proto.op_type,
                inputs=tuple(filter(None, tensors)),
                output=proto.output[0],
                attributes=attributes,
            )
            _require_supported(node, constants)
            nodes.append(node)
    output = graph.output[0].name
    return Graph(
        nodes=tuple(nodes),
        constants=constants,
        input=inputs[0],
        output=aliases.get(output, output),
    )


def node_attributes(proto: onnx.NodeProto) -> dict[str, Any]:
    """Attributes of a node as Python values, text as str."""
    idle = _IDLE.get(proto.op_type, {})
    found = {}
    for attribute in proto.attribute:
        value = onnx.helper.get_attribute_value(attribute)
        value = value.decode() if isinstance(value, bytes) else value
        if attribute.name not in idle or idle[attribute.name] != value:
            found[attribute.name] = value
    return found


def _constant(name: str, attributes: dict[str, Any]) -> npt.NDArray[Any]:
    ((kind, value),) = attributes.items()
    if kind == "value":
        return numpy_helper.to_array(value)
    dtypes: dict[str, npt.DTypeLike] = {"value_float": np.float32, "value_floats": np.float32}
    dtypes |= {"value_int": np.int64, "value_ints": np.int64}
    if kind not in dtypes:
        raise ValueError(f"node {name} (Constant): must be numbers, not {kind}")
    return np.asarray(value, dtypes[kind])


def _require_supported(node: Node, constants: dict[str, Any]) -> None:
    if node.kind not in OPERATORS:
        raise ValueError(
            f"node {node.name}: operator {node.kind} is not supported; these are: "
            f"{', '.join(OPERATORS)}, BatchNormalization behind a product"
        )
    if node.kind in MATRIX_KINDS:
        for tensor in node.inputs[1:]:
            if tensor not in constants:
                raise ValueError(
                    f"node {node.name} ({node.kind}): {tensor} must be constant: products of two "
                    "activations are not supported"
                )


def _producer(nodes: list[Node], tensor: str) -> Node | None:
    """The product that gives a tensor which nothing else has taken so far."""
    for node in nodes:
        if tensor in node.inputs:
            return None
    found = [node for node in nodes if node.output == tensor and node.kind in MATRIX_KINDS]
    return found[0] if found else None


def _fold_normalization(
    nodes: list[Node],
    constants: dict[str, Any],
    name: str,
    tensors: tuple[str, ...],
    attributes: dict[str, Any],
) -> None:
    """Fold a batch normalization into the product before it."""
    product = _producer(nodes, tensors[0])
    if product is None:
        raise ValueError(
            f"node {name}: BatchNormalization is supported only directly behind a product"
        )
    if attributes.pop("training_mode", 0):
        raise ValueError(f"node {name} (BatchNormalization): training_mode must be 0")
    gain, offset, mean, variance = (constants[t].astype(np.float64) for t in tensors[1:5])
    factor = gain / np.sqrt(variance + attributes.get("epsilon", 1e-5))
    weights = constants[product.inputs[1]]
    channels_first = product.kind == "Conv" or bool(product.attributes.get("transB", 0))
    shape = (-1, *[1] * (weights.ndim - 1)) if channels_first else (-1,)
    bias = constants[product.inputs[2]] if len(product.inputs) > 2 else np.zeros(len(gain))
    _replace_weights(
        nodes,
        constants,
        product,
        weights * factor.reshape(shape),
        (bias - mean) * factor + offset,
    )


def _is_bias(
    kind: str, tensors: tuple[str, ...], nodes: list[Node], constants: dict[str, Any]
) -> bool:
    """Whether an Add of a constant vector is the bias of the MatMul before it."""
    if kind != "Add":
        return False
    fixed = [tensor for tensor in tensors if tensor in constants]
    moving = [tensor for tensor in tensors if tensor not in constants]
    if len(fixed) != 1 or len(moving) != 1:
        return False
    product = _producer(nodes, moving[0])
    if product is None or product.kind != "MatMul" or len(product.inputs) > 2:
        return False
    shape = constants[fixed[0]].shape
    return len(shape) > 0 and shape[-1] == constants[product.inputs[1]].shape[-1] == np.prod(shape)


def _fold_bias(nodes: list[Node], constants: dict[str, Any], tensors: tuple[str, ...]) -> None:
    moving, fixed = sorted(tensors, key=lambda tensor: tensor in constants)
    product = _producer(nodes, moving)
    assert product is not None
    _replace_weights(
        nodes, constants, product, constants[product.inputs[1]], constants[fixed].reshape(-1)
    )


def _replace_weights(
    nodes: list[Node],
    constants: dict[str, Any],
    product: Node,
    weights: npt.NDArray[Any],
    bias: npt.NDArray[Any],
) -> None:
    """Give a product constants of its own."""
    names = f"{product.name}_weights", f"{product.name}_bias"
    for name, values in zip(names, (weights, bias), strict=True):
        constants[name] = values.astype(np.float32)
    nodes[nodes.index(product)] = Node(
        name=product.name,
        kind=product.kind,
        inputs=(product.inputs[0], *names),
        output=product.output,
        attributes=product.attributes,
    )
