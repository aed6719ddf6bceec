import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalewright.golden.clipping import max_threshold, octav_threshold, percentile_threshold
from scalewright.golden.config import OperandFormat
from scalewright.golden.mse import mean_squared_error, mse_optimal
from scalewright.golden.octav import End, Grid, octav, step_constant
from scalewright.sim.reports.clipping_speed import DISTRIBUTIONS

_FORMATS = st.builds(OperandFormat, element_bits=st.integers(2, 8), signed=st.booleans())


def _recursion(
    x: list[float], fmt: OperandFormat, grid: Grid, limit: int
) -> tuple[float, int, End]:
    """The recursion on one group as its equations read."""
    constant = step_constant(fmt, grid)
    magnitudes = [m for m in (abs(v) if fmt.signed else max(v, 0.0) for v in x) if m]
    before, s, passes = None, 0.0, 0
    while True:
        outside = [m for m in magnitudes if m > s]
        passes += 1
        if s > 0 and not outside:
            return s, passes, End.FIXED
        divisor = len(magnitudes) - len(outside) + constant * len(outside)
        step = constant * math.fsum(outside) / divisor if divisor else 0.0
        if step == s:
            return step, passes, End.FIXED
        if step == before:
            return max(step, s), passes, End.CYCLE
        if passes == limit:
            return step, passes, End.LIMIT
        before, s = s, step


@given(
    # Integers: sums are exact in any order, so that everything can be compared exactly.
    groups=st.integers(1, 150).flatmap(
        lambda n: st.lists(
            st.lists(st.integers(-500, 500), min_size=n, max_size=n), min_size=1, max_size=3
        )
    ),
    fmt=_FORMATS,
    grid=st.sampled_from(Grid),
    limit=st.integers(1, 12),
)
def test_equals_the_recursion_as_it_reads(
    groups: list[list[int]], fmt: OperandFormat, grid: Grid, limit: int
) -> None:
    got = octav_threshold(np.array(groups, np.float32), fmt, grid=grid, max_iterations=limit)
    for index, group in enumerate(groups):
        want = _recursion([float(x) for x in group], fmt, grid, limit)
        assert (got.thresholds[index], got.iterations[index], got.ends[index]) == want


def test_equals_the_recursion_on_a_group_of_many_segments() -> None:
    rng = np.random.default_rng(0)
    x = np.rint(rng.laplace(size=20_001) * 300).astype(np.float32)
    fmt = OperandFormat(element_bits=4)
    got = octav_threshold(x[None], fmt)
    want = _recursion(x.tolist(), fmt, Grid.NARROW, 1000)
    assert (got.thresholds[0], got.iterations[0], got.ends[0]) == want


def test_agrees_with_the_integer_recursion_within_one_unit() -> None:
    rng = np.random.default_rng(0)
    compared = 0
    for number in range(400):
        bits, fraction_bits, size = 2 + number % 7, number % 9, int(rng.integers(1, 300))
        samples = np.rint(rng.standard_t(4, size) * 400).astype(np.int64)
        fmt = OperandFormat(element_bits=bits)
        exact = octav(samples, step_constant(fmt), fraction_bits=fraction_bits, max_iterations=1000)
        real = octav_threshold(samples[None].astype(np.float32), fmt)
        if exact.end == End.FIXED == real.ends[0]:
            assert abs(real.thresholds[0] * 2**fraction_bits - exact.threshold) <= 1
            compared += 1
    assert compared > 250


@pytest.mark.parametrize("name", DISTRIBUTIONS)
@pytest.mark.parametrize(("bits", "bound"), [(3, 1.01), (4, 1.001), (6, 1.01)])
def test_narrow_grid_is_as_good_as_the_exact_optimum(name: str, bits: int, bound: float) -> None:
    x = DISTRIBUTIONS[name](np.random.default_rng(0), 200_000).astype(np.float32)[None]
    fmt = OperandFormat(element_bits=bits)
    octav_error = mean_squared_error(x, fmt, octav_threshold(x, fmt).thresholds)[0]
    assert octav_error <= bound * mean_squared_error(x, fmt, mse_optimal(x, fmt))[0]


def test_zeros_do_not_count() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((3, 100)).astype(np.float32)
    padded = np.concatenate([x, np.zeros((3, 900), np.float32)], axis=1)
    fmt = OperandFormat(element_bits=4)
    np.testing.assert_array_equal(
        octav_threshold(x, fmt).iterations, octav_threshold(padded, fmt).iterations
    )
    np.testing.assert_allclose(  # floats: summed in another order
        octav_threshold(x, fmt).thresholds, octav_threshold(padded, fmt).thresholds, rtol=1e-13
    )


def test_all_zero_group_ends_fixed_after_one_pass() -> None:
    got = octav_threshold(np.zeros((2, 5), np.float32), OperandFormat(element_bits=4))
    assert got.thresholds.tolist() == [0, 0]
    assert got.iterations.tolist() == [1, 1]
    assert got.ends.tolist() == [End.FIXED, End.FIXED]


@pytest.mark.parametrize("limit", [2, 3, None])
def test_group_of_equal_magnitudes_ends_fixed_at_it_after_two_passes(limit: int | None) -> None:
    # Nothing is outside their mean. In floats no other group has a pass that finds nothing.
    groups = np.array([[-7, 7, 0, 7, 7], [0, 0, 0, 1, 0], [2.5] * 5, [0] * 5], np.float32)
    got = octav_threshold(groups, OperandFormat(element_bits=4), max_iterations=limit)
    assert got.thresholds.tolist() == [7, 1, 2.5, 0]
    assert got.iterations.tolist() == [2, 2, 2, 1]
    assert got.ends.tolist() == [End.FIXED] * 4


def test_unsigned_formats_see_the_positive_part() -> None:
    x = np.array([[-9.0, 1, 2, 3]], np.float32)
    fmt = OperandFormat(element_bits=4, signed=False)
    assert max_threshold(x, fmt).tolist() == [3]
    assert percentile_threshold(x, fmt, 50).tolist() == [1.5]
    positive = octav_threshold(np.maximum(x, 0), fmt).thresholds
    assert octav_threshold(x, fmt).thresholds.tolist() == positive.tolist()


@pytest.mark.parametrize("percent", [0, -1, 100.5])
def test_rejects_percentiles_out_of_range(percent: float) -> None:
    with pytest.raises(ValueError, match=r"^percentile must be above 0 and at most 100, not "):
        percentile_threshold(np.ones((1, 2), np.float32), OperandFormat(element_bits=4), percent)


def test_rejects_a_limit_below_one() -> None:
    with pytest.raises(ValueError, match=r"^max_iterations must be at least 1, not 0$"):
        octav_threshold(
            np.ones((1, 2), np.float32), OperandFormat(element_bits=4), max_iterations=0
        )
