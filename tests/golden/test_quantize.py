from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt
import pytest

from scalewright.golden.config import OperandFormat
from scalewright.golden.quantize import Scaling, quantize
from scalewright.golden.quantized import Quantized


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("element_bits", range(2, 9))
def test_is_idempotent_on_grids_of_whole_numbers(element_bits: int, signed: bool) -> None:
    # With gamma a power of two and vectors that reach qmax, x_hat is on the grid exactly.
    fmt = OperandFormat(element_bits=element_bits, signed=signed, scale_bits=4)
    rng = np.random.default_rng(0)
    elements = rng.integers(fmt.qmin, fmt.qmax + 1, (6, 4, 16)).astype(np.float32)
    elements[..., 0] = fmt.qmax
    scales = rng.integers(1, 16, (6, 4, 1)).astype(np.float32)
    scales[:, 0] = 15
    x = (elements * scales * np.float32(0.125)).reshape(6, 64)
    once = quantize(x, fmt, vector_size=16, coarse_axis=0)
    np.testing.assert_array_equal(once.dequantize(), x)
    twice = quantize(once.dequantize(), fmt, vector_size=16, coarse_axis=0)
    np.testing.assert_array_equal(once.elements, twice.elements)


def test_ties_go_to_even() -> None:
    fmt = OperandFormat(element_bits=4)
    x = np.array([[0.5, 1.5, 2.5, 3.5, -0.5, -1.5, -2.5, 7.0]], np.float32)
    assert quantize(x, fmt, vector_size=8).elements.tolist() == [[[0, 2, 2, 4, 0, -2, -2, 7]]]


def test_all_zero_vector_has_scale_zero() -> None:
    fmt = OperandFormat(element_bits=4, scale_bits=4)
    x = np.array([[0, 0, 0, 0, 1, 2, 3, 4]], np.float32)
    for scaling in Scaling:
        result = quantize(x, fmt, vector_size=4, scaling=scaling)
        assert result.scales is not None
        assert result.scales.tolist() == [[0, 15]]
        assert result.elements[0, 0].tolist() == [0, 0, 0, 0]


def test_small_vector_keeps_a_scale_of_one_except_in_paper_mode() -> None:
    fmt = OperandFormat(element_bits=4, scale_bits=4)
    x = np.array([[0.001, 0, 0, 0, 1, 2, 3, 4]], np.float32)
    scales = {
        scaling: quantize(x, fmt, vector_size=4, scaling=scaling).scales for scaling in Scaling
    }
    assert {s: None if v is None else v.tolist() for s, v in scales.items()} == {
        Scaling.NEAREST: [[1, 15]],
        Scaling.CEIL: [[1, 15]],
        Scaling.PAPER: [[0, 15]],
    }


def test_unsigned_clips_negative_input_to_zero() -> None:
    fmt = OperandFormat(element_bits=4, signed=False, scale_bits=4)
    x = np.array([[-8, 15, 1, -1, -3, -3, -3, -3]], np.float32)
    result = quantize(x, fmt, vector_size=4)
    assert result.elements.dtype == np.uint8
    assert result.elements.tolist() == [[[0, 15, 1, 0], [0, 0, 0, 0]]]
    assert result.scales is not None
    assert result.scales.tolist() == [[15, 0]]


def test_elements_against_rounded_scales_have_less_noise_than_in_the_papers_order() -> None:
    # Gaussian data with log-normal vector scales, V = 16.
    rng = np.random.default_rng(0)
    x = rng.standard_normal((256, 64, 16)) * np.exp(rng.normal(size=(256, 64, 1)))
    x = x.reshape(256, 1024).astype(np.float32)
    noise = {}
    for scaling in Scaling:
        fmt = OperandFormat(element_bits=4, scale_bits=4)
        error = x - quantize(x, fmt, vector_size=16, coarse_axis=0, scaling=scaling).dequantize()
        noise[scaling] = np.sum(error**2)
    assert noise[Scaling.NEAREST] < noise[Scaling.PAPER]
    assert noise[Scaling.CEIL] < noise[Scaling.PAPER]


@pytest.mark.parametrize("coarse_axis", [0, 1, -2, -3, None])
def test_any_leading_axis_can_be_coarse(coarse_axis: int | None) -> None:
    rng = np.random.default_rng(1)
    x = rng.standard_normal((3, 5, 20)).astype(np.float32)
    fmt = OperandFormat(element_bits=5, scale_bits=5)
    result = quantize(x, fmt, vector_size=8, coarse_axis=coarse_axis)
    assert result.elements.shape == (3, 5, 3, 8)
    assert result.scales is not None
    assert result.scales.shape == (3, 5, 3)
    peaks = np.abs(np.pad(x, ((0, 0), (0, 0), (0, 4)))).reshape(3, 5, 3, 8).max(axis=3)
    axes = [0, 1, 2]
    if coarse_axis is not None:
        axes.remove(coarse_axis % 3)
    wanted = (peaks / np.float32(15)).max(axis=tuple(axes)) / np.float32(31)
    np.testing.assert_array_equal(result.gamma, wanted)


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.float32, np.float64, np.int8])
def test_takes_any_real_dtype(dtype: Any) -> None:
    fmt = OperandFormat(element_bits=8, scale_bits=6)
    rng = np.random.default_rng(2)
    x = (rng.standard_normal((4, 32)) * 20).astype(dtype)
    got = quantize(x, fmt, vector_size=16)
    want = quantize(x.astype(np.float32), fmt, vector_size=16)
    np.testing.assert_array_equal(got.elements, want.elements)
    np.testing.assert_array_equal(got.gamma, want.gamma)


def test_takes_whatever_converts_to_an_array() -> None:
    class Tensor:
        def __array__(
            self, dtype: npt.DTypeLike | None = None, copy: bool | None = None
        ) -> npt.NDArray[Any]:
            return np.array([[1, 2, 3, 4]], np.float32)

    fmt = OperandFormat(element_bits=4)
    assert quantize(Tensor(), fmt, vector_size=4).elements.tolist() == [[[2, 3, 5, 7]]]
    assert quantize([[1.0, 2, 3, 4]], fmt, vector_size=4).elements.tolist() == [[[2, 3, 5, 7]]]


@pytest.mark.parametrize("shape", [(1, 4), (2, 4), (1, 3), (3, 64)])
def test_leaves_its_input_alone(shape: tuple[int, int]) -> None:
    x = np.linspace(-3, 2, shape[0] * shape[1], dtype=np.float32).reshape(shape)
    before = x.copy()
    quantize(x, OperandFormat(element_bits=4, scale_bits=4), vector_size=4)
    np.testing.assert_array_equal(x, before)


def test_large_tensor_equals_its_parts() -> None:
    # More than one cache-sized block, the last one short, in a memory order that is not C's.
    rng = np.random.default_rng(3)
    x = np.asfortranarray(rng.standard_normal((301, 1003)).astype(np.float32))
    fmt = OperandFormat(element_bits=4, signed=False, scale_bits=4)
    whole = quantize(x, fmt, vector_size=16, coarse_axis=0)
    for row in (0, 150, 300):
        part = quantize(x[row : row + 1], fmt, vector_size=16, coarse_axis=0)
        np.testing.assert_array_equal(whole.elements[row], part.elements[0])


@pytest.mark.parametrize(
    ("value", "signed", "message"),
    [
        (np.nan, True, r"^a tensor must be finite in float32, but 1 of 12 .* at \[1, 2\]: nan$"),
        (np.inf, True, r"at \[1, 2\]: inf$"),
        (-np.inf, False, r"at \[1, 2\]: -inf$"),
        (np.nan, False, r"at \[1, 2\]: nan$"),
        (1e39, True, r"at \[1, 2\]: inf$"),
    ],
)
def test_rejects_what_is_not_finite(value: float, signed: bool, message: str) -> None:
    x = np.zeros((2, 6))
    x[1, 2] = value
    with pytest.raises(ValueError, match=message):
        quantize(x, OperandFormat(element_bits=4, signed=signed), vector_size=4)


@pytest.mark.parametrize(
    ("x", "error"),
    [
        (np.zeros((2, 4), np.complex64), TypeError),
        (np.array([[None, 1]], object), TypeError),
        (np.array([["1", "2"]]), TypeError),
        (np.zeros((2, 4), np.bool_), TypeError),
        (np.zeros((0, 4)), ValueError),
        (np.zeros((4, 0)), ValueError),
        (np.float32(1), ValueError),
    ],
)
def test_rejects_what_is_no_tensor(x: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"^a tensor must have "):
        quantize(x, OperandFormat(element_bits=4), vector_size=4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"vector_size": 24}, r"^vector_size must be one of .*, not 24$"),
        ({"coarse_axis": 1}, r"^coarse_axis must be an axis of \(2, 8\) before the last, not 1$"),
        ({"coarse_axis": -1}, r"^coarse_axis .*, not -1$"),
        ({"coarse_axis": 2}, r"^coarse_axis .*, not 2$"),
        ({"threshold": -1.0}, r"^threshold must be finite and not negative, not -1.0$"),
        ({"threshold": np.nan}, r"^threshold must be finite and not negative, not nan$"),
        ({"threshold": np.ones(3)}, r"^threshold must broadcast to \(2, 2\), not \(3,\)$"),
    ],
)
def test_rejects_parameters_out_of_range(options: dict[str, Any], message: str) -> None:
    fmt = OperandFormat(element_bits=4)
    with pytest.raises(ValueError, match=message):
        quantize(np.ones((2, 8)), fmt, **{"vector_size": 4, **options})


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"elements": np.zeros((1, 2, 4), np.int16)}, TypeError, r"^elements must be int8"),
        ({"elements": np.zeros((1, 2, 5), np.int8)}, ValueError, r"^elements must be \(\.\.\., J"),
        ({"elements": np.full((1, 2, 4), 8, np.int8)}, ValueError, r"from -8 to 7, not 8$"),
        ({"elements": np.full((1, 2, 4), -9, np.int8)}, ValueError, r"from -8 to 7, not -9$"),
        ({"elements": np.zeros((0, 2, 4), np.int8)}, ValueError, r"^elements must not be empty"),
        ({"scales": None}, ValueError, r"^scales must be given exactly where 4/4 has them$"),
        ({"scales": np.ones((1, 2), np.uint8)}, TypeError, r"^scales must be uint16"),
        ({"scales": np.ones((1, 3), np.uint16)}, ValueError, r"^scales must be \(1, 2\)"),
        ({"scales": np.full((1, 2), 16, np.uint16)}, ValueError, r"from 0 to 15, not 16$"),
        ({"gamma": np.ones(())}, TypeError, r"^gamma must be float32, not float64$"),
        ({"length": 9}, ValueError, r"^length must be from 5 to 8, not 9$"),
        ({"length": 4}, ValueError, r"^length must be from 5 to 8, not 4$"),
    ],
)
def test_quantized_rejects_what_does_not_fit_its_format(
    changes: dict[str, Any], error: type[Exception], message: str
) -> None:
    whole: dict[str, Any] = {
        "elements": np.full((1, 2, 4), -8, np.int8),
        "scales": np.ones((1, 2), np.uint16),
        "gamma": np.float32(1),
        "format": OperandFormat(element_bits=4, scale_bits=4),
    }
    Quantized(**whole)
    with pytest.raises(error, match=message):
        Quantized(**{**whole, **changes})
