import itertools
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scalewright.golden import mse, mse_search
from scalewright.golden.config import OperandFormat
from scalewright.golden.mse import mean_squared_error, mse_optimal, mse_sweep
from scalewright.golden.quantize import quantize

_FORMATS = st.builds(OperandFormat, element_bits=st.integers(2, 4), signed=st.booleans())


def _error(x: list[Fraction], step: Fraction, fmt: OperandFormat) -> Fraction:
    """Sum of squared errors of a grid, in fractions."""
    total = Fraction(0)
    for value in x:
        level = max(fmt.qmin, min(fmt.qmax, round(value / step))) if step else 0
        total += (value - level * step) ** 2
    return total


def _least_error(x: list[Fraction], fmt: OperandFormat) -> Fraction:
    """The least error over all steps: each assignment of levels between two breakpoints in turn."""
    magnitudes = [abs(v) if fmt.signed else max(v, Fraction(0)) for v in x]
    fixed = sum(v**2 for v in x if not fmt.signed and v < 0)
    breakpoints = sorted(
        {m / (k + Fraction(1, 2)) for m in magnitudes for k in range(fmt.qmax) if m}
    )
    edges = [Fraction(0), *breakpoints]
    least = sum((v**2 for v in x), Fraction(0))
    for low, high in itertools.zip_longest(edges, edges[1:]):
        inside = (low + high) / 2 if high is not None else low + 1
        levels = [min(fmt.qmax, round(m / inside)) for m in magnitudes]
        squares = sum(level**2 for level in levels)
        if squares == 0:
            continue
        best = sum((m * q for m, q in zip(magnitudes, levels, strict=True)), Fraction(0)) / squares
        best = max(low, best if high is None else min(high, best))
        error = sum(
            ((m - q * best) ** 2 for m, q in zip(magnitudes, levels, strict=True)), Fraction(0)
        )
        least = min(least, error + fixed)
    return least


@given(x=st.lists(st.integers(-40, 40), min_size=1, max_size=9), fmt=_FORMATS)
@settings(max_examples=300)
def test_optimum_is_the_exact_least_error(x: list[int], fmt: OperandFormat) -> None:
    groups = np.array([x], np.float32)
    threshold = mse_optimal(groups, fmt)
    error = mean_squared_error(groups, fmt, threshold)[0] * len(x)
    least = float(_least_error([Fraction(v) for v in x], fmt))
    assert error <= least * (1 + 1e-9) + 1e-9
    assert error >= least * (1 - 1e-9) - 1e-9


@given(
    x=st.lists(st.integers(-40, 40), min_size=1, max_size=9),
    fmt=_FORMATS,
    threshold=st.integers(1, 160),
)
def test_error_is_that_of_the_grid(x: list[int], fmt: OperandFormat, threshold: int) -> None:
    step = Fraction(threshold, 4 * fmt.qmax)
    want = _error([Fraction(v) for v in x], step, fmt) / len(x)
    groups = np.array([x], np.float32)
    got = mean_squared_error(groups, fmt, [threshold / 4])[0]
    # At exact ties both levels are as far away: the error is the same.
    assert got == pytest.approx(float(want), rel=1e-12, abs=1e-12)  # floats: sums of squares


@pytest.mark.parametrize("signed", [True, False])
def test_error_is_that_of_the_quantizer(signed: bool) -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((5, 64)).astype(np.float32)
    fmt = OperandFormat(element_bits=4, signed=signed)
    thresholds = np.linspace(0.7, 3, 5).astype(np.float32)
    quantized = quantize(x, fmt, vector_size=16, coarse_axis=0, threshold=thresholds[:, None])
    want = np.mean((x.astype(np.float64) - quantized.dequantize()) ** 2, axis=1)
    got = mean_squared_error(x, fmt, thresholds)
    np.testing.assert_allclose(got, want, rtol=1e-5)  # floats: the quantizer's scales are float32


@pytest.mark.parametrize("bits", [2, 3, 4, 5])
@pytest.mark.parametrize("signed", [True, False])
def test_no_threshold_of_a_fine_sweep_is_better(bits: int, signed: bool) -> None:
    rng = np.random.default_rng(bits)
    x = rng.standard_t(3, (20, 50)).astype(np.float32)
    fmt = OperandFormat(element_bits=bits, signed=signed)
    optimal = mean_squared_error(x, fmt, mse_optimal(x, fmt))
    swept = mean_squared_error(x, fmt, mse_sweep(x, fmt, points=1000))
    assert (optimal <= swept * (1 + 1e-12)).all()


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("shape", ["normal", "student", "outlier", "few values", "one", "equal"])
def test_search_finds_what_the_list_of_all_breakpoints_gives(
    bits: int, signed: bool, shape: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(bits)
    x = rng.standard_normal((4, 5000))
    if shape == "student":
        x = rng.standard_t(2, x.shape)
    elif shape == "outlier":
        x[:, 0] = 1e30
    elif shape == "few values":
        x = np.rint(2 * x)
    elif shape == "one":
        x[:, 1:] = 0
        x[0, 0] = -1
    elif shape == "equal":
        x = np.full(x.shape, 3.7)
    groups = x.astype(np.float32)
    fmt = OperandFormat(element_bits=bits, signed=signed)
    monkeypatch.setattr(mse, "_LISTED_BREAKPOINTS", groups.size * fmt.qmax)
    listed = mse_optimal(groups, fmt)
    monkeypatch.setattr(mse, "_LISTED_BREAKPOINTS", 0)
    # floats: A / B from sums in another order
    np.testing.assert_allclose(mse_optimal(groups, fmt), listed, rtol=1e-9)


@given(x=st.lists(st.integers(-40, 40), min_size=1, max_size=9), fmt=_FORMATS)
def test_search_gives_the_exact_least_error(x: list[int], fmt: OperandFormat) -> None:
    groups = np.array([x], np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mse, "_LISTED_BREAKPOINTS", 0)
        patch.setattr(mse_search, "_LEAF_BREAKPOINTS", 2)  # so that it divides
        threshold = mse_optimal(groups, fmt)
    error = mean_squared_error(groups, fmt, threshold)[0] * len(x)
    least = float(_least_error([Fraction(v) for v in x], fmt))
    assert error == pytest.approx(least, rel=1e-9, abs=1e-9)  # floats: squares cancel


@pytest.mark.parametrize("bits", range(2, 9))
def test_of_equal_minima_the_smallest_threshold_is_given(bits: int) -> None:
    # A single sample is exact at max / k for every k.
    x = np.random.default_rng(bits).standard_normal((200, 1)).astype(np.float32)
    vectors = np.concatenate([x, np.zeros((200, 15), np.float32)], axis=1)
    threshold = mse_optimal(vectors, OperandFormat(element_bits=bits))
    # floats: a quotient of sums, not the sample itself
    np.testing.assert_allclose(threshold, np.abs(x[:, 0]), rtol=1e-12)


def test_groups_do_not_see_each_other() -> None:
    rng = np.random.default_rng(1)
    x = rng.laplace(size=(300, 33)).astype(np.float32)
    fmt = OperandFormat(element_bits=4)
    for method in (mse_optimal, mse_sweep):
        whole: npt.NDArray[Any] = method(x, fmt)
        alone = np.concatenate([method(row[None], fmt) for row in x[::50]])
        np.testing.assert_array_equal(whole[::50], alone)


def test_all_zero_group_has_threshold_zero_and_no_error() -> None:
    fmt = OperandFormat(element_bits=4)
    x = np.zeros((2, 8), np.float32)
    assert mse_optimal(x, fmt).tolist() == [0, 0]
    assert mean_squared_error(x, fmt, [0, 1]).tolist() == [0, 0]
    assert mean_squared_error(x + 2, fmt, [0, 2]).tolist() == [4, 0]
