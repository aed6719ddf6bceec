"""Reads float networks from ONNX files.

Constants are computed first, then the model is brought to float32 and to the opset of what is
written, quantized models lose their rounding, and batch normalization and biases become parts of
products. What is no product is left as it is, for ONNX Runtime.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, inliner, numpy_helper

from scalewright.golden.network.feeds import Input
from scalewright.golden.network.graph import Graph, Node
from scalewright.golden.network.operands import product_problems
from scalewright.sim.files.names import listing
from scalewright.sim.models.canonical import Names, canonical
from scalewright.sim.models.constants import fold_constants
from scalewright.sim.models.file import label_of, load_model, naming, opset_of
from scalewright.sim.models.float32 import graphs_of, to_float32
from scalewright.sim.models.folding import Folding
from scalewright.sim.models.host import OPSET, OnnxHost, has_operator
from scalewright.sim.models.rounding import without_rounding

# They do nothing to a network that is not being trained.
_PASSING = ("Identity", "Dropout")
# Domains of operators whose definitions the onnx package has.
_DEFINED = ("", "ai.onnx", "ai.onnx.ml")


def read_graph(path: Path, *, quantizable: bool = False) -> Graph:
    """Read a float network, batch normalization folded into products.

    Args:
        path: The file.
        quantizable: Whether its products must be such as can be quantized.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is no valid ONNX model, or has what ONNX Runtime cannot compute: one line
            that begins with the path and has all of it, each node by its output.
    """
    model = load_model(path)
    with naming(path):
        return _graph(model, quantizable)


def _graph(model: onnx.ModelProto, quantizable: bool) -> Graph:
    if model.functions:
        model = inliner.inline_local_functions(model)
    to_float32(model.graph)
    inputs = inputs_of(model.graph)
    problems = fold_constants(model)
    problems += [text for node in model.graph.node for text in _node_problems(node)]
    if not problems:
        model = _converted(model)
    without_rounding(model.graph)
    constants = {each.name: array_of(each) for each in model.graph.initializer}
    nodes, outputs = _nodes(model, constants, problems)
    axes = _axes(model)
    names = Names({name for node in nodes for name in (*node.taken, *node.given)}, constants)
    nodes = [new for node in nodes for new in canonical(node, constants, axes, names)]
    folded = Folding(nodes, constants, outputs, axes)
    taken = {name for node in folded.nodes for name in node.taken} | {*outputs}
    host = OnnxHost({each.domain: each.version for each in model.opset_import})
    graph = Graph(
        nodes=tuple(folded.nodes),
        constants={name: value for name, value in constants.items() if name in taken},
        inputs=inputs,
        outputs=outputs,
        host=host,
    )
    problems += folded.problems + (product_problems(graph) if quantizable else [])
    _require_none(problems)
    host.check(graph)
    return graph


def _nodes(
    model: onnx.ModelProto, constants: dict[str, Any], problems: list[str]
) -> tuple[list[Node], tuple[str, ...]]:
    """The nodes that do something, and the outputs."""
    aliases: dict[str, str] = {}
    found: list[Node] = []
    given = [value.name for value in model.graph.output]
    names = unique_names(model.graph.node)
    for proto, name in zip(model.graph.node, names, strict=True):
        node = node_of(proto, name, aliases)
        passing = (
            proto.op_type in _PASSING and proto.domain in _DEFINED and not any(proto.output[1:])
        )
        if not passing or node.output in given:
            found.append(node)
        elif len(node.inputs) == 3 and np.any(constants.get(node.inputs[2], True)):
            problems.append(f"{node.label}: training_mode must be constant and false")
        else:
            aliases[node.output] = node.inputs[0]
    return found, tuple(given)


def node_of(proto: onnx.NodeProto, name: str, aliases: dict[str, str] | None = None) -> Node:
    """A node of a file, by some name, that takes other tensors in the place of some."""
    aliases = aliases or {}
    proto_captures = dict.fromkeys(_captures(proto))
    renamed = proto
    if any(each in aliases for each in proto_captures):
        renamed = onnx.NodeProto()
        renamed.CopyFrom(proto)
        _rename_captures(renamed, aliases)
    inputs = [aliases.get(tensor, tensor) for tensor in proto.input]
    while inputs and not inputs[-1]:
        inputs.pop()
    return Node(
        name=name,
        kind=proto.op_type,
        inputs=tuple(inputs),
        outputs=tuple(proto.output),
        attributes=node_attributes(renamed),
        domain="" if proto.domain == "ai.onnx" else proto.domain,
        captures=tuple(aliases.get(each, each) for each in proto_captures),
    )


def _captures(proto: onnx.NodeProto) -> Iterator[str]:
    """Names of tensors that branches and bodies of a node take from around them."""
    for attribute in proto.attribute:
        for graph in graphs_of(attribute):
            known = {value.name for value in graph.input}
            known |= {tensor.name for tensor in graph.initializer}
            for node in graph.node:
                for name in (*node.input, *_captures(node)):
                    if name and name not in known:
                        yield name
                known |= set(node.output)
            for value in graph.output:
                if value.name not in known:
                    yield value.name


def _rename_captures(proto: onnx.NodeProto, aliases: dict[str, str]) -> None:
    for attribute in proto.attribute:
        for graph in graphs_of(attribute):
            for node in graph.node:
                for index, name in enumerate(node.input):
                    node.input[index] = aliases.get(name, name)
                _rename_captures(node, aliases)
            for value in graph.output:
                value.name = aliases.get(value.name, value.name)


def shape_of(value: onnx.ValueInfoProto) -> tuple[int | None, ...] | None:
    """Shape of a tensor, None where any size will do; None if it is not known."""
    if not value.type.tensor_type.HasField("shape"):
        return None
    sizes = value.type.tensor_type.shape.dim
    # Some exporters write -1 or 0 for any size.
    return tuple(size.dim_value if size.dim_value > 0 else None for size in sizes)


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


def array_of(tensor: TensorProto) -> Any:
    """A constant as an array."""
    return numpy_helper.to_array(tensor)


def node_attributes(proto: onnx.NodeProto) -> dict[str, Any]:
    """Attributes of a node as Python values, text as str; empty lists as they are in the file."""
    found: dict[str, Any] = {}
    for attribute in proto.attribute:
        value = helper.get_attribute_value(attribute)
        if isinstance(value, bytes):
            value = value.decode(errors="replace")
        found[attribute.name] = attribute if isinstance(value, list) and not value else value
    return found


def inputs_of(graph: onnx.GraphProto) -> tuple[Input, ...]:
    """The inputs of a model.

    Raises:
        ValueError: There is none, or one that is no tensor of numbers.
    """
    stored = {tensor.name for tensor in graph.initializer}
    inputs = []
    for value in graph.input:
        if value.name in stored:
            continue
        kind = value.type.tensor_type.elem_type
        names = TensorProto.DataType.values()
        dtype = helper.tensor_dtype_to_np_dtype(kind) if kind in names and kind else None
        if dtype is None or dtype.kind not in "fiub":
            known = TensorProto.DataType.Name(kind) if kind in names else kind
            raise ValueError(f"its input {value.name} must have numbers, not {known}")
        inputs.append(Input(name=value.name, shape=shape_of(value), dtype=dtype))
    if not inputs:
        raise ValueError("must have an input")
    return tuple(inputs)


def _node_problems(node: onnx.NodeProto) -> Iterator[str]:
    """Why a node that is not constant cannot be computed."""
    where = label_of(node)
    if not has_operator(node.domain, node.op_type):
        of = "" if node.domain in ("", "ai.onnx") else f" of {node.domain}"
        yield f"{where}: ONNX Runtime has no operator {node.op_type}{of}"
    elif node.op_type == "BatchNormalization" and node_attributes(node).get("training_mode", 0):
        yield f"{where}: training_mode must be 0"


def _require_none(problems: list[str]) -> None:
    """Raise all problems as one, nodes with the same reason together."""
    reasons: dict[str, list[str]] = {}
    for problem in dict.fromkeys(problems):
        where, _, reason = problem.partition(": ")
        reasons.setdefault(reason, []).append(where)
    if reasons:
        raise ValueError(
            "; ".join(f"{listing(places)}: {reason}" for reason, places in reasons.items())
        )


def _converted(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model in the opset of what is written, or in its own where that is newer."""
    if (version := opset_of(model)) >= OPSET:
        return model
    # Before version 4 initializers had to be inputs, too, and the converter insists.
    model.ir_version = max(model.ir_version, 4)
    try:
        converted = onnx.version_converter.convert_version(model, OPSET)
    except (
        RuntimeError,
        ValueError,
        onnx.checker.ValidationError,
        onnx.version_converter.ConvertError,
    ) as error:
        raise ValueError(
            f"cannot be converted from opset {version} to {OPSET}; export it with that: {error}"
        ) from None
    fold_constants(converted)  # what the converter adds
    return converted


def _axes(model: onnx.ModelProto) -> dict[str, int]:
    """How many axes tensors have, as far as it follows from the inputs."""
    graph = onnx.shape_inference.infer_shapes(model).graph
    known = [
        value
        for value in (*graph.input, *graph.value_info, *graph.output)
        if value.type.tensor_type.HasField("shape")
    ]
    return {value.name: len(value.type.tensor_type.shape.dim) for value in known}
