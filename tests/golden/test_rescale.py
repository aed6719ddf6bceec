from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalewright.golden.config import ActivationFunction
from scalewright.golden.rescale import Rescaling, multiplier, rescale, round_half_even_shift
from tests.oracles import arithmetic as oracle

_ACCUMULATORS = st.one_of(
    st.integers(-(2**47), 2**47 - 1),
    st.integers(-40, 40),
    st.builds(lambda e, d: (1 << e) + d, st.integers(0, 46), st.integers(-1, 1)),
    st.sampled_from([-(2**47), 2**47 - 1]),
)


def _rescaling(
    m: int,
    e: int,
    b: int,
    bits: int = 18,
    function: ActivationFunction = ActivationFunction.IDENTITY,
) -> Rescaling:
    each = [np.array([value], np.int64) for value in (m, e, b)]
    return Rescaling(
        mantissas=each[0],
        exponents=each[1],
        biases=each[2],
        result_bits=bits,
        activation_function=function,
    )


@given(
    acc=_ACCUMULATORS,
    m=st.sampled_from([0, 1 << 15, (1 << 16) - 1]) | st.integers(1 << 15, (1 << 16) - 1),
    e=st.integers(0, 63),
    bits=st.integers(8, 32),
    function=st.sampled_from(ActivationFunction),
    data=st.data(),
)
def test_equals_the_exact_rational_result(
    acc: int, m: int, e: int, bits: int, function: ActivationFunction, data: st.DataObject
) -> None:
    limit = 1 << (bits - 1)
    b = data.draw(st.integers(-limit, limit - 1))
    exact = round(Fraction(acc * m, 1 << e)) + b
    want = oracle.saturate(exact, bits)
    y, saturated = rescale([acc], _rescaling(m, e, b, bits, function))
    assert y.tolist() == [oracle.activate(want, bits, function.name)]
    assert saturated.tolist() == [int(want != exact)]


@pytest.mark.parametrize("shift", range(64))
def test_ties_go_to_even_at_every_shift(shift: int) -> None:
    step = 1 << shift
    candidates = [k * step + d for k in range(-3, 4) for d in (0, step // 2, -(step // 2), 1, -1)]
    values = [value for value in candidates if -(2**63) <= value < 2**63]
    got = round_half_even_shift(np.array(values, np.int64), shift)
    assert got.tolist() == [round(Fraction(value, step)) for value in values]


@given(st.floats(2.0**-47, 2.0**16 - 1))
def test_multiplier_has_sixteen_significant_bits(scale: float) -> None:
    mantissa, exponent = (int(value) for value in multiplier(scale))
    assert 1 << 15 <= mantissa < 1 << 16
    unit = Fraction(1, 1 << exponent)
    assert abs(mantissa * unit - Fraction(scale)) <= unit / 2


def test_multiplier_of_powers_and_their_neighbours() -> None:
    scales = [0.0, 1.0, 0.5, 1 - 2**-17, 1 - 2**-16, 2.0**-48, 2.0**-50]
    mantissas, exponents = multiplier(scales)
    assert mantissas.tolist() == [0, 32768, 32768, 32768, 65535, 32768, 0]
    assert exponents.tolist() == [0, 15, 16, 15, 16, 63, 0]


def test_channels_have_their_own_parameters() -> None:
    rescaling = Rescaling(
        mantissas=np.array([1 << 15, 3 << 14]),
        exponents=np.array([15, 16]),
        biases=np.array([10, -10]),
    )
    y, saturated = rescale(np.array([[[100, 100]], [[-1, 2]], [[1 << 20, 0]]]), rescaling)
    assert y.tolist() == [[[110, 65]], [[9, -8]], [[131071, -10]]]
    assert saturated.tolist() == [[[0, 0]], [[0, 0]], [[1, 0]]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mantissas": 1 << 16}, r"^mantissas must be from 0 to 65535, not 65536$"),
        ({"mantissas": 100}, r"^mantissas must be 0 or at least 32768, not 100$"),
        ({"exponents": 64}, r"^exponents must be from 0 to 63, not 64$"),
        ({"biases": 1 << 17}, r"^biases must be from -131072 to 131071, not 131072$"),
    ],
)
def test_rejects_parameters_out_of_range(change: dict[str, int], message: str) -> None:
    values: dict[str, Any] = {
        name: np.array([change.get(name, good)])
        for name, good in (("mantissas", 1 << 15), ("exponents", 15), ("biases", 0))
    }
    with pytest.raises(ValueError, match=message):
        Rescaling(**values)


def test_rejects_what_does_not_fit() -> None:
    with pytest.raises(ValueError, match=r"^result_bits must be from 8 to 32, not 33$"):
        _rescaling(1 << 15, 15, 0, bits=33)
    with pytest.raises(ValueError, match=r"^accumulators must be from .*, not 140737488355328$"):
        rescale([1 << 47], _rescaling(1 << 15, 15, 0))
    with pytest.raises(ValueError, match=r"^accumulators must be \(\.\.\., 1\), not \(2,\)$"):
        rescale([1, 2], _rescaling(1 << 15, 15, 0))
    for bad, message in ((-1.0, "finite and not negative"), (70000.0, "below 65536, not 70000")):
        with pytest.raises(ValueError, match=f"^scale must be {message}"):
            multiplier(bad)
