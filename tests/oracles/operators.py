"""Operators of golden beside those of ONNX Runtime, and what to try them with."""

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from hypothesis import assume
from hypothesis import strategies as st

from scalewright.golden.network.operators import OPERATORS

onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime has no wheel here")

Array = npt.NDArray[Any]


def both(operator: str, *inputs: Array, **attributes: Any) -> tuple[Array, Array]:
    """The same operator, inputs and attributes here and in ONNX Runtime."""
    helper, names = onnx.helper, [f"input{i}" for i in range(len(inputs))]
    graph = helper.make_graph(
        [helper.make_node(operator, names, ["output"], **attributes)],
        operator,
        [
            helper.make_tensor_value_info(
                name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape
            )
            for name, value in zip(names, inputs, strict=True)
        ],
        [helper.make_tensor_value_info("output", onnx.TensorProto.FLOAT, None)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1  # starting threads would take longer than the operator
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    (expected,) = session.run(None, dict(zip(names, inputs, strict=True)))
    for value in inputs:
        value.flags.writeable = False  # an operator that writes to its input fails
    actual = OPERATORS[operator](*inputs, **attributes)
    assert actual.dtype == expected.dtype == np.float32
    assert actual.shape == expected.shape
    return actual, expected


def assert_exact(operator: str, *inputs: Array, **attributes: Any) -> None:
    np.testing.assert_array_equal(*both(operator, *inputs, **attributes))


def assert_sums(terms: int, operator: str, *inputs: Array, **attributes: Any) -> None:
    """Sums of `terms` numbers, each at most 1 in magnitude, agree but for their rounding."""
    # Where terms cancel, the error exceeds any fraction of the sum: each of two orders rounds
    # `terms` partial sums, none above `terms`, by at most 2^-24 of it.
    atol = 2 * terms * terms * 2.0**-24
    np.testing.assert_allclose(*both(operator, *inputs, **attributes), rtol=1e-5, atol=atol)


def uniform(seed: int, *shape: int) -> npt.NDArray[np.float32]:
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


SEEDS = st.integers(0, 2**32 - 1)
DIMENSIONS = st.integers(1, 5)
FLOATS = st.floats(width=32, allow_nan=False)


@st.composite
def windows(draw: st.DrawFn, *, pool: bool) -> tuple[list[int], dict[str, Any]]:
    """A spatial size, and attributes of a window that fits it."""

    def pair(low: int, high: int) -> list[int]:
        return [draw(st.integers(low, high)), draw(st.integers(low, high))]

    size, kernel = pair(3, 9), pair(1, 4)
    attributes: dict[str, Any] = {"kernel_shape": kernel}
    auto_pad = draw(st.sampled_from(["NOTSET", "NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"]))
    if draw(st.booleans()):
        # A stride beyond the kernel may make SAME's padding negative. Then ONNX Runtime's MaxPool
        # fails, and below -1 its AveragePool and Conv crop the input (not always), which ONNX's
        # shape inference does not.
        largest = [4, 4]
        if auto_pad.startswith("SAME"):
            largest = [taps if pool else taps + 1 for taps in kernel]
        attributes["strides"] = [draw(st.integers(1, limit)) for limit in largest]
    if auto_pad in ("NOTSET", "VALID") and draw(st.booleans()):
        attributes["dilations"] = pair(1, 3)
    if auto_pad != "NOTSET":
        attributes["auto_pad"] = auto_pad
    elif draw(st.booleans()):
        # ONNX Runtime refuses to pool with pads as large as the kernel.
        largest = [taps - 1 if pool else taps + 1 for taps in kernel]
        attributes["pads"] = [draw(st.integers(0, limit)) for limit in largest * 2]
    if pool and draw(st.booleans()):
        attributes["ceil_mode"] = draw(st.integers(0, 1))
    dilations, pads = attributes.get("dilations", (1, 1)), attributes.get("pads", [0] * 4)
    for axis in range(2):
        extent = (kernel[axis] - 1) * dilations[axis] + 1
        assume(auto_pad.startswith("SAME") or extent <= size[axis] + pads[axis] + pads[axis + 2])
    return size, attributes
