"""Makes a model compute in float32, whatever type of floats it has."""

from collections.abc import Iterator

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE)


def to_float32(graph: onnx.GraphProto) -> None:
    """Change the types of a graph's constants, inputs, outputs and casts, its branches' as well."""
    for tensor in graph.initializer:
        _convert(tensor)
    for value in (*graph.input, *graph.output, *graph.value_info):
        kind = value.type.tensor_type
        if value.type.HasField("tensor_type") and kind.elem_type in FLOATS:
            kind.elem_type = TensorProto.FLOAT
    for node in graph.node:
        for attribute in node.attribute:
            # Cast has `to`, what makes tensors has `dtype`.
            if attribute.name in ("to", "dtype") and attribute.i in FLOATS:
                attribute.i = TensorProto.FLOAT
            for tensor in (*([attribute.t] if attribute.HasField("t") else ()), *attribute.tensors):
                _convert(tensor)
            for inner in graphs_of(attribute):
                to_float32(inner)


def graphs_of(attribute: onnx.AttributeProto) -> Iterator[onnx.GraphProto]:
    """The branches or the body that an attribute holds."""
    if attribute.HasField("g"):
        yield attribute.g
    yield from attribute.graphs


def _convert(tensor: TensorProto) -> None:
    if tensor.data_type in FLOATS and tensor.data_type != TensorProto.FLOAT:
        with np.errstate(over="ignore"):  # infinite then, and seen as that
            values = numpy_helper.to_array(tensor).astype(np.float32)
        tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
