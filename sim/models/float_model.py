"""Reads float networks from ONNX files.

Constants are computed first, then what is not supported is listed, then the model is brought to the
opset of golden/network/operators.py, and batch normalization and biases become parts of products.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

from scalewright.golden.network.graph import MATRIX_KINDS, Graph, Node
from scalewright.golden.network.operators import OPERATORS
from scalewright.golden.network.quantization import product_problems
from scalewright.sim.files.names import listing
from scalewright.sim.models.constants import fold_constants
from scalewright.sim.models.file import label_of, load_model, naming, opset_of
from scalewright.sim.models.folding import Folding

# That of golden's operators.
_OPSET = 21
# They do nothing to a network that is not being trained.
_PASSING = ("Identity", "Dropout")
# Attributes without a meaning here, at the only values that they may have.
_IDLE = {"MaxPool": {"storage_order": 0}, "BatchNormalization": {"training_mode": 0}}
_FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE)
_INTEGERS = (TensorProto.INT32, TensorProto.INT64, TensorProto.BOOL)
_UNSUPPORTED = "is not supported"


def read_graph(path: Path, *, quantizable: bool = False) -> Graph:
    """Read a float network: one input, one output, batch normalization folded into products.

    Args:
        path: The file.
        quantizable: Whether its products must be such as can be quantized.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is no valid ONNX model, or has what is not supported: one line that begins
            with the path and has all of it, each node by its output.
    """
    model = load_model(path)
    with naming(path):
        return _graph(model, quantizable)


def _graph(model: onnx.ModelProto, quantizable: bool) -> Graph:
    source, output = _ends(model.graph)
    problems = fold_constants(model)
    problems += [text for node in model.graph.node for text in _node_problems(node)]
    if not problems:
        model = _converted(model)
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    constants: dict[str, Any] = {}
    aliases: dict[str, str] = {}
    found: list[Node] = []
    names = unique_names(model.graph.node)
    for proto, name in zip(model.graph.node, names, strict=True):
        tensors = tuple(aliases.get(tensor, tensor) for tensor in proto.input)
        node = Node(
            name=name,
            kind=proto.op_type,
            inputs=tuple(filter(None, tensors)),
            output=proto.output[0],
            attributes=node_attributes(proto),
        )
        for tensor in node.inputs:
            if tensor in stored and tensor not in constants:
                try:
                    constants[tensor] = array_of(stored[tensor], (*_FLOATS, *_INTEGERS))
                except ValueError as error:
                    problems.append(f"{node.label}: {error}")
        if proto.op_type not in _PASSING or not node.inputs:
            found.append(node)
        elif len(node.inputs) == 3 and np.any(constants.get(node.inputs[2], True)):
            problems.append(f"{node.label}: training_mode must be constant and false")
        else:
            aliases[node.output] = tensors[0]
    output = aliases.get(output, output)
    folded = Folding(found, constants, output, _ranks(model))
    problems += folded.problems
    problems += [text for node in folded.nodes for text in _gaps(node, constants, stored)]
    graph = Graph(
        nodes=tuple(folded.nodes),
        constants=constants,
        input=source.name,
        output=output,
        input_shape=shape_of(source),
    )
    _require_none(problems + (product_problems(graph) if quantizable else []))
    return graph


def shape_of(value: onnx.ValueInfoProto) -> tuple[int | None, ...] | None:
    """Shape of a tensor, None where any size will do; None if it is not known."""
    if not value.type.tensor_type.HasField("shape"):
        return None
    sizes = value.type.tensor_type.shape.dim
    return tuple(size.dim_value if size.HasField("dim_value") else None for size in sizes)


def unique_names(nodes: Iterable[onnx.NodeProto]) -> Iterator[str]:
    """A name for each node that no other has: its own, or that of its output."""
    nodes = list(nodes)
    given = Counter(node.name for node in nodes)
    used = {name for name in given if name and given[name] == 1}
    for node in nodes:
        name = node.name
        if name not in used:
            name = node.output[0]
            while name in used:
                name += "_"
            used.add(name)
        yield name


def array_of(tensor: TensorProto, types: Iterable[int]) -> Any:
    """A constant: floats as float32, integers as they are.

    Raises:
        ValueError: One of another type than these.
    """
    if tensor.data_type not in types:
        kind = TensorProto.DataType.Name(tensor.data_type)
        wanted = ", ".join(TensorProto.DataType.Name(each) for each in types)
        raise ValueError(f"its constant {tensor.name} is of type {kind}, not {wanted}")
    array = numpy_helper.to_array(tensor)
    if tensor.data_type in _FLOATS:
        with np.errstate(over="ignore"):  # infinite then, and seen as that
            return array.astype(np.float32)
    return array


def node_attributes(proto: onnx.NodeProto) -> dict[str, Any]:
    """Attributes of a node as Python values, text as str."""
    idle = _IDLE.get(proto.op_type, {})
    found = {}
    for attribute in proto.attribute:
        value = onnx.helper.get_attribute_value(attribute)
        value = value.decode(errors="replace") if isinstance(value, bytes) else value
        if attribute.name not in idle or idle[attribute.name] != value:
            found[attribute.name] = value
    return found


def _ends(graph: onnx.GraphProto) -> tuple[onnx.ValueInfoProto, str]:
    """The input, and the name of the output."""
    stored = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in stored]
    for values, what in ((inputs, "input"), (graph.output, "output")):
        if len(values) != 1:
            names = listing(value.name for value in values)
            raise ValueError(f"must have one {what}, not {len(values)}: {names}")
    kind = inputs[0].type.tensor_type.elem_type
    if kind not in _FLOATS:
        known = TensorProto.DataType.Name(kind) if kind in TensorProto.DataType.values() else kind
        raise ValueError(f"its input {inputs[0].name} must have floats, not {known}")
    return inputs[0], graph.output[0].name


def _node_problems(node: onnx.NodeProto) -> Iterator[str]:
    """What is not supported of a node that is not constant."""
    where = label_of(node)
    known = (*OPERATORS, *_PASSING, "BatchNormalization")
    if node.domain not in ("", "ai.onnx"):
        yield f"{where}: operator {node.op_type} of {node.domain} is not supported"
    elif node.op_type not in known:
        yield f"{where}: operator {node.op_type} {_UNSUPPORTED}"
    elif node.op_type == "BatchNormalization":
        if node_attributes(node).get("spatial", 1) != 1:
            yield f"{where}: spatial must be 1"
        if node_attributes(node).get("training_mode", 0):
            yield f"{where}: training_mode must be 0"
    elif node.op_type != "Dropout" and any(node.output[1:]):
        yield f"{where}: must have one output, not also {listing(filter(None, node.output[1:]))}"


def _gaps(node: Node, constants: dict[str, Any], stored: Collection[str]) -> Iterator[str]:
    """What a product lacks, unless it is stored and only of a type that is not supported."""
    if node.kind in MATRIX_KINDS:
        moving = [tensor for tensor in node.inputs[1:] if tensor not in {*constants, *stored}]
        if moving and node.inputs[0] in constants:
            yield f"{node.label}: its constant {node.inputs[0]} must be the second factor"
        elif moving:
            yield (
                f"{node.label}: {moving[0]} must be constant: products of two activations are not "
                "supported"
            )


def _require_none(problems: list[str]) -> None:
    """Raise all problems as one, nodes with the same reason together."""
    reasons: dict[str, list[str]] = {}
    for problem in dict.fromkeys(problems):
        where, _, reason = problem.partition(": ")
        reasons.setdefault(reason, []).append(where)
    texts = []
    for reason, places in reasons.items():
        texts.append(f"{listing(places)}: {reason}")
    if any(text.endswith(_UNSUPPORTED) for text in texts):
        texts.append(f"these are: {', '.join(OPERATORS)}, BatchNormalization behind a product")
    if texts:
        raise ValueError("; ".join(texts))


def _converted(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model in golden's opset."""
    if (version := opset_of(model)) == _OPSET:
        return model
    try:
        converted = onnx.version_converter.convert_version(model, _OPSET)
    except (RuntimeError, ValueError, onnx.checker.ValidationError) as error:
        raise ValueError(
            f"cannot be converted from opset {version} to {_OPSET}; export it with that: {error}"
        ) from None
    fold_constants(converted)  # what the converter adds
    return converted


def _ranks(model: onnx.ModelProto) -> dict[str, int]:
    """Axes of the tensors, as far as they follow from those of the input."""
    graph = onnx.shape_inference.infer_shapes(model).graph
    known = [value for value in graph.value_info if value.type.tensor_type.HasField("shape")]
    return {value.name: len(value.type.tensor_type.shape.dim) for value in known}
