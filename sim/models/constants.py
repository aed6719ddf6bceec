"""Computes the nodes of a model whose inputs are all constant."""

from collections.abc import Collection
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from scalewright.sim.models.file import label_of, opset_of

# Exporters leave these around weights and shapes.
FOLDABLE = frozenset(
    (
        "Abs",
        "Add",
        "Cast",
        "CastLike",
        "Ceil",
        "Concat",
        "ConstantOfShape",
        "DequantizeLinear",
        "Div",
        "Equal",
        "Expand",
        "Flatten",
        "Floor",
        "Gather",
        "Identity",
        "MatMul",
        "Max",
        "Min",
        "Mul",
        "Neg",
        "Pow",
        "Range",
        "Reciprocal",
        "ReduceMax",
        "ReduceMean",
        "ReduceMin",
        "ReduceProd",
        "ReduceSum",
        "Reshape",
        "Shape",
        "Sign",
        "Size",
        "Slice",
        "Sqrt",
        "Squeeze",
        "Sub",
        "Tile",
        "Transpose",
        "Unsqueeze",
        "Where",
    )
)
# All results together may have this many elements (a gigabyte of float32), or this many times those
# of the initializers.
_ELEMENTS, _RATIO = 1 << 28, 8
# Inputs up to this size can be shapes, on which the size of a result depends.
_SHAPE_ELEMENTS = 64


def fold_constants(model: onnx.ModelProto, operators: Collection[str] = FOLDABLE) -> list[str]:
    """Put constants in the place of the nodes that give them, whatever their operators' opset.

    Args:
        model: The model, which is changed.
        operators: Those that are computed; Constant always is.

    Returns:
        What was constant, but could not be computed; each names its node.
    """
    graph, problems = model.graph, []
    known = {tensor.name: tensor for tensor in graph.initializer}
    room = max(_ELEMENTS, _RATIO * sum(_count(tensor) for tensor in known.values()))
    kept = []
    for node in graph.node:
        standard = node.domain in ("", "ai.onnx")
        try:
            if standard and node.op_type == "Constant":
                known[node.output[0]] = _constant(node)
            elif (
                standard
                and node.op_type in operators
                and len(node.output) == 1
                and all(name in known for name in filter(None, node.input))
            ):
                result = _compute(node, known, opset_of(model), room)
                room -= _count(result)
                known[node.output[0]] = result
            else:
                kept.append(node)
        # The evaluator of ONNX raises whatever NumPy does.
        except Exception as error:
            problems.append(f"{label_of(node)}: cannot be computed: {error}")
    new = [known[name] for name in known.keys() - {tensor.name for tensor in graph.initializer}]
    graph.initializer.extend(sorted(new, key=lambda tensor: tensor.name))
    nodes = [onnx.NodeProto.FromString(node.SerializeToString()) for node in kept]
    del graph.node[:]
    graph.node.extend(nodes)
    return problems


def _count(tensor: TensorProto) -> int:
    return int(np.prod(tensor.dims, dtype=np.float64))


def _constant(node: onnx.NodeProto) -> TensorProto:
    attribute = node.attribute[0]
    value: Any = helper.get_attribute_value(attribute)
    if attribute.name == "value":
        tensor = TensorProto()
        tensor.CopyFrom(value)
        tensor.name = node.output[0]
        return tensor
    dtypes: dict[str, npt.DTypeLike] = {"value_float": np.float32, "value_floats": np.float32}
    dtypes |= {"value_int": np.int64, "value_ints": np.int64}
    if attribute.name not in dtypes:
        raise ValueError(f"must be numbers, not {attribute.name}")
    return numpy_helper.from_array(np.asarray(value, dtypes[attribute.name]), node.output[0])


def _compute(
    node: onnx.NodeProto, known: dict[str, TensorProto], opset: int, room: int
) -> TensorProto:
    names = list(dict.fromkeys(filter(None, node.input)))
    output = node.output[0]
    info = helper.make_tensor_value_info
    small = [known[name] for name in names if _count(known[name]) <= _SHAPE_ELEMENTS]
    large = [known[name] for name in names if _count(known[name]) > _SHAPE_ELEMENTS]
    graph = helper.make_graph(
        [node],
        "constant",
        [info(each.name, each.data_type, list(each.dims)) for each in large],
        [onnx.ValueInfoProto(name=output)],
        small,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    inferred = onnx.shape_inference.infer_shapes(model, data_prop=True).graph.output[0]
    shape = inferred.type.tensor_type.shape.dim
    if not inferred.type.tensor_type.HasField("shape") or not all(
        dim.HasField("dim_value") for dim in shape
    ):
        raise ValueError("the size of its result is unknown")
    size = int(np.prod([dim.dim_value for dim in shape], dtype=np.float64))
    if size > room:
        raise ValueError(f"its result has {size:,} numbers: too many")
    from onnx.reference import ReferenceEvaluator  # a second to import, for few models

    feeds = {each.name: numpy_helper.to_array(each) for each in large}
    with np.errstate(all="ignore"):
        (result,) = ReferenceEvaluator(model).run(None, feeds)
    return numpy_helper.from_array(np.asarray(result), output)
