"""Takes the rounding out of models that another tool has quantized."""

import onnx


def without_rounding(graph: onnx.GraphProto) -> None:
    """Let a tensor pass where it is quantized and at once dequantized, by the same scale.

    Constants that are dequantized have been computed before.
    """
    givers = {node.output[0]: node for node in graph.node}
    passing: dict[str, str] = {}
    for node in graph.node:
        if node.op_type != "DequantizeLinear" or node.domain:
            continue
        before = givers.get(node.input[0])
        if before is None or before.op_type != "QuantizeLinear" or before.domain:
            continue
        if list(before.input[1:]) == list(node.input[1:]):
            passing[node.output[0]] = before.input[0]
    given = {value.name for value in graph.output}
    for node in graph.node:
        for index, name in enumerate(node.input):
            while name in passing:
                name = passing[name]
            node.input[index] = name
    # An output of the model keeps its name.
    for name in passing.keys() & given:
        givers[name].CopyFrom(onnx.helper.make_node("Identity", [passing[name]], [name]))
    used = {name for node in graph.node for name in node.input} | given
    kept = [node for node in graph.node if _is_used(node, used)]
    nodes = [onnx.NodeProto.FromString(node.SerializeToString()) for node in kept]
    del graph.node[:]
    graph.node.extend(nodes)


def _is_used(node: onnx.NodeProto, used: set[str]) -> bool:
    """Whether a node gives what is taken; what is not quantized is left, whatever it gives."""
    if node.op_type not in ("QuantizeLinear", "DequantizeLinear") or node.domain:
        return True
    return node.output[0] in used
