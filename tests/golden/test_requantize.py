import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalewright.golden.config import OperandFormat
from scalewright.golden.requantize import requantize

_FORMATS = st.builds(
    OperandFormat,
    element_bits=st.integers(2, 8),
    signed=st.booleans(),
    scale_bits=st.none() | st.integers(2, 10),
)


def _exact(y: list[int], fmt: OperandFormat, fraction_bits: int) -> tuple[int, list[int]]:
    """Scale and elements of one vector, in fractions."""
    scale = 1
    if fmt.scale_bits is not None:
        peak = max(abs(v) if fmt.signed else max(v, 0) for v in y)
        scale = min(math.ceil(Fraction(peak, fmt.qmax << fraction_bits)), fmt.scale_max)
    if scale == 0:
        return 0, [0] * len(y)
    unit = scale << fraction_bits
    return scale, [max(fmt.qmin, min(fmt.qmax, round(Fraction(v, unit)))) for v in y]


def _check(y: list[int], fmt: OperandFormat, fraction_bits: int) -> None:
    result = requantize(y, fmt, vector_size=4, fraction_bits=fraction_bits)
    scale, elements = _exact(y, fmt, fraction_bits)
    assert result.elements.tolist() == [elements]
    assert (result.scales is None) == (fmt.scale_bits is None)
    if result.scales is not None:
        assert result.scales.tolist() == [scale]


@given(
    y=st.lists(st.integers(-(2**17), 2**17 - 1) | st.integers(-70, 70), min_size=4, max_size=4),
    fmt=_FORMATS,
    fraction_bits=st.integers(0, 17),
)
def test_equals_the_exact_rational_result(
    y: list[int], fmt: OperandFormat, fraction_bits: int
) -> None:
    _check(y, fmt, fraction_bits)


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_equals_the_exact_result_around_every_step_of_the_scale(bits: int, signed: bool) -> None:
    fmt = OperandFormat(element_bits=bits, signed=signed, scale_bits=4)
    for scale in range(18):
        for offset in (-1, 0, 1):
            peak = scale * (fmt.qmax << 2) + offset
            half = (max(scale, 1) << 2) // 2
            _check([peak, -peak, half, 3 * half], fmt, 2)


def test_no_element_clips_where_the_scale_does_not() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(-(2**15), 2**15, (50, 64))
    fmt = OperandFormat(element_bits=4, scale_bits=10)
    result = requantize(y, fmt, vector_size=16, fraction_bits=6)
    assert result.scales is not None
    assert result.scales.max() < fmt.scale_max
    real = result.dequantize() * 2**6
    assert (np.abs(real - y) <= np.repeat(result.scales, 16, axis=1) * 2**5).all()


def test_pads_the_tail_and_keeps_gamma() -> None:
    fmt = OperandFormat(element_bits=4, scale_bits=4)
    result = requantize([[7, 14, 0, 0, 3]], fmt, vector_size=4, fraction_bits=0, gamma=0.25)
    assert result.elements.tolist() == [[[4, 7, 0, 0], [3, 0, 0, 0]]]
    assert result.scales is not None
    assert result.scales.tolist() == [[2, 1]]
    assert result.dequantize().tolist() == [[2.0, 3.5, 0.0, 0.0, 0.75]]


@pytest.mark.parametrize(
    ("y", "options", "error", "message"),
    [
        ([0.5], {}, TypeError, r"^y must be integers, not float64: 0.5$"),
        (np.zeros((2, 0), int), {}, ValueError, r"^y must have at least one axis and one element"),
        ([1], {"vector_size": 5}, ValueError, r"^vector_size must be one of .*, not 5$"),
        ([1], {"fraction_bits": 24}, ValueError, r"^fraction_bits must be from 0 to 23, not 24$"),
        ([1 << 31], {}, ValueError, r"^y must be from -2147483648 to 2147483647, not 2147483648$"),
    ],
)
def test_rejects_what_it_cannot_quantize(
    y: Any, options: dict[str, int], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        requantize(
            y, OperandFormat(element_bits=4), **{"vector_size": 4, "fraction_bits": 2, **options}
        )
