"""Golden's quantizer against the oracle, and in the properties that it must have."""

import math
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from scalewright.golden.config import OperandFormat
from scalewright.golden.quantize import Scaling, quantize
from tests.oracles import arithmetic as oracle

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
