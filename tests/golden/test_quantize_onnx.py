"""Golden against ONNX Runtime's blocked QuantizeLinear and DequantizeLinear, bit for bit."""

import numpy as np
import numpy.typing as npt
import pytest

from scalewright.golden.config import OperandFormat
from scalewright.golden.quantize import Scaling, quantize

onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime has no wheel here")
onnx = pytest.importorskip("onnx", reason="needed to make onnxruntime's model")

_V = 16


def _run(
    x: npt.NDArray[np.float32],
    scales: npt.NDArray[np.uint16],
    gamma: npt.NDArray[np.float32],
    element_type: int,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """Quantize x (M, K) with two-level scales in ONNX Runtime: elements and real values."""
    helper = onnx.helper
    nodes = [
        helper.make_node("DequantizeLinear", ["s_q", "gamma"], ["scale"], axis=0),
        helper.make_node(
            "QuantizeLinear",
            ["x", "scale"],
            ["x_q"],
            axis=1,
            block_size=_V,
            output_dtype=element_type,
        ),
        helper.make_node("DequantizeLinear", ["x_q", "scale"], ["x_hat"], axis=1, block_size=_V),
        helper.make_node("Cast", ["x_q"], ["elements"], to=onnx.TensorProto.INT32),
    ]
    floats, integers = onnx.TensorProto.FLOAT, onnx.TensorProto.INT32
    graph = helper.make_graph(
        nodes,
        "two-level",
        [
            helper.make_tensor_value_info("x", floats, x.shape),
            helper.make_tensor_value_info("s_q", onnx.TensorProto.UINT16, scales.shape),
            helper.make_tensor_value_info("gamma", floats, gamma.shape),
        ],
        [
            helper.make_tensor_value_info("elements", integers, x.shape),
            helper.make_tensor_value_info("x_hat", floats, x.shape),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    elements, real = session.run(None, {"x": x, "s_q": scales, "gamma": gamma})
    return elements.astype(np.int64), real


@pytest.mark.parametrize("scaling", [Scaling.NEAREST, Scaling.CEIL])
@pytest.mark.parametrize("element_bits", [3, 4, 6, 8])
@pytest.mark.parametrize("scale_bits", [3, 4, 6, 8, 10])
@pytest.mark.parametrize("signed", [True, False])
def test_two_levels_agree_with_onnx_runtime(
    scaling: Scaling, element_bits: int, scale_bits: int, signed: bool
) -> None:
    rng = np.random.default_rng(element_bits * scale_bits)
    spread = np.exp(rng.normal(size=(64, 24, 1)))
    x = (rng.standard_normal((64, 24, _V)) * spread).reshape(64, -1).astype(np.float32)
    fmt = OperandFormat(element_bits=element_bits, signed=signed, scale_bits=scale_bits)
    golden = quantize(x, fmt, vector_size=_V, coarse_axis=0, scaling=scaling)
    assert golden.scales is not None
    assert golden.scales.min() > 0
    types = onnx.TensorProto
    if element_bits == 4:
        element_type = types.INT4 if signed else types.UINT4
    else:
        element_type = types.INT8 if signed else types.UINT8
    elements, real = _run(x, golden.scales, golden.gamma, element_type)
    # ONNX's signed grid has -2^(N-1) too, and other widths sit in 8 bits: clip to ours.
    clipped = np.clip(elements, fmt.qmin, fmt.qmax)
    np.testing.assert_array_equal(golden.elements.reshape(64, -1), clipped)
    same = elements == clipped
    assert same.mean() > 0.9
    np.testing.assert_array_equal(golden.dequantize()[same], real[same])
