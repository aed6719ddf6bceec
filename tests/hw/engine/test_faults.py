"""The regressions of the engine and its blocks: they must see every fault put into the hardware."""

import pytest

from scalewright.golden.config import DatapathConfig, EngineConfig
from scalewright.hw.arithmetic.quantization import (
    ElementQuotient,
    Magnitude,
    PeakScale,
    shift_right,
)
from scalewright.hw.engine import Engine
from scalewright.hw.engine.sequencer import Sequencer
from scalewright.hw.engine.weight_buffer import WeightBuffer
from scalewright.hw.post_processor import PostProcessor
from scalewright.hw.post_processor.parameter_buffer import ParameterBuffer
from scalewright.hw.post_processor.rescaler import Rescaler
from scalewright.hw.post_processor.rescaler_lane import RescalerLane
from scalewright.hw.post_processor.vector_quantizer import VectorQuantizer
from scalewright.sim.regression.regress import Regression, Verdict, regress
from tests.benches.faults import Fault, insert_fault

# Small, but with two groups in a tile, two beats in a row of sums, four in a vector, and a ring of
# weights whose depth is no power of two.
_CONFIG = EngineConfig(
    datapath=DatapathConfig.parse("3/3U/3/3", vector_size=4, accumulator_bits=16),
    lanes=2,
    depth=6,
    post_lanes=1,
)
_TRANSACTIONS = 1000

_ENGINE_FAULTS: dict[str, Fault] = {
    "the-ring-of-weights-wraps-one-row-late": (
        WeightBuffer.elaborate,
        "Mux(write_row == depth - 1, 0, write_row + 1)",
        "Mux(write_row == depth, 0, write_row + 1)",
    ),
    "a-tile-frees-one-row-too-few": (
        WeightBuffer.elaborate,
        "Mux(self.read & self.release, position + 1, 0)",
        "Mux(self.read & self.release, position, 0)",
    ),
    "reading-does-not-go-back-to-the-first-row-of-the-tile": (
        WeightBuffer.elaborate,
        "read_row.eq(first_row)",
        "read_row.eq(following)",
    ),
    "a-row-is-read-before-its-last-vector-is-there": (
        WeightBuffer.elaborate,
        "position < loaded",
        "position < loaded + (lane == lanes - 1)",
    ),
    "weights-overwrite-those-of-the-present-tile": (
        WeightBuffer.elaborate,
        "loaded != depth",
        "(loaded != depth) | (position == depth - 1)",
    ),
    "the-scale-of-the-weights-is-that-of-the-next-lane": (
        Engine.elaborate,
        "weight_scale.eq(weight.scale)",
        "weight_scale.eq(weight_buffer.row[number ^ 1].scale)",
    ),
    "sums-start-from-0-after-a-partial-tile": (
        Sequencer.elaborate,
        "(vector == 0) & ~resumes",
        "vector == 0",
    ),
    "the-place-in-a-sum-survives-reset": (
        Sequencer.elaborate,
        "Signal.like(self.tile.vectors)",
        "Signal.like(self.tile.vectors, reset_less=True)",
    ),
    "a-partial-tile-is-remembered-through-reset": (
        Sequencer.elaborate,
        "resumes = Signal()",
        "resumes = Signal(reset_less=True)",
    ),
    "the-end-of-a-tile-is-lost-while-stalled": (
        Sequencer.elaborate,
        "with m.If(self.read):",
        "with m.If(~self.o.ready):\n"
        "        m.d.sync += self.o.payload.ends_tile.eq(0)\n"
        "    with m.If(self.read):",
    ),
    "parameters-overwrite-those-that-the-post-processor-needs": (
        ParameterBuffer.elaborate,
        "held != 2",
        "unread != 2",
    ),
    "parameters-go-with-the-first-beat-of-a-tiles-last-row": (
        PostProcessor._feed,
        "ends_row & row.ends_tile",
        "takes & row.ends_tile & (row_beat == 0)",
    ),
    "sums-of-a-partial-tile-become-results": (
        PostProcessor._feed,
        "beats.valid.eq(~partial)",
        "beats.valid.eq(1)",
    ),
    "a-row-survives-reset": (
        PostProcessor._feed,
        "row_valid = Signal()",
        "row_valid = Signal(reset_less=True)",
    ),
    "a-result-overtakes-quantized-ones": (
        PostProcessor.elaborate,
        "m.d.sync += inside.eq(",
        "m.d.sync += Signal.like(inside).eq(",
    ),
    "valid-waits-for-ready": (
        PostProcessor.elaborate,
        "self.o.valid.eq(quantizer.o.valid | direct)",
        "self.o.valid.eq((quantizer.o.valid | direct) & self.o.ready)",
    ),
}

_RESCALER_FAULTS: dict[str, Fault] = {
    "ties-go-up": (
        RescalerLane._result,
        "shifted[0] & (lost | floor[0])",
        "shifted[0]",
    ),
    "what-is-shifted-out-does-not-matter": (
        RescalerLane._result,
        "shifted[0] & (lost | floor[0])",
        "shifted[0] & floor[0]",
    ),
    "results-saturate-before-the-bias": (
        RescalerLane._result,
        "high = floor[bits:]",
        "high = floor[bits - 1 :]",
    ),
    "relu-comes-before-the-bias": (
        RescalerLane._result,
        "Mux(self.s1_relu & y[-1], 0, y)",
        "Mux(self.s1_relu & floor[-1], self.s1_bias, y)",
    ),
    "accumulators-pass-through-relu": (
        RescalerLane.elaborate,
        "product[:accumulator_bits].as_signed()",
        "Mux(self.s1_relu & product[-1], 0, product[:accumulator_bits].as_signed())",
    ),
    "accumulators-are-marked-where-their-results-would-saturate": (
        Rescaler.elaborate,
        "(saturated.any() & (s1.output != Output.ACCUMULATOR))",
        "saturated.any()",
    ),
    "shifting-by-32-does-not-extend-the-sign": (
        shift_right,
        "value >> (1 << stage)",
        "(value.as_unsigned() if stage == 5 else value) >> (1 << stage)",
    ),
}

_QUANTIZER_FAULTS: dict[str, Fault] = {
    "scales-are-rounded-down": (PeakScale.elaborate, "remainder.any() | below", "0"),
    "elements-are-not-clipped": (
        ElementQuotient.elaborate,
        "(quotient + (upward & ~quotient.all())) | too_large.replicate(width)",
        "quotient + upward",
    ),
    "ties-go-away-from-zero": (
        ElementQuotient.elaborate,
        "(tie & (self.magnitude.rest | quotient[0]))",
        "tie",
    ),
    "negative-results-count-in-unsigned-vectors": (
        Magnitude.elaborate,
        "-self.y if self._signed else 0",
        "-self.y",
    ),
    "a-peak-is-carried-over-to-the-next-vector": (
        VectorQuantizer.elaborate,
        "Mux(gathered == 0, 0, peak.as_value())",
        "peak.as_value()",
    ),
    "a-mark-is-carried-over-to-the-next-vector": (
        VectorQuantizer.elaborate,
        "(peak_marked & (gathered != 0))",
        "peak_marked",
    ),
    "the-ring-has-one-row-too-few": (
        VectorQuantizer.elaborate,
        "rows = beats + 2",
        "rows = beats + 1",
    ),
    "the-ring-is-overwritten": (
        VectorQuantizer.elaborate,
        "(level != rows) & (~peak_valid | peak_taken)",
        "~peak_valid | peak_taken",
    ),
    "a-vector-in-the-making-survives-reset": (
        VectorQuantizer.elaborate,
        "gathered = Signal(range(beats))",
        "gathered = Signal(range(beats), reset_less=True)",
    ),
}

_FAULTS = {
    "engine": _ENGINE_FAULTS,
    "rescaler": _RESCALER_FAULTS,
    "vector-quantizer": _QUANTIZER_FAULTS,
}


def _verdict(block: str) -> Verdict:
    return regress(Regression(block, _CONFIG, transactions=_TRANSACTIONS, seed=0))


@pytest.mark.parametrize("block", _FAULTS)
def test_sees_nothing_wrong_with_sound_hardware(block: str) -> None:
    verdict = _verdict(block)
    assert verdict.failure is None, verdict.failure


@pytest.mark.parametrize(
    ("block", "fault"),
    [
        pytest.param(block, fault, id=f"{block}-{name}")
        for block, faults in _FAULTS.items()
        for name, fault in faults.items()
    ],
)
def test_sees_a_fault(block: str, fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    insert_fault(fault, monkeypatch)
    assert _verdict(block).failure is not None
