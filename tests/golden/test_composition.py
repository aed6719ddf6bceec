"""Wide operands as pairs of digits, against the oracle and against plain integer products."""

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalewright.golden.composition import Operand, digit_pairs, expand, split_digits
from scalewright.golden.config import (
    DatapathConfig,
    EngineConfig,
    Format,
    OperandFormat,
    Output,
    WideFormat,
    compose,
)
from scalewright.golden.layer import Layer, run_layer
from scalewright.golden.mac import MacResult, matmul
from scalewright.golden.quantize import quantize
from scalewright.golden.quantized import Quantized
from scalewright.golden.rescale import Rescaling
from scalewright.golden.wide import Wide, quantize_wide
from scalewright.sim.stimulus.composed import compositions
from scalewright.sim.stimulus.layers import random_operand
from tests.oracles import arithmetic
from tests.oracles import composition as oracle

_CHIP = DatapathConfig.parse("4/4/8/8", vector_size=4, scale_product_bits=8)


def wide_matmul(weights: Operand, activations: Operand) -> npt.NDArray[np.int64]:
    """Sums (N, M) of x_w * x_a in integers of 64 bits, the elements' scales included."""
    w, a = (_integers(operand) for operand in (weights, activations))
    return a @ w.T


def _integers(operand: Operand) -> npt.NDArray[np.int64]:
    values = operand.elements.astype(np.int64)
    if isinstance(operand, Quantized) and operand.scales is not None:
        values = values * operand.scales[..., None]
    return values.reshape(len(values), -1)


def _wide_formats(config: DatapathConfig) -> tuple[WideFormat, WideFormat]:
    weights, activations = compose(config, weights=config.weights, activations=config.activations)
    assert weights is not None
    assert activations is not None
    return weights, activations


def _wide(x: npt.ArrayLike, fmt: WideFormat, **options: Any) -> Wide:
    elements = np.array(x, np.int32)
    return Wide(elements=elements, gamma=np.ones((), np.float32), format=fmt, **options)


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("element_bits", [2, 3, 4, 5])
@pytest.mark.parametrize("scale_bits", range(2, 11))
def test_every_integer_of_a_grid_has_legal_digits(
    element_bits: int, scale_bits: int, signed: bool
) -> None:
    digits = OperandFormat(element_bits=element_bits, scale_bits=scale_bits, signed=signed)
    config = DatapathConfig(weights=replace(digits, signed=True), activations=digits)
    _, fmt = compose(config, activations=digits)
    assert fmt is not None
    grid = oracle.Grid(digits.qmax, signed, fmt.ratio, fmt.unit)
    x = np.arange(fmt.qmin, fmt.qmax + 1)
    high, low = split_digits(x, fmt)
    assert list(zip(high.tolist(), low.tolist(), strict=True)) == [
        grid.digits(v) for v in x.tolist()
    ]
    for digit in (high, low):
        assert digits.qmin <= digit.min() <= digit.max() <= digits.qmax
    np.testing.assert_array_equal(fmt.ratio * high + low, x)


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("scale_bits", [2, 7, 8, 9, 10])
def test_every_integer_of_the_largest_grids_has_legal_digits(scale_bits: int, signed: bool) -> None:
    digits = OperandFormat(element_bits=8, scale_bits=scale_bits, signed=signed)
    largest = digits.qmax - digits.qmin + 1
    fmt = WideFormat(digits=digits, ratio=min(largest, digits.scale_max))
    x = np.arange(fmt.qmin, fmt.qmax + 1)
    high, low = split_digits(x, fmt)
    for digit in (high, low):
        assert digits.qmin <= digit.min() <= digit.max() <= digits.qmax
    np.testing.assert_array_equal(fmt.ratio * high + low, x)


def test_digits_of_the_worked_examples() -> None:
    signed, unsigned = _wide_formats(DatapathConfig.parse("4/4U/4/6"))
    high, low = split_digits([112, -112, 8, 7, 0, -8], signed)
    assert high.tolist() == [7, -7, 1, 0, 0, -1]
    assert low.tolist() == [7, -7, -7, 7, 0, 7]
    high, low = split_digits([255, 16, 15, 0], unsigned)
    assert high.tolist() == [15, 1, 0, 0]
    assert low.tolist() == [15, 0, 15, 0]


@st.composite
def _configs(draw: st.DrawFn) -> DatapathConfig:
    """Any configuration that can compose."""
    scales = [draw(st.none() | st.integers(2, 10)), draw(st.integers(2, 10))]
    scales = draw(st.permutations(scales))
    full = sum(bits or 0 for bits in scales)
    kept = draw(st.none() | st.integers(4, full)) if None not in scales else None
    return DatapathConfig(
        weights=OperandFormat(element_bits=draw(st.integers(2, 8)), scale_bits=scales[0]),
        activations=OperandFormat(
            element_bits=draw(st.integers(2, 8)), signed=draw(st.booleans()), scale_bits=scales[1]
        ),
        vector_size=draw(st.sampled_from([4, 8])),
        scale_product_bits=kept,
        accumulator_bits=draw(st.integers(16, 48)),
    )


def _row(operand: Operand, index: int) -> oracle.Row:
    if isinstance(operand, Quantized):
        scales = None if operand.scales is None else operand.scales[index].tolist()
        return oracle.Row(operand.elements[index].tolist(), scales, None)
    fmt = operand.format
    grid = oracle.Grid(fmt.digits.qmax, fmt.signed, fmt.ratio, fmt.unit)
    return oracle.Row(operand.elements[index].tolist(), None, grid)


def _check(weights: Operand, activations: Operand, config: DatapathConfig) -> MacResult:
    """Compare with the oracle, step by step, and with plain products where nothing saturates."""
    w, a = expand(weights, activations, config)
    result = matmul(w, a, config)
    exact = wide_matmul(weights, activations)
    datapath = arithmetic.Datapath(
        config.weights.scale_bits,
        config.activations.scale_bits,
        config.scale_product_bits,
        config.accumulator_bits,
    )
    for n, m in np.ndindex(exact.shape):
        pairs = oracle.pairs(_row(weights, m), _row(activations, n))
        assert len(pairs) == w.elements.shape[1] == a.elements.shape[1]
        got = int(result.accumulators[n, m]), bool(result.saturated[n, m])
        assert [got] == arithmetic.accumulate(pairs, datapath)
        assert got[1] or got[0] == exact[n, m]
    return result


@given(config=_configs(), seed=st.integers(0, 2**32), vectors=st.integers(1, 5), data=st.data())
def test_products_equal_the_oracle_step_by_step(
    config: DatapathConfig, seed: int, vectors: int, data: st.DataObject
) -> None:
    rng = np.random.default_rng(seed)
    formats = data.draw(st.sampled_from(compositions(config)))
    extreme = data.draw(st.booleans())
    weights, activations = (
        random_operand(fmt, (rows, vectors, config.vector_size), rng, extreme=extreme)
        for fmt, rows in zip(formats, (3, 2), strict=True)
    )
    _check(weights, activations, config)


_CONFIGS = [
    DatapathConfig.parse("4/4/4/6", vector_size=4),
    DatapathConfig.parse("4/4U/4/6", vector_size=4),
    DatapathConfig.parse("8/8U/10/10", vector_size=4, accumulator_bits=48),
    DatapathConfig.parse("2/2U/2/2", vector_size=4),
    DatapathConfig.parse("3/8U/-/5", vector_size=4),
    DatapathConfig.parse("8/2/9/-", vector_size=4),
    DatapathConfig.parse("4/4U/4/6", vector_size=4, scale_product_bits=6),
    _CHIP,
]


@pytest.mark.parametrize("vectors", [1, 2, 3, 8, 9])
@pytest.mark.parametrize("config", _CONFIGS, ids=lambda config: config.slug)
def test_exact_accumulators_count_wide_vectors(config: DatapathConfig, vectors: int) -> None:
    config = config.with_exact_accumulator(vectors)
    for formats in compositions(config):
        rows = [_ends(fmt, vectors) for fmt in formats]
        assert not _check(rows[0], rows[1], config).saturated.any()


def _ends(fmt: Format, vectors: int) -> Operand:
    """Rows of the largest and of the smallest elements, at the largest scale."""
    low = fmt.element_min if isinstance(fmt, OperandFormat) else fmt.qmin
    elements = np.array([low, fmt.qmax])[:, None, None] + np.zeros((2, vectors, 4), np.int64)
    if isinstance(fmt, WideFormat):
        return _wide(elements, fmt)
    scales = np.full((2, vectors), fmt.scale_max, np.uint16)
    return Quantized(
        elements=elements.astype(np.int8 if fmt.signed else np.uint8),
        scales=None if fmt.scale_bits is None else scales,
        gamma=np.ones((), np.float32),
        format=fmt,
    )


def test_sends_high_digits_first_and_vector_after_vector() -> None:
    config = DatapathConfig.parse("4/4U/4/6", vector_size=4)
    signed, unsigned = _wide_formats(config)
    weights = _wide([[[8, 0, 0, 0], [-112, 0, 0, 0]]], signed)
    activations = _wide([[[34, 0, 0, 0], [255, 0, 0, 0]]], unsigned)
    assert digit_pairs(weights, activations) == 4
    w, a = expand(weights, activations, config)
    assert w.elements[0, :, 0].tolist() == [1, 1, -7, -7, -7, -7, -7, -7]
    assert a.elements[0, :, 0].tolist() == [2, 2, 2, 2, 15, 15, 15, 15]
    assert w.scales is not None
    assert a.scales is not None
    assert w.scales.tolist() == [[15, 15, 1, 1] * 2]
    assert a.scales.tolist() == [[16, 1, 16, 1] * 2]
    assert (w.format, a.format) == (config.weights, config.activations)


def test_sends_a_narrow_operand_once_for_each_digit() -> None:
    config = DatapathConfig.parse("4/4/4/6", vector_size=4)
    rng = np.random.default_rng(0)
    shape = 2, 3, 4
    for formats in compositions(config)[:2]:
        operands = [random_operand(fmt, shape, rng, extreme=False) for fmt in formats]
        sent = expand(operands[0], operands[1], config)
        assert digit_pairs(*operands) == 2
        for operand, vectors in zip(operands, sent, strict=True):
            assert vectors.scales is not None
            if isinstance(operand, Quantized):
                assert operand.scales is not None
                for digit in (0, 1):
                    np.testing.assert_array_equal(vectors.elements[:, digit::2], operand.elements)
                    np.testing.assert_array_equal(vectors.scales[:, digit::2], operand.scales)
            else:
                assert vectors.scales.tolist() == [[15, 1] * 3] * 2


def test_narrow_operands_stay_as_they_are() -> None:
    config = DatapathConfig.parse("4/4/4/6", vector_size=4)
    rng = np.random.default_rng(0)
    narrow = [
        random_operand(fmt, (2, 3, 4), rng, extreme=False)
        for fmt in (config.weights, config.activations)
    ]
    assert expand(narrow[0], narrow[1], config) == tuple(narrow)
    assert digit_pairs(*narrow) == 1


def test_rounded_products_of_the_chip() -> None:
    formats = _wide_formats(_CHIP)
    weights = _wide([[[112, -112, 15, 1], [0, 0, 0, 0]]], formats[0])
    activations = _wide([[[112, 111, -7, 100], [5, 6, 7, 8]]], formats[1])
    w, a = expand(weights, activations, _CHIP)
    assert w.scales is not None
    assert a.scales is not None
    # All-zero vectors have the scales of their digits, too.
    assert w.scales.tolist() == [[240, 240, 16, 16] * 2]
    assert a.scales.tolist() == [[240, 16, 240, 16] * 2]
    assert not w.elements[0, 4:].any()
    result = _check(weights, activations, _CHIP)
    assert result.accumulators.tolist() == [[112 * 112 - 112 * 111 - 15 * 7 + 100]]


def test_partial_sums_of_digits_saturate_on_the_way() -> None:
    config = DatapathConfig.parse("4/4/4/4", vector_size=4, accumulator_bits=16)
    formats = _wide_formats(config)
    # 98 = 15*7 - 7 and 83 = 15*6 - 7. hh is 37,800, which saturates at 32,767; hl -2,940,
    # lh -2,520 and ll 196: the sum of all, 32,536, would have been in range.
    result = _check(_wide([[[98] * 4]], formats[0]), _wide([[[83] * 4]], formats[1]), config)
    assert result.accumulators.tolist() == [[32767 - 2940 - 2520 + 196]]
    assert result.saturated.tolist() == [[True]]


@pytest.mark.parametrize("config", [_CHIP, _CONFIGS[1], _CONFIGS[6]], ids=lambda c: c.slug)
def test_results_are_in_units_of_the_gammas(config: DatapathConfig) -> None:
    rng = np.random.default_rng(0)
    w, a = rng.standard_normal((3, 10)), np.abs(rng.standard_normal((2, 10)))
    formats = _wide_formats(config)
    weights = quantize_wide(w, formats[0], vector_size=4, coarse_axis=0)
    activations = quantize_wide(a, formats[1], vector_size=4)
    assert weights.elements.shape == (3, 3, 4)
    assert not weights.elements[:, 2, 2:].any()
    sent = expand(weights, activations, config)
    result = _check(weights, activations, config)
    # The units of any product, from the operands that are sent: acc * 2^sh * gamma_w * gamma_a.
    unit = sent[0].gamma.astype(np.float64) * float(sent[1].gamma) * 2.0**config.scale_product_shift
    np.testing.assert_array_equal(unit, weights.gamma.astype(np.float64) * float(activations.gamma))
    real = activations.dequantize().astype(np.float64) @ weights.dequantize().astype(np.float64).T
    np.testing.assert_allclose(result.accumulators * unit, real, rtol=1e-6)
    assert np.abs(result.accumulators * unit - a @ w.T).max() < 0.2


def _layer(weights: Operand, output: Output) -> Layer:
    count = len(weights.elements)
    rescaling = Rescaling(
        mantissas=np.full(count, 40_000), exponents=np.full(count, 22), biases=np.arange(count)
    )
    return Layer(weights=weights, rescaling=rescaling, output=output, fraction_bits=3)


@pytest.mark.parametrize("config", _CONFIGS, ids=lambda config: config.slug)
def test_layers_take_wide_operands(config: DatapathConfig) -> None:
    rng = np.random.default_rng(0)
    engine = EngineConfig(datapath=config, lanes=4, post_lanes=2)
    for formats in compositions(config):
        weights, activations = (
            random_operand(fmt, (rows, 3, 4), rng, extreme=False)
            for fmt, rows in zip(formats, (5, 2), strict=True)
        )
        if isinstance(weights, Wide):
            weights = replace(weights, gamma=np.arange(5, dtype=np.float32))
        sums = _check(weights, activations, config)
        layer = _layer(weights, Output.ACCUMULATOR)
        for each in (layer, layer.padded(4)):
            values = run_layer(each, activations, engine).values
            assert values is not None
            np.testing.assert_array_equal(values[:, :5], sums.accumulators)
            assert not values[:, 5:].any()
        assert layer.padded(4).channels == 8
        sent = expand(weights, activations, config)
        wide = run_layer(_layer(weights, Output.QUANTIZED), activations, engine).vectors
        plain = run_layer(_layer(sent[0], Output.QUANTIZED), sent[1], engine).vectors
        assert wide is not None
        assert plain is not None
        np.testing.assert_array_equal(wide.elements, plain.elements)


def test_padding_channels_have_the_scales_of_digits() -> None:
    config = _CONFIGS[0]
    weights, _ = _wide_formats(config)
    operand = replace(
        _wide(np.full((3, 1, 4), 100), weights), gamma=np.ones(3, np.float32), coarse_axis=0
    )
    padded = _layer(operand, Output.ACCUMULATOR).padded(4).weights
    narrow = quantize(np.ones((1, 4)), config.activations, vector_size=4)
    sent, _ = expand(padded, narrow, config)
    assert sent.scales is not None
    assert sent.scales[3].tolist() == [15, 1]
    assert not sent.elements[3].any()


def test_refuses_operands_that_do_not_fit() -> None:
    config = DatapathConfig.parse("4/4/8/8", vector_size=4)
    wide = _wide_formats(config)
    x = np.zeros((1, 2, 4), np.int32)
    narrow = quantize(np.ones((1, 8)), config.activations, vector_size=4)
    with pytest.raises(
        ValueError,
        match=r"^weights must be on the grid of 4/8 digits at 240 and 16, -112 to 112, "
        r"not 4/8 digits at 15 and 1, -112 to 112$",
    ):
        expand(_wide(x, wide[0]), _wide(x, wide[1]), _CHIP)
    with pytest.raises(ValueError, match=r"^weights of 4/4/8/8 cannot be composed alone where"):
        expand(_wide(x, wide[0]), narrow, _CHIP)
    with pytest.raises(ValueError, match=r"must have the same length, not 7 and 8$"):
        expand(_wide(x, wide[0], length=7), narrow, config)
    with pytest.raises(ValueError, match=r"must have the same vector_size, not 8 and 4$"):
        expand(_wide(np.zeros((1, 1, 8)), wide[0]), narrow, config)
    with pytest.raises(ValueError, match=r"^x must be from -112 to 112, not 113$"):
        split_digits([0, 113], wide[0])
    with pytest.raises(TypeError, match=r"^x must be integers, not float64: 1.5$"):
        split_digits([1.5], wide[0])
    no_operand: Any = x
    with pytest.raises(TypeError, match=r"^weights must be a Quantized, not "):
        expand(no_operand, narrow, config)
    with pytest.raises(TypeError, match=r"^activations must be a Quantized, not "):
        digit_pairs(narrow, no_operand)
    with pytest.raises(TypeError, match=r"^weights must be a Quantized, not "):
        replace(_layer(narrow, Output.ACCUMULATOR), weights=no_operand)
