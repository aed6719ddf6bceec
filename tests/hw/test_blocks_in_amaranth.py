"""Every block in Amaranth's simulator against golden: one call of the hardware, one of the model.

The fast loop for who changes a block: `pytest tests/hw/test_blocks_in_amaranth.py -k rescaler`
takes seconds and needs no compiler. It is no substitute for the regressions, which are far longer.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import unsigned
from amaranth.sim import Simulator

from scalewright.golden.config import DatapathConfig, EngineConfig, OctavConfig, Output
from scalewright.golden.layer import Layer
from scalewright.golden.octav import End
from scalewright.golden.quantize import Quantized
from scalewright.golden.requantize import requantize
from scalewright.hw.arithmetic.compressor import Compressor
from scalewright.hw.arithmetic.divider import Divider
from scalewright.hw.arithmetic.quantization import ElementQuotient
from scalewright.hw.engine import Engine
from scalewright.hw.engine.sequencer import Sequencer
from scalewright.hw.engine.weight_buffer import WeightBuffer
from scalewright.hw.mac import VectorMac
from scalewright.hw.octav import OctavUnit
from scalewright.hw.octav.iteration import Progress
from scalewright.hw.post_processor import PostProcessor
from scalewright.hw.post_processor.parameter_buffer import ParameterBuffer
from scalewright.hw.post_processor.rescaler import Rescaler
from scalewright.hw.post_processor.rescaler_lane import RescalerLane
from scalewright.hw.post_processor.vector_quantizer import VectorQuantizer
from scalewright.hw.primitives.memory import RowMemory
from scalewright.sim.bench.codec import Words
from scalewright.sim.bench.design import Design
from scalewright.sim.blocks import design_of
from scalewright.sim.stimulus import tensors as octav_stimulus
from scalewright.sim.stimulus import vector_pairs as stimulus
from scalewright.sim.stimulus.layers import random_layer
from scalewright.sim.stimulus.tensors import Tensor
from scalewright.sim.stimulus.vector_pairs import Stream
from scalewright.sim.testbenches import (
    engine as tb_engine,
)
from scalewright.sim.testbenches import (
    octav as tb_octav,
)
from scalewright.sim.testbenches import (
    rescaler as tb_rescaler,
)
from scalewright.sim.testbenches import (
    vector_mac as tb_vector_mac,
)
from scalewright.sim.testbenches.rescaler import Beats
from scalewright.sim.testbenches.vector_quantizer import random_vectors
from tests.benches.amaranth import Payloads, Records, play, records
from tests.benches.faults import Fault, insert_fault

_STALLS = pytest.mark.parametrize("stalls", [0.0, 0.4])


# The vector MAC.


def vector_mac(config: DatapathConfig, pairs: Stream, stalls: float = 0.0) -> Records:
    return play(VectorMac(config), {"i": pairs}, stalls=stalls)["o"]


def golden_vector_mac(config: DatapathConfig, pairs: Stream) -> Records:
    result, _ = tb_vector_mac.golden(pairs, config)
    return records({"accumulator": result.accumulators, "saturated": result.saturated})


def vector_pairs(config: DatapathConfig) -> Stream:
    """Random sums, scale products, extreme vectors, and sums of such that saturate both ways."""
    rng = np.random.default_rng(0)
    kinds = [
        stimulus.random(config, 60, rng),
        stimulus.scale_products(config, rng),
        stimulus.corners(config, rng),
    ]
    picked = [slice(None), slice(-24, None), np.r_[:32, -86:-80]]
    return {
        name: np.concatenate([kind[name][part] for kind, part in zip(kinds, picked, strict=True)])
        for name in kinds[0]
    }


def _mac(notation: str, **options: Any) -> DatapathConfig:
    return DatapathConfig.parse(notation, vector_size=4, **options)


_MACS = [
    _mac("2/2/-/-"),
    _mac("3/3/3/-"),
    _mac("3/3U/-/3"),
    _mac("4/4U/4/6"),
    _mac("4/4/4/6", scale_product_bits=6),
    _mac("2/5U/2/2", scale_product_bits=1),
    _mac("3/3/6/6", accumulator_bits=16),
    replace(_mac("3/3/3/3"), vector_size=8),
    *(replace(_mac("3/2/2/3", scale_product_bits=3), pipeline_depth=depth) for depth in (1, 2, 3)),
]


@pytest.mark.parametrize("config", _MACS, ids=lambda config: config.slug)
def test_vector_mac(config: DatapathConfig) -> None:
    pairs = vector_pairs(config)
    assert vector_mac(config, pairs) == golden_vector_mac(config, pairs)


@pytest.mark.parametrize("config", _MACS[-3:], ids=lambda config: config.slug)
def test_vector_mac_that_stalls(config: DatapathConfig) -> None:
    pairs = vector_pairs(config)
    pairs["last"][::2] = True  # enough results to feel the sink
    assert vector_mac(config, pairs, stalls=0.4) == golden_vector_mac(config, pairs)


def test_vector_mac_saturates_above_and_below() -> None:
    (config,) = (config for config in _MACS if config.accumulator_bits == 16)
    sums = [row for row in golden_vector_mac(config, vector_pairs(config)) if row["saturated"]]
    ends = {row["accumulator"] for row in sums}
    assert ends >= {config.accumulator_min, config.accumulator_max}


# The rescaler.


def rescaler(config: EngineConfig, beats: Beats, stalls: float = 0.0) -> Records:
    return play(Rescaler(config), {"i": beats}, stalls=stalls)["o"]


def golden_rescaler(config: EngineConfig, beats: Beats) -> Records:
    return records(tb_rescaler.golden(beats, config))


def _engine(notation: str, **options: Any) -> EngineConfig:
    sizes = {"lanes": 2, "depth": 4, "post_lanes": 1, "result_bits": 12, **options}
    return EngineConfig(datapath=_mac(notation, accumulator_bits=16), **sizes)


_RESCALERS = [
    _engine("3/3U/3/3"),
    _engine("3/3U/3/3", dsp_multipliers=True),
    _engine("3/3/3/3", post_lanes=2, result_bits=18, dsp_multipliers=True),
    _engine("3/3/3/3", result_bits=8, dsp_multipliers=True),
]


# What it draws: biases at their ends, factors of 0, ties, ReLU, and accumulators that pass.
@_STALLS
@pytest.mark.parametrize("config", _RESCALERS, ids=lambda config: config.slug)
def test_rescaler(config: EngineConfig, stalls: float) -> None:
    beats = tb_rescaler.random_beats(config, 80, np.random.default_rng(0))
    assert rescaler(config, beats, stalls) == golden_rescaler(config, beats)


@pytest.mark.parametrize("config", _RESCALERS[:2], ids=lambda config: config.slug)
def test_rescaler_rounds_ties_to_even(config: EngineConfig) -> None:
    numbers = range(-16, 16)
    beats = tb_rescaler.random_beats(config, len(numbers), np.random.default_rng(0))
    beats |= {
        "accumulators": np.array(numbers)[:, None],
        "mantissas": np.full((len(numbers), 1), 1 << 15),
        "exponents": np.full((len(numbers), 1), 16),  # divides by 2
        "biases": np.zeros((len(numbers), 1), np.int64),
        "output": np.full(len(numbers), Output.RESCALED),
        "relu": np.zeros(len(numbers), np.bool_),
    }
    halves = rescaler(config, beats)
    assert halves == golden_rescaler(config, beats)
    assert [row["values"] for row in halves] == [[round(number / 2)] for number in numbers]


# The vector quantizer.


def vector_quantizer(config: EngineConfig, y: Any, fraction_bits: int, stalls: float) -> Records:
    beats = y.reshape(-1, config.post_lanes)
    values = {
        "values": beats,
        "fraction_bits": np.full(len(beats), fraction_bits),
        "saturated": np.zeros(len(beats), np.bool_),
    }
    return play(VectorQuantizer(config), {"i": values}, stalls=stalls)["o"]


def golden_vector_quantizer(config: EngineConfig, y: Any, fraction_bits: int) -> Records:
    size = config.datapath.vector_size
    vectors = requantize(y, config.output, vector_size=size, fraction_bits=fraction_bits)
    fields = {"elements": vectors.elements[:, 0]}
    if vectors.scales is not None:
        fields["scale"] = vectors.scales[:, 0]
    return records({**fields, "saturated": np.zeros(len(y), np.int64)})


@_STALLS
@pytest.mark.parametrize(
    "config",
    [
        _engine("3/3U/3/3"),
        _engine("3/4/3/4", post_lanes=2),
        _engine("3/2U/3/-"),
        _engine("3/5/3/-", lanes=4, post_lanes=4),
    ],
    ids=lambda config: config.slug,
)
def test_vector_quantizer(config: EngineConfig, stalls: float) -> None:
    y, fraction_bits = random_vectors(config, 100, np.random.default_rng(0))
    for bits in (0, int(np.bincount(fraction_bits).argmax()), 23):
        quantized = vector_quantizer(config, y, bits, stalls)
        assert quantized == golden_vector_quantizer(config, y, bits)


# The OCTAV unit.


def octav_unit(config: OctavConfig, tensors: list[Tensor], stalls: float = 0.0) -> Records:
    inputs, _ = _tensor_streams(config, tensors)
    # In a resident unit nothing moves on a port until the last pass over a tensor is done.
    quiet = config.max_iterations * (config.rows + 24)
    return play(OctavUnit(config), inputs, stalls=stalls, quiet=quiet)["o"]


def golden_octav_unit(config: OctavConfig, tensors: list[Tensor]) -> Records:
    _, results = _tensor_streams(config, tensors)
    return results


def _tensor_streams(
    config: OctavConfig, tensors: list[Tensor]
) -> tuple[Mapping[str, Payloads], Records]:
    design = design_of("octav", config)
    phase = tb_octav.case(design, config, "tensors", tensors).phase
    return _fields(design, phase.inputs), records(_fields(design, phase.expected)["o"])


_OCTAV_UNITS = [
    OctavConfig(sample_bits=6, lanes=2, depth=32),
    OctavConfig(sample_bits=6, lanes=2, depth=32, max_iterations=3, resident=False),
    OctavConfig(sample_bits=3, lanes=1, depth=8, fraction_bits=0, max_iterations=3),
]


@_STALLS
@pytest.mark.parametrize("config", _OCTAV_UNITS, ids=lambda config: config.slug)
def test_octav_unit(config: OctavConfig, stalls: float) -> None:
    tensors = octav_stimulus.corner_tensors(config)
    assert octav_unit(config, tensors, stalls) == golden_octav_unit(config, tensors)


def test_octav_unit_ends_in_every_way() -> None:
    ends = {
        row["end"]
        for config in _OCTAV_UNITS
        for row in golden_octav_unit(config, octav_stimulus.corner_tensors(config))
    }
    assert ends == set(End)


# The engine: buffers, sequencer, vector MACs, post-processor.

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
    return _fields(design, phase.inputs), records(_fields(design, phase.expected)["results"])


def _fields(design: Design, words: Mapping[str, Words]) -> dict[str, Payloads]:
    return {port: design.codec(port).unpack(each) for port, each in words.items()}


_ENGINES = {
    "fewer-lanes-than-elements": _engine("3/3U/3/3"),
    "more-lanes-than-elements": _engine("2/2/2/2", lanes=8, post_lanes=2, dsp_multipliers=True),
    "without-scales": _engine("2/3/-/-", lanes=4, depth=3, dsp_multipliers=True),
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


# The divider.


def divider(dividends: Any, divisors: Any, stalls: float, **widths: int) -> Records:
    operands = {"dividend": dividends, "divisor": divisors}
    return play(Divider(**widths), {"i": operands}, stalls=stalls)["o"]


def golden_divider(dividends: Any, divisors: Any) -> Records:
    return records({"quotient": dividends // divisors, "remainder": dividends % divisors})


@_STALLS
@pytest.mark.parametrize("bits_per_cycle", [1, 2, 3])
def test_divider(bits_per_cycle: int, stalls: float) -> None:
    rng = np.random.default_rng(0)
    divisors = rng.integers(1, 1 << 9, 60)
    dividends = rng.integers(0, divisors << 13)
    widths = {"dividend_width": 22, "divisor_width": 9, "quotient_width": 13}
    results = divider(dividends, divisors, stalls, bits_per_cycle=bits_per_cycle, **widths)
    assert results == golden_divider(dividends, divisors)


# The memory of rows, whose ports are no streams: cycle by cycle.

_Operation = dict[str, int]


def row_memory(depth: int, operations: list[_Operation], *, registered: bool) -> list[int]:
    """What can be read in each cycle, before the operation where registered, else during it."""
    memory = RowMemory(shape=unsigned(8), depth=depth, registered=registered)
    read: list[int] = []

    async def run(ctx: Any) -> None:
        for operation in operations:
            if registered:
                read.append(ctx.get(memory.read_data))
            for name, value in operation.items():
                if registered or name != "read_enable":
                    ctx.set(getattr(memory, name), value)
            if not registered:
                read.append(ctx.get(memory.read_data))
            await ctx.tick()

    simulator = Simulator(memory)
    simulator.add_clock(1e-6)
    simulator.add_testbench(run)
    simulator.run()
    return read


def golden_row_memory(depth: int, operations: list[_Operation], *, registered: bool) -> list[int]:
    rows, register, read = [0] * depth, 0, []
    for operation in operations:
        now = rows[operation["read_address"]]  # before the row is written: the old one
        read.append(register if registered else now)
        register = now if operation["read_enable"] else register
        if operation["write_enable"]:
            rows[operation["write_address"]] = operation["write_data"]
    return read


@pytest.mark.parametrize("registered", [True, False], ids=["registered", "direct"])
@pytest.mark.parametrize("depth", [1, 5, 8])
def test_row_memory(depth: int, registered: bool) -> None:
    rng = np.random.default_rng(depth)
    operations = [
        {
            "write_enable": int(rng.integers(2)),
            "write_address": int(rng.integers(depth)),
            "write_data": int(rng.integers(256)),
            "read_enable": int(rng.integers(2)),
            "read_address": int(rng.integers(depth)),
        }
        for _ in range(300)
    ]
    read = row_memory(depth, operations, registered=registered)
    assert read == golden_row_memory(depth, operations, registered=registered)


# Each of these comparisons sees a fault.

_SCALED = _ENGINES["fewer-lanes-than-elements"]
_FAULTS: dict[str, tuple[Callable[[], None], Fault]] = {
    "vector-mac-rounds-half-down": (
        partial(test_vector_mac, _MACS[-1]),
        (
            VectorMac._rounded_scale_product,
            "half = 1 << shift >> 1",
            "half = (1 << shift >> 1) - 1",
        ),
    ),
    "vector-mac-does-not-complement-negative-bits": (
        partial(test_vector_mac, _MACS[0]),
        (Compressor._add_bits, "bits = ~bits", "pass"),
    ),
    "rescaler-rounds-ties-up": (
        partial(test_rescaler_rounds_ties_to_even, _RESCALERS[1]),
        (RescalerLane._result, "shifted[0] & (lost | floor[0])", "shifted[0]"),
    ),
    "rescaler-cuts-accumulators-at-zero": (
        partial(test_rescaler, _RESCALERS[1], 0.0),
        (
            RescalerLane.elaborate,
            "product[:accumulator_bits].as_signed()",
            "Mux(self.s1_relu & product[-1], 0, product[:accumulator_bits].as_signed())",
        ),
    ),
    "vector-quantizer-rounds-ties-away-from-zero": (
        partial(test_vector_quantizer, _SCALED, 0.0),
        (ElementQuotient.elaborate, "(tie & (self.magnitude.rest | quotient[0]))", "tie"),
    ),
    "octav-unit-calls-a-cycle-fixed": (
        partial(test_octav_unit, _OCTAV_UNITS[0], 0.0),
        (Progress.judge, "verdict.eq(End.CYCLE)", "verdict.eq(End.FIXED)"),
    ),
    "engine-reads-a-row-of-weights-before-it-is-there": (
        partial(test_engine_with_sums_in_parts, _SCALED),
        (WeightBuffer.elaborate, "position < loaded", "position < loaded + (lane == lanes - 1)"),
    ),
    "engine-frees-parameters-too-early": (
        partial(test_engine_with_one_layer_behind_the_other, _SCALED),
        (ParameterBuffer.elaborate, "held != 2", "unread != 2"),
    ),
    "engine-starts-sums-from-0-after-a-partial-tile": (
        partial(test_engine_with_sums_in_parts, _SCALED),
        (Sequencer.elaborate, "(vector == 0) & ~resumes", "vector == 0"),
    ),
    "engine-gives-sums-of-a-partial-tile": (
        partial(test_engine_with_sums_in_parts, _SCALED),
        (PostProcessor._feed, "beats.valid.eq(~partial)", "beats.valid.eq(1)"),
    ),
    "engine-waits-for-ready": (
        partial(test_engine_with_one_layer_behind_the_other, _SCALED),
        (
            PostProcessor.elaborate,
            "self.o.valid.eq(quantizer.o.valid | direct)",
            "self.o.valid.eq((quantizer.o.valid | direct) & self.o.ready)",
        ),
    ),
    "divider-loses-the-uppermost-bits": (
        partial(test_divider, 2, 0.0),
        (Divider.elaborate, "self.i.payload.dividend >> steps", "0"),
    ),
    "row-memory-writes-without-being-told": (
        partial(test_row_memory, 5, True),
        (RowMemory.elaborate, "write.en.eq(self.write_enable)", "write.en.eq(1)"),
    ),
}


@pytest.mark.parametrize(("compare", "fault"), _FAULTS.values(), ids=_FAULTS)
def test_sees_a_fault(
    compare: Callable[[], None], fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert_fault(fault, monkeypatch)
    with pytest.raises(AssertionError):
        compare()
