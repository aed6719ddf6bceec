"""The engine in Amaranth's simulator: one call of the hardware equals one of golden."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Mux

from scalewright.golden.composition import Operand
from scalewright.golden.config import EngineConfig, Output
from scalewright.golden.layer import Layer
from scalewright.hw.engine import Engine
from scalewright.sim.blocks import design_of
from scalewright.sim.stimulus.layers import random_layer
from scalewright.sim.testbenches import (
    engine as tb_engine,
)
from tests.benches.amaranth import Payloads, Records, fields, play, records
from tests.benches.faults import seen
from tests.benches.small import small_engine

_Layers = list[tuple[Layer, Operand]]


def engine(config: EngineConfig, layers: _Layers, stalls: float = 0.0) -> Records:
    inputs, _ = _layer_streams(config, layers)
    return play(Engine(config), inputs, stalls=stalls)["results"]


def golden_engine(config: EngineConfig, layers: _Layers) -> Records:
    _, results = _layer_streams(config, layers)
    return results


def _layer_streams(config: EngineConfig, layers: _Layers) -> tuple[Mapping[str, Payloads], Records]:
    design = design_of("engine", config)
    phase, _ = tb_engine.engine_phase("layers", design, config, layers)
    return fields(design, phase.inputs), records(fields(design, phase.expected)["results"])


_ENGINES = {
    "fewer-lanes-than-elements": small_engine("3/3U/3/3"),
    "more-lanes-than-elements": small_engine(
        "2/2/2/2", lanes=8, post_lanes=2, dsp_multipliers=True
    ),
    "without-scales": small_engine("2/3/-/-", lanes=4, depth=3, dsp_multipliers=True),
    "of-either-sign": small_engine("3/3X/3/3", dsp_multipliers=True),
    "of-either-sign-without-scales": small_engine(
        "2/4X/-/-", lanes=4, depth=3, post_lanes=2, dsp_multipliers=True
    ),
}
_EITHER_SIGN = _ENGINES["of-either-sign"]
_EACH_ENGINE = pytest.mark.parametrize("config", _ENGINES.values(), ids=_ENGINES)


def _layers(config: EngineConfig, *outputs: Output, rows: int = 2, vectors: int = 2) -> _Layers:
    rng = np.random.default_rng(len(outputs))
    shape: dict[str, Any] = {"rows": rows, "channels": config.channels + 1, "vectors": vectors}
    return [
        random_layer(config, rng, output=output, extreme=number == 2, **shape)
        for number, output in enumerate(outputs)
    ]


@_EACH_ENGINE
@pytest.mark.parametrize("output", [Output.QUANTIZED, Output.RESCALED, Output.ACCUMULATOR])
def test_engine(config: EngineConfig, output: Output) -> None:
    layers = _layers(config, output)
    assert engine(config, layers) == golden_engine(config, layers)


@_EACH_ENGINE
def test_engine_with_one_layer_behind_the_other(config: EngineConfig) -> None:
    outputs = (Output.QUANTIZED, Output.ACCUMULATOR, Output.QUANTIZED, Output.RESCALED)
    layers = _layers(config, *outputs)
    assert engine(config, layers, stalls=0.4) == golden_engine(config, layers)


@_EACH_ENGINE
def test_engine_with_sums_in_parts(config: EngineConfig) -> None:
    # Longer than the weight buffer: PARTIAL tiles.
    outputs = (Output.QUANTIZED, Output.ACCUMULATOR)
    layers = _layers(config, *outputs, rows=1, vectors=config.depth + 2)
    inputs, _ = _layer_streams(config, layers)
    assert Output.PARTIAL in np.asarray(inputs["parameters"]["output"])
    assert engine(config, layers, stalls=0.4) == golden_engine(config, layers)


@pytest.mark.parametrize("config", [_EITHER_SIGN], ids=["of-either-sign"])
def test_engine_with_layers_of_each_sign(config: EngineConfig) -> None:
    layers = [
        (replace(layer, output_signed=output_signed), activations)
        for layer, activations in _layers(config, *[Output.QUANTIZED] * 8)
        for output_signed in (True, False)
    ]
    signs = {(a.format.signed, layer.output_signed) for layer, a in layers}
    assert len(signs) == 4
    assert engine(config, layers) == golden_engine(config, layers)


_SIGNS = partial(test_engine_with_layers_of_each_sign, _EITHER_SIGN)
_ENGINE = _ENGINES["fewer-lanes-than-elements"]
_PARTS = partial(test_engine_with_sums_in_parts, _ENGINE)
_LAYERS = partial(test_engine_with_one_layer_behind_the_other, _ENGINE)


def _gives_sums_of_a_partial_tile(bad: Any, good: Any) -> Any:
    output = bad.parameters.payload.output
    return good.parameters.payload.output.eq(
        Mux(output == Output.PARTIAL, Output.ACCUMULATOR, output)
    )


test_sees_a_fault = seen(
    {
        "engine-gives-sums-of-a-partial-tile": (_PARTS, _gives_sums_of_a_partial_tile),
        "engine-takes-every-row-for-the-last-one": (
            _LAYERS,
            lambda bad, good: good.activations.payload.last.eq(1),
        ),
        "engine-takes-all-activations-as-signed": (
            _SIGNS,
            lambda bad, good: good.activations.payload.signed.eq(1),
        ),
        "engine-makes-all-results-signed": (
            _SIGNS,
            lambda bad, good: good.parameters.payload.output_signed.eq(1),
        ),
        "engine-waits-for-ready": (
            _LAYERS,
            lambda bad, good: bad.results.valid.eq(good.results.valid & bad.results.ready),
        ),
    }
)
