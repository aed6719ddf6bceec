"""The engine in Amaranth's simulator: one call of the hardware equals one of golden."""

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
import pytest

from scalewright.golden.config import EngineConfig, Output
from scalewright.golden.layer import Layer
from scalewright.golden.quantized import Quantized
from scalewright.hw.engine import Engine
from scalewright.hw.engine.sequencer import Sequencer
from scalewright.hw.engine.weight_buffer import WeightBuffer
from scalewright.hw.post_processor import PostProcessor
from scalewright.hw.post_processor.parameter_buffer import ParameterBuffer
from scalewright.sim.blocks import design_of
from scalewright.sim.stimulus.layers import random_layer
from scalewright.sim.testbenches import (
    engine as tb_engine,
)
from tests.benches.amaranth import Payloads, Records, fields, play, records
from tests.benches.faults import Fault, insert_fault
from tests.benches.small import small_engine

_Layers = list[tuple[Layer, Quantized]]


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
}
_EACH_ENGINE = pytest.mark.parametrize("config", _ENGINES.values(), ids=_ENGINES)


def _layers(config: EngineConfig, *outputs: Output, rows: int = 2, vectors: int = 2) -> _Layers:
    rng = np.random.default_rng(len(outputs))
    shape = {"rows": rows, "channels": config.channels + 1, "vectors": vectors}
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


# Each of these comparisons sees a fault.

_FAULTS: dict[str, tuple[Callable[[], None], Fault]] = {
    "engine-reads-a-row-of-weights-before-it-is-there": (
        partial(test_engine_with_sums_in_parts, _ENGINES["fewer-lanes-than-elements"]),
        (WeightBuffer.elaborate, "position < loaded", "position < loaded + (lane == lanes - 1)"),
    ),
    "engine-frees-parameters-too-early": (
        partial(test_engine_with_one_layer_behind_the_other, _ENGINES["fewer-lanes-than-elements"]),
        (ParameterBuffer.elaborate, "held != 2", "unread != 2"),
    ),
    "engine-starts-sums-from-0-after-a-partial-tile": (
        partial(test_engine_with_sums_in_parts, _ENGINES["fewer-lanes-than-elements"]),
        (Sequencer.elaborate, "(vector == 0) & ~resumes", "vector == 0"),
    ),
    "engine-gives-sums-of-a-partial-tile": (
        partial(test_engine_with_sums_in_parts, _ENGINES["fewer-lanes-than-elements"]),
        (PostProcessor._feed, "beats.valid.eq(~partial)", "beats.valid.eq(1)"),
    ),
    "engine-waits-for-ready": (
        partial(test_engine_with_one_layer_behind_the_other, _ENGINES["fewer-lanes-than-elements"]),
        (
            PostProcessor.elaborate,
            "self.o.valid.eq(quantizer.o.valid | direct)",
            "self.o.valid.eq((quantizer.o.valid | direct) & self.o.ready)",
        ),
    ),
}


@pytest.mark.parametrize(("compare", "fault"), _FAULTS.values(), ids=_FAULTS)
def test_sees_a_fault(
    compare: Callable[[], None], fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert_fault(fault, monkeypatch)
    with pytest.raises(AssertionError):
        compare()
