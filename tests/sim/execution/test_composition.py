"""Wider elements on the RTL, against golden and against plain products of integers."""

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from scalewright.golden.composition import Operand, digit_pairs, expand
from scalewright.golden.config import DatapathConfig, EngineConfig, Format, Output, WideFormat
from scalewright.golden.layer import run_layer
from scalewright.golden.quantized import Quantized
from scalewright.sim.bench.plan import Phase
from scalewright.sim.blocks import design_of
from scalewright.sim.execution.products import compare_matmul
from scalewright.sim.execution.tiling import (
    ACTIVATIONS,
    PARAMETERS,
    RESULTS,
    WEIGHTS,
    layer_words,
    read_results,
    result_words,
)
from scalewright.sim.simulators.build import PLAYER, build
from scalewright.sim.simulators.simulation import simulate
from scalewright.sim.stimulus.composed import compositions
from scalewright.sim.stimulus.layers import random_layer, random_operand

_CHIP = DatapathConfig.parse("4/4/8/8", vector_size=4, scale_product_bits=8, accumulator_bits=32)
_MIXED = DatapathConfig.parse("4/4U/4/6", vector_size=4, accumulator_bits=32)


def _product(weights: Operand, activations: Operand) -> npt.NDArray[np.int64]:
    """Sums of x_w * x_a, and of the scales of what is not wide."""
    rows = []
    for operand in (activations, weights):
        values = operand.elements.astype(np.int64)
        if isinstance(operand, Quantized) and operand.scales is not None:
            values = values * operand.scales[..., None]
        rows.append(values.reshape(len(values), -1))
    return rows[0] @ rows[1].T


@pytest.mark.parametrize("config", [_CHIP, _MIXED], ids=lambda config: config.slug)
def test_vector_mac_gives_the_products_of_wide_integers(config: DatapathConfig) -> None:
    rng = np.random.default_rng(0)
    built = build(design_of("vector-mac", config))
    assert len(compositions(config)) == (1 if config is _CHIP else 3)
    for formats in compositions(config):
        weights, activations = (
            random_operand(fmt, (rows, 5, 4), rng, extreme=False)
            for fmt, rows in zip(formats, (6, 7), strict=True)
        )
        comparison = compare_matmul(built, *expand(weights, activations, config), config)
        assert comparison.mismatch_count == 0
        assert comparison.vectors == 6 * 7 * 5 * digit_pairs(weights, activations)
        np.testing.assert_array_equal(comparison.rtl.accumulators, _product(weights, activations))


def _engine(datapath: DatapathConfig) -> EngineConfig:
    return EngineConfig(datapath=datapath, lanes=2, depth=32, post_lanes=2, result_bits=32)


def _play(config: EngineConfig, formats: tuple[Format, Format], **shape: Any) -> dict[str, int]:
    """Run a wide layer on the RTL; gives the transfers of each stream, and the cycles."""
    rng = np.random.default_rng(0)
    layer, activations = random_layer(
        config, rng, output=Output.ACCUMULATOR, formats=formats, **shape
    )
    design = design_of("engine", config)
    inputs = layer_words(design, config, layer, activations)
    golden = run_layer(layer.padded(config.channels), activations, config)
    expected = result_words(design, config, golden)
    phase = Phase(name="layer", inputs=inputs, expected={RESULTS: expected})
    outcome = simulate(build(design, simulator=PLAYER), [phase]).outcomes[0]
    assert not outcome.failed
    rows = len(activations.elements)
    got = read_results(design, config, layer, rows, outcome.results[RESULTS])
    np.testing.assert_array_equal(got.values, _product(layer.weights, activations))
    # And quantized, as the next layer takes it.
    quantized = replace(layer, output=Output.QUANTIZED)
    want = result_words(
        design, config, run_layer(quantized.padded(config.channels), activations, config)
    )
    inputs = layer_words(design, config, quantized, activations)
    phase = Phase(name="quantized", inputs=inputs, expected={RESULTS: want})
    assert not simulate(build(design, simulator=PLAYER), [phase]).outcomes[0].failed
    return {"cycles": outcome.cycles, **{port: len(words) for port, words in inputs.items()}}


@pytest.mark.parametrize("config", [_CHIP, _MIXED], ids=lambda config: config.slug)
def test_engine_gives_the_products_of_wide_integers(config: DatapathConfig) -> None:
    engine = _engine(config)
    for formats in compositions(config):
        pairs = 1 << sum(isinstance(fmt, WideFormat) for fmt in formats)
        # 4 vectors of 4 pairs for each of 2 groups of lanes: 32 rows, the whole buffer.
        sizes = _play(engine, formats, rows=40, channels=7, vectors=4)
        assert sizes[WEIGHTS] == 8 * 4 * pairs
        assert sizes[ACTIVATIONS] == 40 * 4 * 4 * pairs
        assert sizes[PARAMETERS] == 8
        assert sizes[ACTIVATIONS] <= sizes["cycles"] <= sizes[ACTIVATIONS] * 1.3 + 60


def test_engine_cuts_long_sums_between_digits() -> None:
    # 9 vectors of 4 pairs: 32 rows end behind the eighth vector, 30 rows in the middle of it.
    for depth in (32, 30):
        engine = replace(_engine(_MIXED), depth=depth)
        sizes = _play(engine, compositions(_MIXED)[2], rows=2, channels=3, vectors=9)
        assert sizes[WEIGHTS] == 4 * 9 * 4 * 2  # for each of two rows
        assert sizes[PARAMETERS] == 4 * 2 * 2
