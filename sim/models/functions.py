"""What the engine does to activations, as ONNX functions of standard operators in float32.

A quantized model calls them as nodes of the domain `scalewright`; any runtime of opset 21 expands
them. They give real numbers: what the integers stand for.
"""

from typing import TypeAlias

import numpy as np
import onnx
from onnx import helper

DOMAIN = "scalewright"
# 2: Rescale adds the bias, behind the rounding. 3: QuantizeRows.
VERSION = 3


def functions(opset: int) -> list[onnx.FunctionProto]:
    """Rescale, and QuantizeVectors, -Rows, -Columns and -Elements, of operators of an opset."""
    return [
        _function(*parts, opset)
        for parts in (
            _rescale(),
            _quantize_vectors(),
            _quantize_rows(columns=False),
            _quantize_rows(columns=True),
            _quantize_elements(),
        )
    ]


# Name, inputs, attributes and nodes of a function.
_Parts: TypeAlias = tuple[str, list[str], list[str], list[onnx.NodeProto]]


def _rescale() -> _Parts:
    """Y = unit * clip(round(X / unit) + bias): results of R bits; `low` and `high` are their ends.

    The bias is added behind the rounding, as golden/rescale.py has it: integers, in units. Both are
    exact in float32 up to 2^24, and so is the sum of those that do not saturate. X is a float32 sum
    of real numbers; where that sum is exact, so are ties.

    It is computed as bias - round(-X / unit), which is the same: a division right behind a MatMul
    ONNX Runtime fuses with it (MatMulScaleFusion), as a product with the rounded reciprocal.
    """
    return (
        "Rescale",
        ["X", "unit", "bias"],
        ["low", "high"],
        [
            *_floats("low", "high"),
            helper.make_node("Neg", ["X"], ["mirrored"]),
            helper.make_node("Div", ["mirrored", "unit"], ["ratio"]),
            helper.make_node("Round", ["ratio"], ["rounded"]),
            helper.make_node("Cast", ["bias"], ["offset"], to=onnx.TensorProto.FLOAT),
            helper.make_node("Sub", ["offset", "rounded"], ["shifted"]),
            helper.make_node("Clip", ["shifted", "low", "high"], ["y"]),
            helper.make_node("Mul", ["y", "unit"], ["Y"]),
        ],
    )


def _quantize_vectors() -> _Parts:
    """Elements with a scale for each vector.

    Attributes: `matrix`, the shape with which X becomes (A, K, B), vectors along K; `padding`, the
    zeros behind K; `split`, the shape (A, J, V, B); `joined`, (A, J * V, B); `length`, K;
    `negative`, -1 for signed elements, 0 for unsigned ones; `qmin`, `qmax`, `scale_max`.
    """
    zeros = np.zeros((), np.float32)
    nodes = [
        *_floats("negative", "qmin", "qmax", "scale_max"),
        *_integers("matrix", "padding", "split", "joined", "length"),
        _constant("zero", zeros),
        _constant("one", zeros + 1),
        _constant("axis_1", np.array([1])),
        _constant("axis_2", np.array([2])),
        _constant("begin", np.array([0])),
        helper.make_node("Shape", ["X"], ["shape"]),
        helper.make_node("Reshape", ["X", "matrix"], ["rows"]),
        helper.make_node("Pad", ["rows", "padding"], ["padded"]),
        helper.make_node("Reshape", ["padded", "split"], ["vectors"]),
        *_divided("axis_2"),
        helper.make_node("Reshape", ["real", "joined"], ["long"]),
        helper.make_node("Slice", ["long", "begin", "length", "axis_1"], ["cut"]),
        helper.make_node("Reshape", ["cut", "shape"], ["Y"]),
    ]
    attributes = ["matrix", "padding", "split", "joined", "length"]
    attributes += ["negative", "qmin", "qmax", "scale_max"]
    return "QuantizeVectors", ["X", "gamma"], attributes, nodes


def _divided(axis: str) -> list[onnx.NodeProto]:
    """From `vectors` along an axis to `real`, what their quantized elements stand for."""
    return [
        helper.make_node("Mul", ["vectors", "negative"], ["mirrored"]),
        helper.make_node("Max", ["vectors", "mirrored"], ["magnitudes"]),
        helper.make_node("ReduceMax", ["magnitudes", axis], ["peak"], keepdims=1),
        helper.make_node("Mul", ["qmax", "gamma"], ["step"]),
        helper.make_node("Div", ["peak", "step"], ["ratio"]),
        helper.make_node("Ceil", ["ratio"], ["steps"]),
        helper.make_node("Min", ["steps", "scale_max"], ["s_q"]),
        helper.make_node("Mul", ["s_q", "gamma"], ["scale"]),
        helper.make_node("Equal", ["s_q", "zero"], ["empty"]),
        helper.make_node("Where", ["empty", "one", "scale"], ["divisor"]),
        helper.make_node("Div", ["vectors", "divisor"], ["quotient"]),
        helper.make_node("Round", ["quotient"], ["rounded"]),
        helper.make_node("Clip", ["rounded", "qmin", "qmax"], ["x_q"]),
        helper.make_node("Mul", ["x_q", "scale"], ["real"]),
    ]


def _quantize_rows(*, columns: bool) -> _Parts:
    """Elements with a scale for each vector along the last axis or the last but one, of any length.

    Attributes: `vector_size`, V, and `negative`, `qmin`, `qmax`, `scale_max` as QuantizeVectors.
    """
    zeros = np.zeros((), np.float32)
    nodes = [
        *_floats("negative", "qmin", "qmax", "scale_max"),
        *_integers("vector_size"),
        _constant("zero", zeros),
        _constant("one", zeros + 1),
        _constant("axis_1", np.array([1])),
        _constant("begin", np.array([0])),
        _constant("last", np.array([-1])),
        _constant("end", np.array([np.iinfo(np.int64).max])),
        _constant("before", np.array([0, 0, 0])),
        helper.make_node("Shape", ["X"], ["given"]),
        *(_turned("X", "turned", "given") if columns else _same("X", "turned")),
        helper.make_node("Shape", ["turned"], ["shape"]),
        helper.make_node("Slice", ["shape", "last", "end"], ["length"]),
        helper.make_node("Neg", ["length"], ["missing"]),
        helper.make_node("Mod", ["missing", "vector_size"], ["padding"]),
        helper.make_node("Concat", ["before", "padding"], ["pads"], axis=0),
        helper.make_node("Add", ["length", "padding"], ["padded_length"]),
        helper.make_node("Concat", ["last", "length"], ["matrix"], axis=0),
        helper.make_node("Concat", ["last", "vector_size"], ["split"], axis=0),
        helper.make_node("Concat", ["last", "padded_length"], ["joined"], axis=0),
        helper.make_node("Reshape", ["turned", "matrix"], ["rows"]),
        helper.make_node("Pad", ["rows", "pads"], ["padded"]),
        helper.make_node("Reshape", ["padded", "split"], ["vectors"]),
        *_divided("axis_1"),
        helper.make_node("Reshape", ["real", "joined"], ["long"]),
        helper.make_node("Slice", ["long", "begin", "length", "axis_1"], ["cut"]),
        helper.make_node("Reshape", ["cut", "shape"], ["back"]),
        *(_turned_back("back", "Y", "given") if columns else _same("back", "Y")),
    ]
    attributes = ["vector_size", "negative", "qmin", "qmax", "scale_max"]
    return "QuantizeColumns" if columns else "QuantizeRows", ["X", "gamma"], attributes, nodes


def _same(source: str, target: str) -> list[onnx.NodeProto]:
    return [helper.make_node("Identity", [source], [target])]


def _turned(source: str, target: str, shape: str) -> list[onnx.NodeProto]:
    """Matrices (A, M, K) from stacks of any rank (..., K, M)."""
    return [
        _constant("two", np.array([-2])),
        helper.make_node("Slice", [shape, "two", "end"], ["sizes"]),
        helper.make_node("Concat", ["last", "sizes"], ["stack"], axis=0),
        helper.make_node("Reshape", [source, "stack"], ["matrices"]),
        helper.make_node("Transpose", ["matrices"], [target], perm=[0, 2, 1]),
    ]


def _turned_back(source: str, target: str, shape: str) -> list[onnx.NodeProto]:
    """The reverse."""
    return [
        helper.make_node("Transpose", [source], ["straight"], perm=[0, 2, 1]),
        helper.make_node("Reshape", ["straight", shape], [target]),
    ]


def _quantize_elements() -> _Parts:
    """Elements that all have the scale gamma."""
    return (
        "QuantizeElements",
        ["X", "gamma"],
        ["qmin", "qmax"],
        [
            *_floats("qmin", "qmax"),
            helper.make_node("Div", ["X", "gamma"], ["quotient"]),
            helper.make_node("Round", ["quotient"], ["rounded"]),
            helper.make_node("Clip", ["rounded", "qmin", "qmax"], ["x_q"]),
            helper.make_node("Mul", ["x_q", "gamma"], ["Y"]),
        ],
    )


def _function(
    name: str,
    inputs: list[str],
    attributes: list[str],
    nodes: list[onnx.NodeProto],
    opset: int,
) -> onnx.FunctionProto:
    imports = [helper.make_opsetid("", opset)]
    return helper.make_function(DOMAIN, name, inputs, ["Y"], nodes, imports, attributes)


def _floats(*names: str) -> list[onnx.NodeProto]:
    """Constants that are float attributes of the function."""
    return [_referring(name, "value_float", onnx.AttributeProto.FLOAT) for name in names]


def _integers(*names: str) -> list[onnx.NodeProto]:
    """Constants that are integer-list attributes of the function."""
    return [_referring(name, "value_ints", onnx.AttributeProto.INTS) for name in names]


def _referring(name: str, kind: str, attribute_type: int) -> onnx.NodeProto:
    node = helper.make_node("Constant", [], [name])
    attribute = node.attribute.add()
    attribute.name, attribute.ref_attr_name, attribute.type = kind, name, attribute_type
    return node


def _constant(name: str, value: np.ndarray) -> onnx.NodeProto:
    tensor = onnx.numpy_helper.from_array(value, name)
    return helper.make_node("Constant", [], [name], value=tensor)
