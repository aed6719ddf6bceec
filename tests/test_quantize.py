import math
from fractions import Fraction
from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from golden.config import OperandFormat
from golden.quantize import Quantized, Scaling, quantize
from tests import oracle

Floats = npt.NDArray[np.float32]

_LARGEST = float(np.finfo(np.float32).max)
_SMALLEST = float(np.finfo(np.float32).smallest_subnormal)

_FORMATS = st.builds(
    OperandFormat,
    element_bits=st.integers(2, 8),
    signed=st.booleans(),
    scale_bits=st.none() | st.integers(2, 10),
)


def _neighbours_of_powers_of_two() -> st.SearchStrategy[float]:
    def around(exponent: int, step: int) -> float:
        power = np.float32(2.0**exponent)
        toward = np.float32(math.inf if step > 0 else 0)
        return float(np.nextafter(power, toward)) if step else float(power)

    return st.builds(around, st.integers(-149, 127), st.sampled_from([-1, 0, 1]))


# Ties of small grids, powers of two and their neighbours, subnormals, the largest, and anything.
_MAGNITUDES = st.one_of(
    st.integers(0, 64).map(lambda n: n / 4),
    _neighbours_of_powers_of_two(),
    st.integers(0, 40).map(lambda n: n * _SMALLEST),
    st.sampled_from([0.0, _LARGEST, _LARGEST / 2]),
    st.floats(0, _LARGEST, width=32),
)
_VALUES = st.builds(lambda magnitude, sign: sign * magnitude, _MAGNITUDES, st.sampled_from([1, -1]))


@st.composite
def _tensors(draw: st.DrawFn) -> tuple[Floats, int]:
    """A matrix of at most 3 rows, not always of whole vectors, and the vector size."""
    vector_size = draw(st.sampled_from([4, 4, 8]))
    shape = draw(st.integers(1, 3)), draw(st.integers(1, 2 * vector_size + 1))
    return draw(npst.arrays(np.float32, shape, elements=_VALUES)), vector_size


def _fraction(value: Any) -> Fraction:
    return Fraction(float(value))


def _check(
    x: Floats,
    fmt: OperandFormat,
    vector_size: int,
    scaling: Scaling,
    coarse_axis: int | None,
    threshold: Floats | None = None,
) -> None:
    """Compare every number that quantization gives with the oracle's."""
    result = quantize(
        x,
        fmt,
        vector_size=vector_size,
        coarse_axis=coarse_axis,
        threshold=threshold,
        scaling=scaling,
    )
    operand = oracle.Operand(fmt.element_bits, fmt.signed, fmt.scale_bits)
    groups = [slice(None)] if coarse_axis is None else [slice(r, r + 1) for r in range(len(x))]
    real = result.dequantize()
    assert real.shape == x.shape
    for number, rows in enumerate(groups):
        want = oracle.quantize_group(
            [[_fraction(value) for value in row] for row in x[rows]],
            operand,
            vector_size,
            oracle.Rounding(scaling.value),
            None
            if threshold is None
            else [
                [_fraction(value) for value in row]
                for row in np.broadcast_to(threshold, result.elements.shape[:-1])[rows]
            ],
        )
        assert result.elements[rows].tolist() == want.elements
        if result.scales is None:
            assert want.scales is None
        else:
            assert result.scales[rows].tolist() == want.scales
        assert _fraction(result.gamma.reshape(-1)[number]) == want.gamma
        wanted = [[float(value) for value in row] for row in want.dequantized]
        np.testing.assert_array_equal(real[rows], wanted)  # NaN equals NaN, all else exactly


@pytest.mark.parametrize("scaling", Scaling)
@given(tensor=_tensors(), fmt=_FORMATS, coarse_axis=st.sampled_from([None, 0]))
def test_equals_the_oracle(
    scaling: Scaling, tensor: tuple[Floats, int], fmt: OperandFormat, coarse_axis: int | None
) -> None:
    _check(*tensor[:1], fmt, tensor[1], scaling, coarse_axis)


@pytest.mark.parametrize("scaling", Scaling)
@given(tensor=_tensors(), fmt=_FORMATS, data=st.data())
def test_equals_the_oracle_with_thresholds(
    scaling: Scaling, tensor: tuple[Floats, int], fmt: OperandFormat, data: st.DataObject
) -> None:
    x, vector_size = tensor
    vectors = -(-x.shape[1] // vector_size)
    shape = data.draw(st.sampled_from([(), (1,), (x.shape[0], 1), (x.shape[0], vectors)]))
    threshold = data.draw(npst.arrays(np.float32, shape, elements=_MAGNITUDES))
    _check(x, fmt, vector_size, scaling, data.draw(st.sampled_from([None, 0])), threshold)


@pytest.mark.parametrize("scaling", Scaling)
@pytest.mark.parametrize("scale_bits", [None, *range(2, 11)])
@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("element_bits", range(2, 9))
def test_equals_the_oracle_in_every_format(
    element_bits: int, signed: bool, scale_bits: int | None, scaling: Scaling
) -> None:
    rng = np.random.default_rng(element_bits)
    spread = np.exp(rng.normal(size=(2, 3, 1))).repeat(4, axis=2).reshape(2, 12)
    x = (rng.standard_normal((2, 12)) * spread).astype(np.float32)
    fmt = OperandFormat(element_bits=element_bits, signed=signed, scale_bits=scale_bits)
    _check(x, fmt, 4, scaling, 0)


@given(tensor=_tensors(), fmt=_FORMATS, scaling=st.sampled_from(Scaling))
def test_elements_and_scales_stay_on_their_grids(
    tensor: tuple[Floats, int], fmt: OperandFormat, scaling: Scaling
) -> None:
    x, vector_size = tensor
    result = quantize(x, fmt, vector_size=vector_size, scaling=scaling)
    assert result.elements.min() >= fmt.qmin
    assert result.elements.max() <= fmt.qmax
    if result.scales is not None:
        assert result.scales.max() <= fmt.scale_max


@given(tensor=_tensors(), fmt=_FORMATS, scaling=st.sampled_from(Scaling))
def test_is_symmetric_in_sign(
    tensor: tuple[Floats, int], fmt: OperandFormat, scaling: Scaling
) -> None:
    x, vector_size = tensor
    fmt = OperandFormat(element_bits=fmt.element_bits, scale_bits=fmt.scale_bits)
    plus = quantize(x, fmt, vector_size=vector_size, scaling=scaling)
    minus = quantize(-x, fmt, vector_size=vector_size, scaling=scaling)
    np.testing.assert_array_equal(plus.elements, -minus.elements)
    np.testing.assert_array_equal(plus.gamma, minus.gamma)
    if plus.scales is not None and minus.scales is not None:
        np.testing.assert_array_equal(plus.scales, minus.scales)


@given(
    x=npst.arrays(np.float32, (2, 8), elements=st.floats(-(2.0**20), 2.0**20, width=32)),
    fmt=_FORMATS,
    scaling=st.sampled_from(Scaling),
    exponent=st.integers(-20, 60),
)
def test_scales_with_powers_of_two(
    x: Floats, fmt: OperandFormat, scaling: Scaling, exponent: int
) -> None:
    # Only where nothing is subnormal, before or after, is a power of two without rounding.
    x[np.abs(x) < 2.0**-60] = 0
    factor = np.float32(2.0**exponent)
    plain = quantize(x, fmt, vector_size=4, scaling=scaling)
    scaled = quantize(x * factor, fmt, vector_size=4, scaling=scaling)
    np.testing.assert_array_equal(plain.elements, scaled.elements)
    np.testing.assert_array_equal(plain.gamma * factor, scaled.gamma)
    np.testing.assert_array_equal(plain.dequantize() * factor, scaled.dequantize())


@given(tensor=_tensors(), fmt=_FORMATS, scaling=st.sampled_from(Scaling))
def test_padding_with_zeros_changes_nothing(
    tensor: tuple[Floats, int], fmt: OperandFormat, scaling: Scaling
) -> None:
    x, vector_size = tensor
    padding = -x.shape[1] % vector_size
    short = quantize(x, fmt, vector_size=vector_size, scaling=scaling)
    padded = quantize(
        np.pad(x, ((0, 0), (0, padding))), fmt, vector_size=vector_size, scaling=scaling
    )
    np.testing.assert_array_equal(short.elements, padded.elements)
    np.testing.assert_array_equal(short.dequantize(), padded.dequantize()[:, : x.shape[1]])


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


def test_signal_to_noise_is_as_published_for_the_scheme() -> None:
    # Gaussian data with log-normal vector scales, V = 16: rounded scales beat the paper's order.
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
