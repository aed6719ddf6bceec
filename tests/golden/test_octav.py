import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalewright.golden.config import OperandFormat
from scalewright.golden.octav import End, Grid, octav, step_constant
from tests.oracles import octav as octav_oracle

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


# Of each the last pass finds nothing outside. Found by trying all small tensors.
_NOTHING_OUTSIDE = pytest.mark.parametrize(
    ("samples", "constant", "fraction_bits", "steps"),
    [
        # Nothing is outside the mean of equal magnitudes, nor where it rounds up to the largest.
        ([-7] * 5, 108, 2, (28, 28)),
        ([1], 12, 0, (1, 1)),
        ([1, 2], 12, 0, (2, 2)),
        # s' = 12 * 2 / (1 + 12) = 1.85, 4 halves.
        ([1, 2], 12, 1, (3, 4, 4)),
        ([0, -1, -2, 0], 786432, 16, (98304, 131072, 131072)),
        ([1, 3, 4], 48, 1, (5, 7, 8, 8)),
        ([1, 7, 9, 10], 588, 2, (27, 35, 38, 40, 40)),
        ([1, 7, 9, 10], 193548, 2, (27, 35, 38, 40, 40)),
    ],
)


@_NOTHING_OUTSIDE
def test_pass_that_finds_nothing_outside_ends_fixed(
    samples: list[int], constant: int, fraction_bits: int, steps: tuple[int, ...]
) -> None:
    result = octav(samples, constant, fraction_bits=fraction_bits)
    assert (result.steps, result.end) == (steps, End.FIXED)
    assert (result.threshold, result.iterations) == (steps[-1], len(steps))
    assert result.threshold == max(map(abs, samples)) << fraction_bits


@_NOTHING_OUTSIDE
def test_it_ends_fixed_in_the_pass_that_reaches_the_limit_but_not_before(
    samples: list[int], constant: int, fraction_bits: int, steps: tuple[int, ...]
) -> None:
    at_limit = octav(samples, constant, fraction_bits=fraction_bits, max_iterations=len(steps))
    assert (at_limit.steps, at_limit.end) == (steps, End.FIXED)
    before = octav(samples, constant, fraction_bits=fraction_bits, max_iterations=len(steps) - 1)
    assert (before.steps, before.end) == (steps[:-1], End.LIMIT)
    assert before.threshold == at_limit.threshold


def test_equals_the_oracle_on_all_small_tensors() -> None:
    ends = set()
    for size in range(1, 5):
        for samples in itertools.combinations_with_replacement(range(6), size):
            for constant, fraction_bits in itertools.product((12, 48, 588, 786432), (0, 1, 2)):
                for limit in (1, 2, 3, 4, 10):
                    ends.add(_check(list(samples), constant, fraction_bits, limit))
    assert ends == {End.FIXED, End.LIMIT}  # two-cycles through 0 were what is FIXED now


def test_two_cycle_gives_the_larger_value() -> None:
    # Found by random search, worked through by hand.
    result = octav([1, 31, 1, 0, 3, 32], 108, fraction_bits=2)
    assert result.steps == (54, 124, 123, 124)
    assert (result.threshold, result.end) == (124, End.CYCLE)


def test_two_cycle_through_zero_gives_the_larger_value() -> None:
    # One 2 is outside 1, but s' = 12 * 2 / (40 + 12) = 0.46 rounds to 0, the value before 1.
    result = octav([1] * 40 + [2], 12, fraction_bits=0)
    assert (result.steps, result.threshold, result.end) == ((1, 0), 1, End.CYCLE)


def test_longer_cycles_run_into_the_limit() -> None:
    # The 3 is outside 2, but s' = 12 * 3 / (61 + 12) = 0.49 rounds to 0, and all starts over.
    samples = [1] * 33 + [2] * 28 + [3]
    result = octav(samples, 12, fraction_bits=0)
    assert result.steps == (1, 2, 0, 1, 2, 0, 1, 2, 0, 1)
    assert (result.threshold, result.end) == (1, End.LIMIT)
    assert octav(samples, 12, fraction_bits=0, max_iterations=9).threshold == 0


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
        ([0.5], {}, TypeError, r"^samples must be integers, not float64: 0\.5$"),
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
