"""Reads float networks from ONNX files."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from google.protobuf.message import DecodeError
from onnx import numpy_helper

from scalewright.golden.network.graph import MATRIX_KINDS, Graph, Node
from scalewright.golden.network.operators import OPERATORS
from scalewright.sim.models.folding import Folding

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
    model = load_model(path)
    graph = model.graph
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    inputs = [value.name for value in graph.input if value.name not in constants]
    outputs = [value.name for value in graph.output]
    for names, what in ((inputs, "input"), (outputs, "output")):
        if len(names) != 1:
            raise ValueError(f"{path}: must have one {what}, not {len(names)}: {', '.join(names)}")
    aliases: dict[str, str] = {}
    found: list[Node] = []
    for number, proto in enumerate(graph.node):
        name = proto.name or f"{proto.op_type}_{number}"
        tensors = tuple(aliases.get(tensor, tensor) for tensor in proto.input)
        node = Node(
            name=name,
            kind=proto.op_type,
            inputs=tuple(filter(None, tensors)),
            output=proto.output[0],
            attributes=node_attributes(proto),
        )
        if proto.domain not in ("", "ai.onnx"):
            raise ValueError(
                f"node {name}: operator {proto.op_type} of {proto.domain} is not supported"
            )
        if proto.op_type == "Constant":
            constants[proto.output[0]] = _constant(name, dict(node.attributes))
        elif proto.op_type in _PASSING:
            if len(node.inputs) == 3 and constants.get(node.inputs[2], True):
                raise ValueError(f"node {name} (Dropout): training_mode must be constant and false")
            aliases[proto.output[0]] = tensors[0]
        else:
            found.append(node)
    output = aliases.get(outputs[0], outputs[0])
    folded = Folding(found, constants, output, _ranks(model))
    for node in folded.nodes:
        _require_supported(node, constants)
    return Graph(
        nodes=tuple(folded.nodes), constants=constants, input=inputs[0], output=folded.output
    )


def _ranks(model: onnx.ModelProto) -> dict[str, int]:
    """Axes of the tensors, as far as they follow from those of the input."""
    graph = onnx.shape_inference.infer_shapes(model).graph
    known = [value for value in graph.value_info if value.type.tensor_type.HasField("shape")]
    return {value.name: len(value.type.tensor_type.shape.dim) for value in known}


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
