"""Layers against the equations of golden/layer.py in Python's integers and fractions."""

import math
from collections import Counter
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from scalewright.golden.config import (
    ActivationFunction,
    DatapathConfig,
    EngineConfig,
    OperandFormat,
    Output,
)
from scalewright.golden.layer import Layer, LayerResult, run_layer
from scalewright.golden.quantized import Quantized
from scalewright.golden.rescale import Rescaling
from tests.oracles import arithmetic as oracle

_IDENTITY = ActivationFunction.IDENTITY
_LAYERS = 30  # of each kind; every one of them computes on 1 to 4 rows


def _config(notation: str, size: int = 4, result_bits: int = 18, **datapath: Any) -> EngineConfig:
    parsed = DatapathConfig.parse(notation, vector_size=size, **datapath)
    return EngineConfig(datapath=parsed, result_bits=result_bits)


_CONFIGS = [
    _config("8/8U/-/-"),
    _config("4/4U/4/6", 8),
    _config("4/4/4/6", result_bits=12),
    _config("3/5/-/8", 16, result_bits=32, accumulator_bits=32),
    _config("6/4/7/-", result_bits=9, accumulator_bits=16),
    _config("8/8U/10/10", accumulator_bits=48),
    _config("4/4/8/8", 8, scale_product_bits=8, accumulator_bits=17),
    _config("4/4X/4/6", 8),
    _config("5/8X/-/-", result_bits=16),
    _config("2/2X/2/2", 4, result_bits=8, accumulator_bits=16),
    _config("2/2/2/2", 4, result_bits=8, accumulator_bits=16, scale_product_bits=1),
]


def _operand(fmt: OperandFormat, rows: int, vectors: int, size: int, rng: Any) -> Quantized:
    """Any bit patterns; some rows are extreme, and some zero."""
    elements = rng.integers(fmt.element_min, fmt.qmax, (rows, vectors, size), endpoint=True)
    scales = rng.integers(0, fmt.scale_max, (rows, vectors), endpoint=True)
    kind = rng.random(rows)
    elements[kind < 0.15] = fmt.qmax
    elements[kind > 0.9] = 0
    scales[kind < 0.15] = fmt.scale_max
    return Quantized(
        elements=elements.astype(np.int8 if fmt.signed else np.uint8),
        scales=None if fmt.scale_bits is None else scales.astype(np.uint16),
        gamma=np.ones(rows, np.float32),
        format=fmt,
        coarse_axis=0,
    )


def _layer(output: Output, config: EngineConfig, rng: Any) -> tuple[Layer, Quantized]:
    """A layer whose results are often as large as they may be, and activations for it."""
    datapath = config.datapath
    channels, vectors = int(rng.integers(1, 11)), int(rng.integers(1, 5))
    weights = _operand(datapath.weights, channels, vectors, datapath.vector_size, rng)
    fmt = rng.choice(datapath.activation_formats)
    rows = _operand(fmt, int(rng.integers(1, 5)), vectors, weights.vector_size, rng)
    bits = min(datapath.exact_accumulator_bits(vectors), datapath.accumulator_bits)
    exponents = 15 + bits - config.result_bits + rng.integers(-6, 2, channels)
    mantissas = np.where(
        rng.random(channels) < 0.3,
        rng.choice([0, 1 << 15, 3 << 14, (1 << 16) - 1], channels),
        rng.integers(1 << 15, 1 << 16, channels),
    )
    limit = 1 << (config.result_bits - 1)
    biases = rng.integers(-limit, limit, channels) >> rng.integers(0, config.result_bits, channels)
    layer = Layer(
        weights=weights,
        rescaling=Rescaling(
            mantissas=mantissas,
            exponents=exponents.clip(0, 63),
            biases=biases,
            result_bits=config.result_bits,
            activation_function=ActivationFunction(rng.choice(list(ActivationFunction))),
        ),
        output=output,
        fraction_bits=int(rng.integers(0, 5)),
        gamma=0.375,
        output_signed=bool(rng.random() < 0.5) if datapath.either_sign else None,
    )
    return layer, rows


def _accumulate(layer: Layer, x: Quantized, row: int, m: int, config: EngineConfig) -> Any:
    """The accumulator of a row and a channel, and whether it saturated."""
    w, datapath = layer.weights, config.datapath
    assert isinstance(w, Quantized)
    vectors = len(w.elements[m])
    pairs = [
        oracle.VectorPair(
            w.elements[m, j].tolist(),
            x.elements[row, j].tolist(),
            None if w.scales is None else int(w.scales[m, j]),
            None if x.scales is None else int(x.scales[row, j]),
            j == 0,
            j == vectors - 1,
        )
        for j in range(vectors)
    ]
    widths = oracle.Datapath(
        datapath.weights.scale_bits,
        datapath.activations.scale_bits,
        datapath.scale_product_bits,
        datapath.accumulator_bits,
    )
    ((accumulator, saturated),) = oracle.accumulate(pairs, widths)
    return accumulator, saturated


def _rescale(accumulator: int, layer: Layer, m: int, seen: Counter[str]) -> tuple[int, bool]:
    """Result y of a channel, and whether it saturated."""
    parameters = layer.rescaling
    ratio = Fraction(accumulator * int(parameters.mantissas[m]), 2 ** int(parameters.exponents[m]))
    exact = oracle.round_half_even(ratio) + int(parameters.biases[m])
    y = oracle.saturate(exact, parameters.result_bits)
    seen["tie"] += ratio.denominator == 2
    seen["above"] += y < exact
    seen["below"] += y > exact
    function = parameters.activation_function.name
    seen[function] += y < 0
    return oracle.activate(y, parameters.result_bits, function), y != exact


def _quantize(
    y: list[int], layer: Layer, fmt: OperandFormat, seen: Counter[str]
) -> tuple[int, list[int]]:
    """Scale and elements of one vector of results."""
    peak = max(abs(v) if fmt.signed else max(v, 0) for v in y)
    scale = 1
    if fmt.scale_bits is not None:
        scale = math.ceil(Fraction(peak, fmt.qmax * 2**layer.fraction_bits))
        seen["largest scale"] += scale > fmt.scale_max
        seen["no scale"] += scale == 0
        scale = min(scale, fmt.scale_max)
    if scale == 0:
        return 0, [0] * len(y)
    ratios = [Fraction(v, scale * 2**layer.fraction_bits) for v in y]
    seen["clipped"] += any(ratio > fmt.qmax for ratio in ratios)
    return scale, [max(fmt.qmin, min(fmt.qmax, oracle.round_half_even(r))) for r in ratios]


def _check(layer: Layer, x: Quantized, config: EngineConfig, seen: Counter[str]) -> None:
    result = run_layer(layer, x, config)
    size, bits = config.datapath.vector_size, config.output.element_bits
    signed = config.output.signed if layer.output_signed is None else layer.output_signed
    fmt = OperandFormat(element_bits=bits, signed=signed, scale_bits=config.output.scale_bits)
    for row in range(len(x.elements)):
        sums = [_accumulate(layer, x, row, m, config) for m in range(layer.channels)]
        flags = [saturated for _, saturated in sums]
        seen["accumulator"] += any(flags)
        if layer.output is Output.ACCUMULATOR:
            assert result.values is not None
            assert result.values[row].tolist() == [accumulator for accumulator, _ in sums]
            assert result.saturated[row].tolist() == flags
            continue
        pairs = [_rescale(acc, layer, m, seen) for m, (acc, _) in enumerate(sums)]
        y = [value for value, _ in pairs]
        flags = [early or late for early, (_, late) in zip(flags, pairs, strict=True)]
        if layer.output is Output.RESCALED:
            assert result.values is not None
            assert result.values[row].tolist() == y
            assert result.saturated[row].tolist() == flags
            continue
        y += [0] * (-len(y) % size)
        starts = range(0, len(y), size)
        vectors = [_quantize(y[start : start + size], layer, fmt, seen) for start in starts]
        assert result.vectors is not None
        assert result.vectors.elements[row].tolist() == [elements for _, elements in vectors]
        if fmt.scale_bits is not None:
            assert result.vectors.scales is not None
            assert result.vectors.scales[row].tolist() == [scale for scale, _ in vectors]
        marked = [any(flags[start : start + size]) for start in starts]
        assert result.saturated[row].tolist() == marked
        seen["only some marked"] += any(marked) and not all(marked)


_RESCALED = {"accumulator", "tie", "above", "below", *ActivationFunction.__members__}


@pytest.mark.parametrize(
    ("output", "wanted"),
    [
        (Output.ACCUMULATOR, {"accumulator"}),
        (Output.RESCALED, _RESCALED),
        (
            Output.QUANTIZED,
            _RESCALED | {"largest scale", "no scale", "clipped", "only some marked"},
        ),
    ],
)
def test_layer_equals_the_exact_rational_result(output: Output, wanted: set[str]) -> None:
    rng = np.random.default_rng(0)
    seen: Counter[str] = Counter()
    for config in _CONFIGS:
        for _ in range(_LAYERS):
            _check(*_layer(output, config, rng), config, seen)
    # Each of them often enough to count.
    assert {name for name in wanted if seen[name] < 10} == set(), seen


def _values(result: LayerResult) -> list[npt.NDArray[Any] | None]:
    vectors = result.vectors
    if vectors is None:
        return [result.values, result.saturated]
    return [vectors.elements, vectors.scales, result.saturated]


@pytest.mark.parametrize("output", [Output.QUANTIZED, Output.RESCALED, Output.ACCUMULATOR])
def test_padded_channels_are_zero_and_change_no_other(output: Output) -> None:
    rng = np.random.default_rng(1)
    for _ in range(_LAYERS):
        layer, x = _layer(output, _CONFIGS[1], rng)
        padded = layer.padded(16)
        assert padded.channels == 16  # at most 10 before
        assert padded.padded(16).channels == 16
        results = (run_layer(each, x, _CONFIGS[1]) for each in (layer, padded))
        for plain, longer in zip(*map(_values, results), strict=True):
            assert plain is not None
            assert longer is not None
            count = plain.shape[1]
            np.testing.assert_array_equal(longer[:, :count], plain)
            assert not longer[:, count:].any()


def test_results_have_the_format_length_and_gamma_of_the_next_layer() -> None:
    layer, x = _layer(Output.QUANTIZED, _CONFIGS[1], np.random.default_rng(2))
    vectors = run_layer(layer, x, _CONFIGS[1]).vectors
    assert vectors is not None
    assert (vectors.format, vectors.length) == (_CONFIGS[1].output, layer.channels)
    assert vectors.gamma == np.float32(0.375)


def test_unsigned_results_of_either_sign_lose_what_is_negative() -> None:
    config = _config("4/4X/4/6", 8)
    layer, x = _layer(Output.QUANTIZED, config, np.random.default_rng(4))
    layer = replace(layer, rescaling=replace(layer.rescaling, activation_function=_IDENTITY))
    y = run_layer(replace(layer, output=Output.RESCALED), x, config).values
    assert y is not None
    assert y.min() < 0 < y.max()
    for signed in (False, True):
        vectors = run_layer(replace(layer, output_signed=signed), x, config).vectors
        assert vectors is not None
        assert vectors.format == config.datapath.activation_format(signed=signed)
        assert (vectors.dequantize()[y < 0] < 0).any() == signed


def test_rejects_what_does_not_fit() -> None:
    config = _CONFIGS[1]
    layer, x = _layer(Output.QUANTIZED, config, np.random.default_rng(3))
    message = r"^output must be QUANTIZED, RESCALED or ACCUMULATOR, not PARTIAL$"
    with pytest.raises(ValueError, match=message):
        replace(layer, output=Output.PARTIAL)
    message = rf"^rescaling must have 16 channels like the weights, not {layer.channels}$"
    with pytest.raises(ValueError, match=message):
        replace(layer, weights=layer.padded(16).weights)
    with pytest.raises(ValueError, match=r"^rescaling must have results of 12 bits, not 18$"):
        run_layer(layer, x, replace(config, result_bits=12))
    with pytest.raises(ValueError, match=r"^weights must have format 4/6, not 4/4$"):
        run_layer(layer, x, _config("4/4U/6/6", 8))
    with pytest.raises(ValueError, match=r"^activations of 4/4U/4/6 are never signed$"):
        run_layer(replace(layer, output_signed=True), x, config)
    with pytest.raises(ValueError, match=r"^activations of 4/4X/4/6 are signed or unsigned: say"):
        run_layer(layer, x, _config("4/4X/4/6", 8))
    with pytest.raises(TypeError, match=r"^output_signed must be a bool, not 1$"):
        replace(layer, output_signed=1)  # type: ignore[arg-type]  # what is tested
    with pytest.raises(ValueError, match=r"^fraction_bits must be from 0 to 23, not 24$"):
        run_layer(replace(layer, fraction_bits=24), x, config)
