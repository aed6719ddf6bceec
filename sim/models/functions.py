"""What the engine does to activations, as ONNX functions of standard operators in float32.

A quantized model calls them as nodes of the domain `scalewright`; any runtime of opset 21 expands
them. They give real numbers: what the integers stand for.
"""

import numpy as np
import onnx
from onnx import helper

DOMAIN = "scalewright"
# 2: Rescale adds the bias, behind the rounding.
VERSION = 2
OPSET = 21
IR_VERSION = 10


def functions() -> list[onnx.FunctionProto]:
    """All of them: Rescale, QuantizeVectors, QuantizeElements."""
    return [_rescale(), _quantize_vectors(), _quantize_elements()]


def _rescale() -> onnx.FunctionProto:
    """Y = unit * clip(round(X / unit) + bias): results of R bits; `low` and `high` are their ends.

    The bias is added behind the rounding, as golden/rescale.py has it: integers, in units. Both are
    exact in float32 up to 2^24, and so is the sum of those that do not saturate. X is a float32 sum
    of real numbers; where that sum is exact, so are ties.

    It is computed as bias - round(-X / unit), which is the same: a division right behind a MatMul
    ONNX Runtime fuses with it (MatMulScaleFusion), as a product with the rounded reciprocal.
    """
    return _function(
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


def _quantize_vectors() -> onnx.FunctionProto:
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
        helper.make_node("Mul", ["vectors", "negative"], ["mirrored"]),
        helper.make_node("Max", ["vectors", "mirrored"], ["magnitudes"]),
        helper.make_node("ReduceMax", ["magnitudes", "axis_2"], ["peak"], keepdims=1),
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
        helper.make_node("Reshape", ["real", "joined"], ["long"]),
        helper.make_node("Slice", ["long", "begin", "length", "axis_1"], ["cut"]),
        helper.make_node("Reshape", ["cut", "shape"], ["Y"]),
    ]
    attributes = ["matrix", "padding", "split", "joined", "length"]
    attributes += ["negative", "qmin", "qmax", "scale_max"]
    return _function("QuantizeVectors", ["X", "gamma"], attributes, nodes)


def _quantize_elements() -> onnx.FunctionProto:
    """Elements that all have the scale gamma."""
    return _function(
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
    name: str, inputs: list[str], attributes: list[str], nodes: list[onnx.NodeProto]
) -> onnx.FunctionProto:
    opset = helper.make_opsetid("", OPSET)
    return helper.make_function(DOMAIN, name, inputs, ["Y"], nodes, [opset], attributes)


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
