"""The golden model's border: no value is converted in silence."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from scalewright.golden.calibration import (
    Calibrator,
    Clip,
    Granularity,
    clipping_threshold,
    quantize_clipped,
    split_groups,
)
from scalewright.golden.clipping import max_threshold, octav_threshold, percentile_threshold
from scalewright.golden.config import DatapathConfig, OperandFormat, Output
from scalewright.golden.gradients import derivative, mad, pwl
from scalewright.golden.layer import Layer, run_layer
from scalewright.golden.mac import matmul, round_scale_product, trace_stream
from scalewright.golden.mse import mean_squared_error, mse_optimal, mse_sweep
from scalewright.golden.octav import octav, step_constant
from scalewright.golden.quantize import quantize
from scalewright.golden.quantized import Quantized
from scalewright.golden.requantize import quantize_statically, requantize
from scalewright.golden.rescale import Rescaling, multiplier, rescale, round_half_even_shift

_FMT = OperandFormat(element_bits=4, scale_bits=4)
_CONFIG = DatapathConfig.parse("4/4/4/4", vector_size=4, scale_product_bits=4)
_X = np.ones((2, 8), np.float32)
_GROUPS = np.ones((2, 8), np.float32)
_NAN = np.full((2, 8), np.nan, np.float32)
_MAX = OperandFormat(element_bits=4)


def _call(function: Callable[..., Any], *values: Any, **options: Any) -> Any:
    """Call without what mypy would refuse as well."""
    return function(*values, **options)


def _rescaling(**changes: Any) -> Rescaling:
    whole: dict[str, Any] = {"mantissas": [1 << 15], "exponents": [15], "biases": [0]}
    return Rescaling(**{**{name: np.array(v) for name, v in whole.items()}, **changes})


def _quantized(**changes: Any) -> Quantized:
    whole: dict[str, Any] = {
        "elements": np.ones((2, 2, 4), np.int8),
        "scales": np.ones((2, 2), np.uint16),
        "gamma": np.ones(2, np.float32),
        "format": _FMT,
        "coarse_axis": 0,
    }
    return Quantized(**{**whole, **changes})


def _stream(**changes: Any) -> Any:
    whole: dict[str, Any] = {
        "weights": np.ones((2, 4), np.int8),
        "activations": np.ones((2, 4), np.int8),
        "weight_scale": [1, 1],
        "activation_scale": [1, 1],
        "first": [1, 0],
        "last": [0, 1],
        "config": _CONFIG,
    }
    return trace_stream(**{**whole, **changes})


def _layer(**changes: Any) -> Layer:
    rescaling = Rescaling(
        mantissas=np.array([1 << 15] * 2), exponents=np.array([15] * 2), biases=np.zeros(2, int)
    )
    whole: dict[str, Any] = {"weights": _quantized(), "rescaling": rescaling}
    return Layer(**{**whole, "output": Output.RESCALED, **changes})


def _float32(value: float) -> Any:
    return np.array([value, 1], np.float32)


_CASES: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (
        lambda: _call(rescale, [1.9], _rescaling()),
        TypeError,
        "accumulators must be integers, not float64: 1.9",
    ),
    (
        lambda: _call(rescale, np.array([2**64 - 1], np.uint64), _rescaling()),
        ValueError,
        "not 18446744073709551615",
    ),
    (lambda: _call(rescale, [2**70], _rescaling()), ValueError, f"not {2**70}"),
    (lambda: _call(rescale, [True], _rescaling()), TypeError, "not bool: True"),
    (lambda: _call(rescale, [1], (1, 2)), TypeError, "rescaling must be a Rescaling, not (1, 2)"),
    (
        lambda: _rescaling(mantissas=np.array([32768.5])),
        TypeError,
        "mantissas must be integers, not float64: 32768.5",
    ),
    (lambda: _rescaling(biases=np.array([[0]])), ValueError, "biases must be (1,), not (1, 1)"),
    (lambda: _rescaling(result_bits=18.0), TypeError, "result_bits must be from 8 to 32, not 18.0"),
    (
        lambda: _rescaling(activation_function=1),
        TypeError,
        "activation_function must be an ActivationFunction, not 1",
    ),
    (lambda: _call(multiplier, [True]), TypeError, "scale must be real numbers, not dtype bool"),
    (
        lambda: _call(multiplier, [np.nan]),
        ValueError,
        "scale must be finite and not negative, not nan",
    ),
    (
        lambda: _call(round_half_even_shift, np.array([1.5]), 1),
        TypeError,
        "values must be integers, not float64: 1.5",
    ),
    (
        lambda: _call(round_half_even_shift, [1], 64),
        ValueError,
        "shifts must be from 0 to 63, not 64",
    ),
    (
        lambda: _call(round_half_even_shift, [1], -1),
        ValueError,
        "shifts must be from 0 to 63, not -1",
    ),
    (
        lambda: _call(requantize, [[True]], _FMT, vector_size=4, fraction_bits=0),
        TypeError,
        "y must be integers, not bool",
    ),
    (
        lambda: _call(requantize, [[1]], _FMT, vector_size=4.0, fraction_bits=0),
        TypeError,
        "vector_size must be one of",
    ),
    (
        lambda: _call(requantize, [[1]], _FMT, vector_size=4, fraction_bits=True),
        TypeError,
        "fraction_bits must be from 0 to 23, not True",
    ),
    (
        lambda: _call(requantize, [[1]], _FMT, vector_size=4, fraction_bits=0, gamma=np.nan),
        ValueError,
        "gamma must be finite, not nan",
    ),
    (
        lambda: _call(requantize, [[1]], _FMT, vector_size=4, fraction_bits=0, gamma=-1.0),
        ValueError,
        "gamma must be finite and not negative, not -1.0",
    ),
    (
        lambda: _call(quantize_statically, _X, _FMT, vector_size=5, gamma=1.0),
        ValueError,
        "vector_size must be one of (4, 8, 16, 32, 64), not 5",
    ),
    (
        lambda: _call(quantize_statically, _X, _FMT, vector_size=4, gamma=1e-60),
        ValueError,
        "gamma must be positive and finite in float32, not 1e-60",
    ),
    (
        lambda: _call(quantize_statically, _X, _FMT, vector_size=4, gamma="1"),
        TypeError,
        "gamma must be a real number, not '1'",
    ),
    (
        lambda: _call(quantize, _X, _FMT, vector_size=4, scaling="ceil"),
        TypeError,
        "scaling must be a Scaling, not 'ceil'",
    ),
    (
        lambda: _call(quantize, _X, "4/4", vector_size=4),
        TypeError,
        "fmt must be an OperandFormat, not '4/4'",
    ),
    (
        lambda: _call(quantize, _X, _FMT, vector_size=4, coarse_axis=False),
        TypeError,
        "before the last, not False",
    ),
    (
        lambda: _call(quantize, _X, _FMT, vector_size=4, coarse_axis=0.0),
        TypeError,
        "before the last, not 0.0",
    ),
    (
        lambda: _call(quantize, _X > 0, _FMT, vector_size=4),
        TypeError,
        "real numbers, not dtype bool",
    ),
    (
        lambda: _call(quantize, _X, _FMT, vector_size=4, threshold=1e300),
        ValueError,
        "threshold must be finite and not negative, not inf",
    ),
    (
        lambda: _quantized(gamma=_float32(np.nan)),
        ValueError,
        "gamma must be finite and not negative, not nan",
    ),
    (
        lambda: _quantized(gamma=_float32(-2)),
        ValueError,
        "gamma must be finite and not negative, not -2.0",
    ),
    (lambda: _quantized(gamma=np.ones(3, np.float32)), ValueError, "gamma must be (2,), not (3,)"),
    (lambda: _quantized(coarse_axis=None), ValueError, "gamma must be (), not (2,)"),
    (lambda: _quantized(coarse_axis=1), ValueError, "coarse_axis must be below 1, or None, not 1"),
    (lambda: _quantized(length=8.0), TypeError, "length must be from 5 to 8, not 8.0"),
    (lambda: _quantized(format="4/4"), TypeError, "format must be an OperandFormat, not '4/4'"),
    (lambda: _quantized(elements=[[1]]), TypeError, "elements must be a ndarray, not [[1]]"),
    (
        lambda: _call(round_scale_product, [1.5], _CONFIG),
        TypeError,
        "product must be integers, not float64: 1.5",
    ),
    (
        lambda: _call(round_scale_product, [256], _CONFIG),
        ValueError,
        "product must be from 0 to 255, not 256",
    ),
    (
        lambda: _stream(weights=np.full((2, 4), 0.5)),
        TypeError,
        "weights must be integers, not float64: 0.5",
    ),
    (
        lambda: _stream(weights=np.full((2, 4), 8)),
        ValueError,
        "weights must be from -8 to 7, not 8",
    ),
    (lambda: _stream(activations=np.full((2, 4), 2**63, np.uint64)), ValueError, f"not {2**63}"),
    (
        lambda: _stream(weight_scale=[16, 1]),
        ValueError,
        "weight_scale must be from 0 to 15, not 16",
    ),
    (lambda: _stream(weight_scale=[1]), ValueError, "weight_scale must be (2,), not (1,)"),
    (
        lambda: _stream(activation_scale=None),
        ValueError,
        "activation_scale must be given exactly where",
    ),
    (lambda: _stream(first=[2, 0]), ValueError, "first must be from 0 to 1, not 2"),
    (lambda: _stream(last=[0.0, 1.0]), TypeError, "last must be integers, not float64: 0.0"),
    (lambda: _stream(last=[0]), ValueError, "first and last must be (T,), not (2,) and (1,)"),
    (
        lambda: _call(matmul, _X, _quantized(), _CONFIG),
        TypeError,
        "weights must be a Quantized, not",
    ),
    (lambda: _layer(fraction_bits=24), ValueError, "fraction_bits must be from 0 to 23, not 24"),
    (lambda: _layer(gamma=np.inf), ValueError, "gamma must be finite, not inf"),
    (lambda: _layer(output="rescaled"), TypeError, "output must be an Output, not 'rescaled'"),
    (
        lambda: _call(run_layer, _layer(), _quantized(), _CONFIG),
        TypeError,
        "config must be an EngineConfig, not",
    ),
    (
        lambda: _call(derivative, "mad", _X, 1.0),
        TypeError,
        "estimator must be an Estimator, not 'mad'",
    ),
    (lambda: _call(mad, _X, True), TypeError, "threshold must be real numbers, not dtype bool"),
    (lambda: _call(pwl, _X, 1.0, signed=1), TypeError, "signed must be True or False, not 1"),
    (
        lambda: _call(octav, [1, 2], 12.5, fraction_bits=0),
        TypeError,
        "constant must be an integer, not 12.5",
    ),
    (
        lambda: _call(octav, [1, 2], 12, fraction_bits=True),
        TypeError,
        "fraction_bits must be an integer, not True",
    ),
    (
        lambda: _call(octav, [True, False], 12, fraction_bits=0),
        TypeError,
        "samples must be integers, not bool: True",
    ),
    (lambda: _call(step_constant, _FMT, "paper"), TypeError, "grid must be a Grid, not 'paper'"),
    (
        lambda: _call(max_threshold, _NAN, _MAX),
        ValueError,
        "groups must be finite, but group 0 has nan",
    ),
    (
        lambda: _call(max_threshold, _GROUPS.astype(np.float64), _MAX),
        TypeError,
        "groups must be float32, not float64",
    ),
    (
        lambda: _call(max_threshold, _GROUPS[0], _MAX),
        ValueError,
        "groups must be (G, n), neither of them 0, not (8,)",
    ),
    (
        lambda: _call(octav_threshold, _GROUPS[:0], _MAX),
        ValueError,
        "neither of them 0, not (0, 8)",
    ),
    (
        lambda: _call(octav_threshold, _GROUPS, _MAX, max_iterations=1.5),
        TypeError,
        "max_iterations must be an integer, not 1.5",
    ),
    (
        lambda: _call(percentile_threshold, _GROUPS, _MAX, np.nan),
        ValueError,
        "percent must be finite, not nan",
    ),
    (
        lambda: _call(mean_squared_error, _GROUPS, _MAX, [-1.0, 1.0]),
        ValueError,
        "thresholds must be finite and not negative, not -1.0",
    ),
    (
        lambda: _call(mean_squared_error, _GROUPS, _MAX, np.ones(3)),
        ValueError,
        "thresholds must be (2,), not (3,)",
    ),
    (
        lambda: _call(mse_sweep, _GROUPS, _MAX, points=0),
        ValueError,
        "points must be at least 1, not 0",
    ),
    (lambda: _call(mse_optimal, _NAN, _MAX), ValueError, "groups must be finite"),
    (
        lambda: _call(split_groups, _X, "tensor", 4),
        TypeError,
        "granularity must be a Granularity, not 'tensor'",
    ),
    (lambda: _call(split_groups, _X, Granularity.VECTOR, 3), ValueError, "not 3"),
    (
        lambda: _call(quantize_clipped, _X, _FMT, "max", vector_size=4),
        TypeError,
        "clip must be a Clip, not 'max'",
    ),
    (
        lambda: _call(quantize_clipped, _X, _FMT, Clip("max"), vector_size=4, coarse_axis=False),
        ValueError,
        "not False",
    ),
    (
        lambda: _call(
            clipping_threshold, _X, _FMT, None, granularity=Granularity.TENSOR, vector_size=4
        ),
        TypeError,
        "clip must be a Clip, not None",
    ),
    (
        lambda: _call(Clip, "percentile", True),
        TypeError,
        "percentile must be a real number, not True",
    ),
    (lambda: _call(Calibrator, _FMT, Clip("max"), vector_size=7), ValueError, "not 7"),
]


@pytest.mark.parametrize(("call", "error", "message"), _CASES)
def test_refuses_with_the_value(
    call: Callable[[], Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=re.escape(message)):
        call()


def test_takes_integers_of_numpy_and_lists() -> None:
    y, _ = rescale([np.int8(3)], _rescaling(mantissas=np.array([1 << 15], np.uint64)))
    assert y.dtype == np.int64
    assert y.tolist() == [3]
    quantized = _call(quantize, _X, _FMT, vector_size=np.int64(4), coarse_axis=np.int8(-2))
    assert quantized.coarse_axis == 0
    assert _call(octav, [np.int64(1)], np.int64(12), fraction_bits=0).threshold == 1
    result, _ = _stream(first=np.array([True, False]), last=np.array([False, True]))
    assert result.accumulators.tolist() == [0]
