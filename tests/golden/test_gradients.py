"""The derivatives against their formulas, one number at a time, and against finite differences."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalewright.golden.gradients import Estimator, derivative, mad, pwl, ste

_RESOLVED = [Estimator.STE, Estimator.PWL, Estimator.MAD]
_SIDES = pytest.mark.parametrize("signed", [True, False])
_TYPES = pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])


def _expected(estimator: Estimator, x: float, s: float, signed: bool) -> float:
    """The formulas of the module's docstring, on Python's floats."""
    if estimator is Estimator.STE:
        return 1.0
    if not signed and x < 0:  # an attenuation by 0
        return 0.0
    if abs(x) <= s:
        return 1.0
    return 0.0 if estimator is Estimator.PWL else s / abs(x)


def _compare(
    estimator: Estimator, x: npt.NDArray[Any], s: npt.NDArray[Any] | float, signed: bool
) -> None:
    got = derivative(estimator, x, s, signed=signed)
    limits = np.broadcast_to(s, x.shape)
    want = [
        _expected(estimator, float(value), float(limit), signed)
        for value, limit in zip(x.flat, limits.flat, strict=True)
    ]
    assert got.dtype == x.dtype
    # Dividing in float64 and then rounding is dividing in x's type: 53 bits are twice 24, and more.
    np.testing.assert_array_equal(got, np.array(want, x.dtype).reshape(x.shape), strict=True)


@_SIDES
@_TYPES
@pytest.mark.parametrize("estimator", _RESOLVED)
def test_equals_the_formula(estimator: Estimator, dtype: type, signed: bool) -> None:
    rng = np.random.default_rng(0)
    for threshold in (0.0, 0.25, 1.0, 3.0):
        x: npt.NDArray[Any] = rng.standard_normal((20, 17)).astype(dtype)
        x[0, :5] = [0.0, -0.0, threshold, -threshold, np.nextafter(dtype(threshold), dtype(9))]
        _compare(estimator, x, np.asarray(threshold, dtype), signed)


@_SIDES
@pytest.mark.parametrize("estimator", _RESOLVED)
@given(
    x=st.lists(st.floats(width=32, allow_nan=False), min_size=1, max_size=20),
    s=st.floats(0, width=32, allow_nan=False),
)
def test_equals_the_formula_on_any_floats(
    estimator: Estimator, signed: bool, x: list[float], s: float
) -> None:
    _compare(estimator, np.array(x, np.float32), np.asarray(s, np.float32), signed)


@_SIDES
@pytest.mark.parametrize("estimator", _RESOLVED)
@pytest.mark.parametrize("shape", [(), (1,), (6, 1), (1, 5), (6, 5)])
def test_threshold_broadcasts(estimator: Estimator, shape: tuple[int, ...], signed: bool) -> None:
    rng = np.random.default_rng(1)
    x = rng.standard_normal((6, 5)).astype(np.float32)
    _compare(estimator, x, rng.random(shape).astype(np.float32), signed)


@pytest.mark.parametrize("function", [pwl, mad])
def test_ends_of_the_range_are_inside(function: Any) -> None:
    assert function(np.array([-2.0, 2.0]), 2.0).tolist() == [1, 1]
    assert function(np.array([-2.0, 2.0]), 2.0, signed=False).tolist() == [0, 1]


@_SIDES
def test_just_beyond_the_range_pwl_drops_and_mad_does_not(signed: bool) -> None:
    x = np.nextafter(np.array([2.0]), 3)
    assert pwl(x, 2.0, signed=signed).tolist() == [0]
    assert mad(x, 2.0, signed=signed)[0] == 2.0 / x[0] == 1 - 2**-52


@_SIDES
@pytest.mark.parametrize("function", [pwl, mad])
@pytest.mark.parametrize("zero", [0.0, -0.0])
def test_both_zeros_are_inside_even_of_an_empty_range(
    function: Any, zero: float, signed: bool
) -> None:
    assert function(np.array([zero]), 0.0, signed=signed).tolist() == [1]
    assert function(np.array([5e-324, -5e-324]), 0.0, signed=signed).tolist() == [0, 0]


def test_mad_of_infinity_is_zero() -> None:
    assert mad(np.array([np.inf, -np.inf]), 1.0).tolist() == [0, 0]


@pytest.mark.parametrize("signed", [True, False])
def test_infinite_threshold_clips_nothing_that_has_the_right_sign(signed: bool) -> None:
    x = np.array([-1e300, -1.0, 0.0, 1e300])
    want = [1, 1, 1, 1] if signed else [0, 0, 1, 1]
    assert pwl(x, np.inf, signed=signed).tolist() == want
    assert mad(x, np.inf, signed=signed).tolist() == want


@_SIDES
def test_pwl_is_the_derivative_of_clipping(signed: bool) -> None:
    s, step = 0.75, 2.0**-20
    x: npt.NDArray[Any] = np.linspace(-2, 2, 1000)
    x = x[(abs(abs(x) - s) > step) & (abs(x) > step)]  # where clipping has a derivative
    lowest = -s if signed else 0.0
    difference = (np.clip(x + step, lowest, s) - np.clip(x - step, lowest, s)) / (2 * step)
    np.testing.assert_allclose(pwl(x, s, signed=signed), difference, atol=1e-9)  # floats


@_SIDES
def test_mad_is_the_derivative_of_an_attenuation_held_constant(signed: bool) -> None:
    s, step = 0.75, 2.0**-20
    for centre in np.linspace(-2, 2, 101):
        held = s / max(abs(centre), s) if signed or centre >= 0 else 0.0
        difference = ((centre + step) * held - (centre - step) * held) / (2 * step)
        assert mad(centre, s, signed=signed) == pytest.approx(difference, abs=1e-9)  # floats
        clipped = min(max(centre, -s if signed else 0.0), s)
        assert centre * held == pytest.approx(clipped)  # it is the same function at its centre


def test_mad_of_clipped_weights_is_between_pwl_and_ste() -> None:
    x: npt.NDArray[Any] = np.linspace(-3, 3, 61)
    clipped = abs(x) > 1
    assert (pwl(x, 1.0)[clipped] < mad(x, 1.0)[clipped]).all()
    assert (mad(x, 1.0)[clipped] < ste(x)[clipped]).all()
    np.testing.assert_array_equal(mad(x, 1.0)[~clipped], ste(x)[~clipped])


@_TYPES
def test_type_of_x_is_kept_whatever_that_of_the_threshold(dtype: type) -> None:
    x: npt.NDArray[Any] = np.array([0.5, 3.0], dtype)
    for s in (1, 1.0, np.float32(1), np.float64(1), np.ones(2), np.ones(2, np.float16)):
        assert [derivative(each, x, s).dtype for each in _RESOLVED] == [dtype] * 3


def test_input_stays_as_it_was() -> None:
    x, s = np.array([0.5, -3.0]), np.array([1.0, 2.0])
    for estimator in _RESOLVED:
        derivative(estimator, x, s, signed=False)
    assert (x.tolist(), s.tolist()) == ([0.5, -3.0], [1.0, 2.0])


def test_hybrid_is_mad_for_weights_and_pwl_for_activations() -> None:
    assert Estimator.HYBRID.of_weights is Estimator.MAD
    assert Estimator.HYBRID.of_activations is Estimator.PWL
    for estimator in _RESOLVED:
        assert estimator.of_weights is estimator.of_activations is estimator


def test_hybrid_itself_is_no_derivative() -> None:
    with pytest.raises(ValueError, match=r"^estimator must be that of weights or of activations"):
        derivative(Estimator.HYBRID, np.ones(1), 1.0)


@pytest.mark.parametrize("estimator", _RESOLVED)
@pytest.mark.parametrize("x", [1, [1, 2], True, np.arange(3, dtype=np.uint8)])
def test_rejects_integers(estimator: Estimator, x: Any) -> None:
    dtype = np.asarray(x).dtype
    with pytest.raises(TypeError, match=rf"^x must be floating-point numbers, not dtype {dtype}$"):
        derivative(estimator, x, 1.0)


@pytest.mark.parametrize("function", [pwl, mad])
@pytest.mark.parametrize(
    ("threshold", "worst"), [(-1.0, "-1.0"), ([0.5, -0.25, -2.0], "-2.0"), (math.nan, "nan")]
)
def test_rejects_negative_thresholds(function: Any, threshold: Any, worst: str) -> None:
    with pytest.raises(ValueError, match=rf"^threshold must not be negative, not {worst}$"):
        function(np.ones(3), threshold)
