from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden.config import OperandFormat
from golden.octav import End, Grid, octav, step_constant
from tests import octav_oracle

_CONSTANTS = st.sampled_from(
    sorted(
        {
            octav_oracle.step_constant(bits, signed=signed, paper_grid=paper)
            for bits in range(2, 9)
            for signed in (True, False)
            for paper in (True, False)
        }
    )
)


def _check(samples: list[int], constant: int, fraction_bits: int, limit: int) -> End:
    got = octav(samples, constant, fraction_bits=fraction_bits, max_iterations=limit)
    want = octav_oracle.octav(samples, constant, fraction_bits, limit)
    assert (got.threshold, got.iterations, got.end.name.lower()) == (
        want.threshold,
        want.iterations,
        want.end,
    )
    assert list(got.steps) == octav_oracle.passes(samples, constant, fraction_bits, limit)
    return got.end


@given(
    samples=st.lists(st.integers(-(2**11), 2**11 - 1), min_size=1, max_size=40),
    constant=_CONSTANTS,
    fraction_bits=st.integers(0, 8),
    limit=st.integers(1, 12),
)
def test_equals_the_oracle(
    samples: list[int], constant: int, fraction_bits: int, limit: int
) -> None:
    _check(samples, constant, fraction_bits, limit)


def test_equals_the_oracle_on_gaussian_vectors_and_meets_every_end() -> None:
    rng = np.random.default_rng(0)
    ends = [
        _check(np.rint(rng.standard_normal(64) * 500).astype(int).tolist(), 12 * 3**2, 4, limit)
        for limit in (4, 10)
        for _ in range(200)
    ]
    assert set(ends) == {End.FIXED, End.CYCLE, End.LIMIT}


@pytest.mark.parametrize("bits", range(2, 9))
@pytest.mark.parametrize("signed", [True, False])
def test_constants_are_those_of_the_grids(bits: int, signed: bool) -> None:
    fmt = OperandFormat(element_bits=bits, signed=signed)
    for grid in Grid:
        want = octav_oracle.step_constant(bits, signed=signed, paper_grid=grid is Grid.PAPER)
        assert step_constant(fmt, grid) == want < 1 << 20


def test_first_step_is_the_mean_of_what_is_not_zero() -> None:
    assert octav([0, 3, -5, 0], 588, fraction_bits=1).steps[0] == 8


def test_all_zero_ends_fixed_after_one_pass() -> None:
    result = octav([0, 0, 0], 588, fraction_bits=4)
    assert (result.threshold, result.iterations, result.end) == (0, 1, End.FIXED)


def test_constant_tensor_ends_in_a_cycle_at_its_magnitude() -> None:
    result = octav([-7] * 5, 108, fraction_bits=2)
    assert (result.threshold, result.iterations, result.end) == (28, 2, End.CYCLE)


def test_two_cycle_gives_the_larger_value() -> None:
    # Found by random search, worked through by hand.
    result = octav([1, 31, 1, 0, 3, 32], 108, fraction_bits=2)
    assert result.steps == (54, 124, 123, 124)
    assert (result.threshold, result.end) == (124, End.CYCLE)


def test_longer_cycles_run_into_the_limit() -> None:
    # Where s' rounds up to the largest |x|, nothing is outside and the next step is 0.
    result = octav([1, 7, 9, 10], 193548, fraction_bits=2)
    assert result.steps == (27, 35, 38, 40, 0, 27, 35, 38, 40, 0)
    assert (result.threshold, result.end) == (0, End.LIMIT)


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32, np.int64])
def test_most_negative_input_does_not_wrap(dtype: Any) -> None:
    lowest = int(np.iinfo(dtype).min)
    result = octav(np.array([lowest], dtype), 588, fraction_bits=0)
    assert result.threshold == -lowest


def test_huge_samples_are_exact() -> None:
    samples = [2**70 + 1, -(2**70), 3, 2**62, 2**62]
    _check(samples, 588, 8, 10)
    _check(np.full(4, np.iinfo(np.int64).max).tolist(), 588, 8, 10)


def test_shape_and_integer_dtype_do_not_matter() -> None:
    samples = np.arange(-12, 12)
    want = octav(samples, 588, fraction_bits=3)
    assert octav(samples.reshape(2, 3, 4).astype(np.int8), 588, fraction_bits=3) == want
    assert octav(samples.tolist(), 588, fraction_bits=3) == want


@pytest.mark.parametrize(
    ("samples", "options", "error", "message"),
    [
        ([0.5], {}, TypeError, r"^samples must be integers, not float64$"),
        ([], {}, ValueError, r"^samples must not be empty$"),
        ([1], {"constant": 0}, ValueError, r"not 0, 10 and 4$"),
        ([1], {"max_iterations": 0}, ValueError, r"not 588, 0 and 4$"),
        ([1], {"fraction_bits": -1}, ValueError, r"not 588, 10 and -1$"),
    ],
)
def test_rejects_what_it_cannot_do(
    samples: list[Any], options: dict[str, int], error: type[Exception], message: str
) -> None:
    arguments: dict[str, Any] = {"constant": 588, "fraction_bits": 4, "max_iterations": 10}
    with pytest.raises(error, match=message):
        octav(samples, **{**arguments, **options})
