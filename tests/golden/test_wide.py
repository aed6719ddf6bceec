"""Tensors of wider elements against the oracle."""

from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from scalewright.golden.calibration import Clip, Granularity, clipping_threshold
from scalewright.golden.config import DatapathConfig, OperandFormat, WideFormat, compose
from scalewright.golden.mse import mse_optimal
from scalewright.golden.network import calibration
from scalewright.golden.octav import Grid, step_constant
from scalewright.golden.quantize import quantize
from scalewright.golden.wide import Wide, quantize_wide, quantize_wide_statically
from tests.oracles import composition as oracle

_SIGNED = WideFormat(digits=OperandFormat(element_bits=4, scale_bits=4), ratio=15)
_UNSIGNED = WideFormat(digits=OperandFormat(element_bits=4, scale_bits=6, signed=False), ratio=16)
_LARGEST = WideFormat(digits=OperandFormat(element_bits=8, scale_bits=10, signed=False), ratio=256)
_FORMATS = [_SIGNED, _UNSIGNED, _LARGEST]
_EACH = pytest.mark.parametrize("fmt", _FORMATS, ids=str)


def _grid(fmt: WideFormat) -> oracle.Grid:
    return oracle.Grid(fmt.digits.qmax, fmt.signed, fmt.ratio, fmt.unit)


def _check(x: npt.NDArray[np.float32], fmt: WideFormat, threshold: float | None = None) -> Wide:
    """Compare one coarse group (K,) with the oracle."""
    got = quantize_wide(x, fmt, vector_size=4, threshold=threshold)
    limit = None if threshold is None else Fraction(float(np.float32(threshold)))
    want, gamma = oracle.quantize([Fraction(float(v)) for v in x], _grid(fmt), limit)
    assert got.elements.ravel()[: len(x)].tolist() == want
    assert Fraction(float(got.gamma)) == gamma
    return got


@given(
    x=arrays.arrays(
        np.float32, st.integers(1, 12), elements=st.floats(-(2.0**100), 2.0**100, width=32)
    ),
    fmt=st.sampled_from(_FORMATS),
    share=st.none() | st.floats(0.015625, 2, width=32),
)
def test_equals_the_oracle(
    x: npt.NDArray[np.float32], fmt: WideFormat, share: float | None
) -> None:
    _check(x, fmt, None if share is None else float(np.float32(np.abs(x).max() * share)))


@_EACH
def test_equals_the_oracle_on_usual_numbers(fmt: WideFormat) -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        x = rng.standard_normal(30).astype(np.float32)
        assert np.abs(_check(x, fmt).elements).max() == fmt.qmax
        clipped = _check(x, fmt, 0.5)
        assert clipped.elements.max() == fmt.qmax
        assert clipped.elements.min() == fmt.qmin


@_EACH
def test_ends_of_float32(fmt: WideFormat) -> None:
    largest = np.finfo(np.float32).max
    assert _check(np.array([largest, 0, 1], np.float32), fmt).elements.ravel()[0] == fmt.qmax
    # gamma underflows: to 0, or to fewer bits.
    assert not _check(np.array([1e-45, 0], np.float32), fmt).elements.any()
    _check(np.array([1e-42, 3e-43], np.float32), fmt)
    assert not _check(np.zeros(5, np.float32), fmt).elements.any()


def test_negative_numbers_clip_to_0_where_unsigned() -> None:
    got = _check(np.array([-7, 255, 1, -0.25, 2.5, 3.5], np.float32), _UNSIGNED)
    assert got.gamma == 1
    assert got.elements.ravel().tolist() == [0, 255, 1, 0, 2, 4, 0, 0]
    assert not _check(np.array([-7, -1], np.float32), _UNSIGNED).elements.any()


def test_rows_have_gammas_of_their_own() -> None:
    x = np.array([[1, 2, 3, 4, 112], [0, 0, 0, 0, 0], [0, -224, 0, 0, 3]], np.float32)
    got = quantize_wide(x, _SIGNED, vector_size=4, coarse_axis=0)
    assert got.gamma.tolist() == [1, 0, 2]
    assert got.elements.shape == (3, 2, 4)
    assert got.elements.reshape(3, -1)[2].tolist() == [0, -112, 0, 0, 2, 0, 0, 0]
    assert got.length == 5
    np.testing.assert_array_equal(got.dequantize()[:2], x[:2])
    half = quantize_wide(x, _SIGNED, vector_size=4, coarse_axis=0, threshold=[[56], [1], [112]])
    assert half.gamma.tolist() == [0.5, np.float32(1) / np.float32(112), 1]
    assert half.elements[0, 1, 0] == 112
    assert half.elements[2, 0, 1] == -112


@_EACH
def test_static_gammas_of_calibration_clip_nothing(fmt: WideFormat) -> None:
    coarse_scale: Any = calibration.coarse_scale
    rng = np.random.default_rng(0)
    for _ in range(50):
        x = np.abs(rng.standard_normal((3, 10))).astype(np.float32)
        gamma = coarse_scale(float(x.max()), fmt)
        assert gamma * fmt.qmax >= x.max()
        assert np.frexp(gamma)[0] * 128 % 1 == 0
        got = quantize_wide_statically(x, fmt, vector_size=4, gamma=gamma)
        want = np.rint(x / np.float32(gamma))
        np.testing.assert_array_equal(got.elements.reshape(3, -1)[:, :10], want)
        assert got.gamma == np.float32(gamma)
    clipped = quantize_wide_statically([[1e9, -1e9]], fmt, vector_size=4, gamma=1e-30)
    assert clipped.elements.ravel().tolist() == [fmt.qmax, fmt.qmin, 0, 0]


def test_has_less_noise_than_its_digits() -> None:
    x = np.random.default_rng(0).standard_normal((4, 256)).astype(np.float32)
    config = DatapathConfig.parse("4/4/4/6")
    wide, _ = compose(config, weights=config.weights)
    assert wide is not None
    narrow = quantize(x, config.weights, vector_size=16, coarse_axis=0).dequantize()
    wider = quantize_wide(x, wide, vector_size=16, coarse_axis=0).dequantize()
    assert np.square(wider - x).mean() < np.square(narrow - x).mean() / 30


@pytest.mark.parametrize(
    ("fmt", "method"),
    [
        *((fmt, method) for fmt in _FORMATS for method in ("max", "octav", "percentile:99")),
        *((fmt, "mse") for fmt in (_SIGNED, _UNSIGNED)),
    ],
    ids=str,
)
def test_takes_the_thresholds_of_every_method(fmt: WideFormat, method: str) -> None:
    x = np.random.default_rng(0).standard_normal((2, 64)).astype(np.float32)
    threshold = clipping_threshold(
        x, fmt, Clip.parse(method), granularity=Granularity.CHANNEL, vector_size=16
    )
    got = quantize_wide(x, fmt, vector_size=16, coarse_axis=0, threshold=threshold)
    np.testing.assert_array_equal(got.gamma, threshold[:, 0] / np.float32(fmt.qmax))


def test_refuses_thresholds_that_no_method_finds() -> None:
    groups = np.ones((1, 4), np.float32)
    message = r"^mse thresholds are found for elements up to 255, not 65535: take max, octav or "
    with pytest.raises(ValueError, match=message):
        mse_optimal(groups, _LARGEST)
    with pytest.raises(
        ValueError, match=r"^grid must be NARROW for the wide format .*, not PAPER$"
    ):
        step_constant(_SIGNED, Grid.PAPER)
    assert step_constant(_SIGNED) == 12 * 112**2


def _wide(**changes: Any) -> Wide:
    whole: dict[str, Any] = {
        "elements": np.zeros((2, 3, 4), np.int32),
        "gamma": np.ones(2, np.float32),
        "format": _SIGNED,
        "coarse_axis": 0,
    }
    return Wide(**{**whole, **changes})


def _element(value: int) -> dict[str, Any]:
    elements = np.zeros((2, 3, 4), np.int32)
    elements[1, 2, 3] = value
    return {"elements": elements}


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        (_element(113), ValueError, r"^elements must be from -112 to 112, not 113$"),
        (_element(-113), ValueError, r"^elements must be from -112 to 112, not -113$"),
        (
            {**_element(-1), "format": _UNSIGNED},
            ValueError,
            r"^elements must be from 0 to 255, not -1$",
        ),
        (
            {"elements": np.zeros((2, 3, 4), np.int16)},
            TypeError,
            r"^elements must be int32, not int16$",
        ),
        ({"elements": np.zeros((2, 3, 5), np.int32)}, ValueError, r"not \(2, 3, 5\)$"),
        ({"elements": np.zeros((2, 0, 4), np.int32)}, ValueError, r"^elements must not be empty"),
        ({"format": _SIGNED.digits}, TypeError, r"^format must be a WideFormat, not OperandFormat"),
        ({"gamma": np.ones(3, np.float32)}, ValueError, r"^gamma must be \(2,\), not \(3,\)$"),
        ({"gamma": np.ones(2)}, TypeError, r"^gamma must be float32, not float64$"),
        ({"gamma": -np.ones(2, np.float32)}, ValueError, r"^gamma must be .* not -1.0$"),
        ({"length": 8}, ValueError, r"^length must be from 9 to 12, not 8$"),
        ({"coarse_axis": 1}, ValueError, r"^coarse_axis must be below 1, or None, not 1$"),
    ],
)
def test_rejects_what_is_not_on_the_grid(
    changes: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        _wide(**changes)


@pytest.mark.parametrize(
    ("x", "options", "error", "message"),
    [
        ([1, np.nan], {}, ValueError, r"1 of 2 elements are NaN or infinite, the first at \[1\]"),
        ([], {}, ValueError, r"at least one axis and one element: \(0,\)$"),
        (["1"], {}, TypeError, r"^a tensor must have real numbers"),
        ([1.0], {"threshold": -1}, ValueError, r"^threshold must be .* not -1.0$"),
        ([1.0], {"vector_size": 5}, ValueError, r"^vector_size must be one of .* not 5$"),
        ([1.0], {"fmt": _SIGNED.digits}, TypeError, r"^fmt must be a WideFormat, not "),
    ],
)
def test_rejects_tensors_and_parameters(
    x: Any, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    whole: dict[str, Any] = {"fmt": _SIGNED, "vector_size": 4, **options}
    with pytest.raises(error, match=message):
        quantize_wide(x, **whole)


@pytest.mark.parametrize("gamma", [0, -1.0, 1e-60])
def test_rejects_a_static_gamma_that_is_not_positive(gamma: float) -> None:
    with pytest.raises(ValueError, match=rf"^gamma must be positive .* not {gamma}$"):
        quantize_wide_statically([1.0], _SIGNED, vector_size=4, gamma=gamma)
