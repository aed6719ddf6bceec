"""What the vector MAC is tested with, what is expected of it, and how a failure reads."""

from functools import partial
from typing import Any

import numpy as np

from scalewright.golden.config import DatapathConfig
from scalewright.golden.mac import MacResult, StreamTrace, round_scale_product, trace_stream
from scalewright.sim.bench import stall
from scalewright.sim.bench.case import Case
from scalewright.sim.bench.codec import Codec, Words
from scalewright.sim.bench.design import Design
from scalewright.sim.bench.element import as_fields
from scalewright.sim.bench.plan import Mismatch, Phase
from scalewright.sim.stimulus import vector_pairs as stimulus
from scalewright.sim.stimulus.vector_pairs import Stream

INPUT, OUTPUT = "i", "o"
ABOVE, BELOW, BACK = "saturated above", "saturated below", "saturated, and came back"
LARGEST, SMALLEST = "exactly the largest value", "exactly the smallest value"

# Resets in mid-stream are tried in each of these first cycles: past the pipeline's depth.
_RESET_CYCLES = 9
# Wide vectors of each composition, at least.
_WIDE_VECTORS = 60
# Vector pairs printed of a sum that went wrong.
_SHOWN = 12


def golden(stream: Stream, config: DatapathConfig) -> tuple[MacResult, StreamTrace]:
    """What the golden model says of a stream."""
    return trace_stream(**stream, config=config)


def pack_results(codec: Codec, result: MacResult) -> Words:
    """Results as the words of the output stream."""
    return codec.pack(
        {"accumulator": result.accumulators.ravel(), "saturated": result.saturated.ravel()}
    )


def covered(stream: Stream, trace: StreamTrace, config: DatapathConfig) -> dict[str, int]:
    """What sums do in a stream, and how often."""
    starts = stream["first"].astype(np.bool_)
    starts[:1] = True
    before = np.where(starts, 0, np.roll(trace.accumulator, 1))
    exact = before + trace.partial_sum
    above, below = exact > config.accumulator_max, exact < config.accumulator_min
    inside = (trace.accumulator > config.accumulator_min) & (
        trace.accumulator < config.accumulator_max
    )
    events = {
        ABOVE: above,
        BELOW: below,
        BACK: trace.saturated & inside,
        LARGEST: exact == config.accumulator_max,
        SMALLEST: exact == config.accumulator_min,
        "sums that go on after a result": ~starts & np.roll(stream["last"].astype(np.bool_), 1),
    }
    if config.either_sign:
        signed = stream["activation_signed"].astype(np.bool_)
        events["sums of both signs' activations"] = ~starts & (signed != np.roll(signed, 1))
        lowest = (stream["activations"] == config.activations.element_min).any(axis=1)
        events["activations at the lowest bit pattern"] = lowest
    return {name: int(np.count_nonzero(event)) for name, event in events.items()}


def hurdles(config: DatapathConfig) -> dict[str, str]:
    """Why a regression may lack an event of `covered`."""
    w, formats = config.weights, config.activation_formats
    ends = [end for a in formats for end in (a.element_min, a.qmax)]
    products = [x * y for x in (w.element_min, w.qmax) for y in ends]
    scale = round_scale_product(w.scale_max * config.activations.scale_max, config)
    factor = int(scale) * config.vector_size
    above = -(-(config.accumulator_max + 1) // (max(products) * factor))
    below = -(-(config.accumulator_min - 1) // (min(products) * factor))
    lengths = {
        ABOVE: above,
        LARGEST: above,
        BELOW: below,
        SMALLEST: below,
        BACK: min(above, below) + 1,
    }
    return {
        event: f"takes a sum of {vectors:,} vectors or more" for event, vectors in lengths.items()
    }


def case(name: str, design: Design, config: DatapathConfig, stream: Stream, **options: Any) -> Case:
    """A phase that plays a stream; `options` are those of the phase."""
    result, trace = golden(stream, config)
    phase = Phase(
        name=name,
        inputs={INPUT: design.codec(INPUT).pack(as_fields(stream, config))},
        expected={OUTPUT: pack_results(design.codec(OUTPUT), result)},
        **options,
    )
    count = len(stream["last"])
    # With a result for every vector and without stalls: one cycle each, and the latency.
    full_rate = bool(stream["last"].all()) and not options
    cycles = count - 1 + config.pipeline_depth if full_rate else None
    covers = covered(stream, trace, config)
    return Case(phase, count, partial(_explain, stream, trace), cycles, covers)


def cases(design: Design, config: DatapathConfig, vectors: int, seed: int) -> list[Case]:
    """Everything a regression plays on one configuration.

    Args:
        design: The design.
        config: Its configuration.
        vectors: Random vector pairs, in all.
        seed: Seed of everything random.
    """
    rng = np.random.default_rng(seed)
    made: list[Case] = []

    def add(name: str, stream: Stream, **options: Any) -> None:
        made.append(case(name, design, config, stream, **options))

    single = stimulus.random(config, 1, rng)
    add("single", single)
    add("single-patient-sink", single, patient=True)
    add("element-products", stimulus.element_products(config, rng))
    if config.full_scale_product_bits:
        add("scale-products", stimulus.scale_products(config, rng))
    add("corners", stimulus.corners(config, rng))
    short = stimulus.random(config, 40, rng)
    short["last"][::2] = True  # keeps results in flight
    for cycle in range(_RESET_CYCLES):
        add(f"reset-after-{cycle}", short, reset_after=cycle)
    add(
        "reset-while-stalled",
        short,
        reset_after=23,
        accepts={OUTPUT: stall.bursts(rng, 5)},
    )
    share = -(-vectors // 6)
    add("random", stimulus.random(config, share, rng))
    stalls: dict[str, dict[str, Any]] = {
        "random-stalled-source": {"offers": {INPUT: stall.scattered(rng, 0.5)}},
        "random-stalled-sink": {"accepts": {OUTPUT: stall.scattered(rng, 0.3)}},
        "random-stalled-both": {
            "offers": {INPUT: stall.bursts(rng, 4)},
            "accepts": {OUTPUT: stall.bursts(rng, 6)},
        },
        "random-alternating": {
            "offers": {INPUT: stall.alternating()},
            "accepts": {OUTPUT: ~stall.alternating()},
        },
        "random-patient-sink": {"patient": True},
    }
    for name, options in stalls.items():
        stream = stimulus.random(config, share, rng)
        stream["last"] |= rng.random(share) < 0.5  # enough results to feel the sink
        add(name, stream, **options)
    wide = stimulus.composed(config, max(_WIDE_VECTORS, share // 4), rng)
    if wide is not None:
        add("composed", wide)
        add("composed-stalled", wide, **stalls["random-stalled-both"])
    return made


def _explain(stream: Stream, trace: StreamTrace, mismatch: Mismatch) -> list[str]:
    ends = np.flatnonzero(stream["last"])
    if mismatch.index >= len(ends):
        return ["a surplus result: no transaction belongs to it"]
    end = int(ends[mismatch.index])
    begins = np.flatnonzero(stream["first"][: end + 1])
    begin = int(begins[-1]) if len(begins) else 0
    lines = [f"sum of vector pairs {begin} to {end}:"]
    if end - begin >= _SHOWN:
        lines.append(f"... {end - begin + 1 - _SHOWN} vector pairs before these ...")
    for at in range(max(begin, end - _SHOWN + 1), end + 1):
        lines += _vector_pair(stream, trace, at)
    return lines


def _vector_pair(stream: Stream, trace: StreamTrace, at: int) -> list[str]:
    operands = [f"{name}={stream[name][at].tolist()}" for name in stream]
    values = [f"{name}={getattr(trace, name)[at]}" for name in vars(trace)]
    return [f"[{at}] {' '.join(operands)}", f"     golden: {' '.join(values)}"]
