"""What the vector quantizer is tested with, what is expected of it, and how a failure reads."""

from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from scalewright.golden.config import OUTPUT_FRACTION_BITS, EngineConfig
from scalewright.golden.requantize import requantize
from scalewright.hw.post_processor.vector_quantizer import VectorQuantizer
from scalewright.sim.bench import stall
from scalewright.sim.bench.case import Case
from scalewright.sim.bench.codec import Words
from scalewright.sim.bench.design import Design
from scalewright.sim.bench.plan import Mismatch, Phase

INPUT, OUTPUT = "i", "o"

Integers = npt.NDArray[np.int64]

_RESETS = 10


def random_vectors(
    config: EngineConfig, count: int, rng: np.random.Generator
) -> tuple[Integers, Integers]:
    """Vectors y (T, V) of every magnitude, rich in ties and in peaks at a scale's edge; f (T,)."""
    size = config.datapath.vector_size
    fmt = config.output
    limit = 1 << (config.result_bits - 1)
    fraction_bits = rng.integers(len(OUTPUT_FRACTION_BITS), size=count)
    levels = fmt.qmax * fmt.scale_max
    usual = int(np.clip(config.result_bits - 1 - levels.bit_length(), 0, OUTPUT_FRACTION_BITS[-1]))
    fraction_bits = np.where(rng.random(count) < 0.6, usual, fraction_bits)
    step = (np.int64(1) << fraction_bits)[:, None]
    y = rng.integers(-limit, limit, (count, size)) >> rng.integers(
        0, config.result_bits, (count, 1)
    )
    # Scales s, peaks at s * qmax * 2^f and next to it, and elements at ties of that scale.
    scale = rng.integers(1, fmt.scale_max, (count, 1), endpoint=True)
    halves = rng.integers(-2 * fmt.qmax, 2 * fmt.qmax, (count, size), endpoint=True)
    tied = (halves * scale * step) // 2
    tied += rng.choice([-1, 0, 0, 0, 1], tied.shape)
    tied[:, 0] = (fmt.qmax * scale * step)[:, 0] + rng.choice([-1, 0, 1], count)
    lanes = rng.permuted(np.broadcast_to(np.arange(size), tied.shape), axis=1)
    tied = np.take_along_axis(tied, lanes, axis=1)
    y = np.where(rng.random((count, 1)) < 0.5, np.clip(tied, -limit, limit - 1), y)
    y[rng.random(count) < 0.03] = 0
    y = np.where(rng.random((count, 1)) < 0.05, rng.choice([-limit, limit - 1], y.shape), y)
    return y, fraction_bits


def cases(design: Design, config: EngineConfig, count: int, seed: int) -> list[Case]:
    """Everything a regression plays on one configuration.

    Args:
        design: The design.
        config: Its configuration.
        count: Random vectors, in all.
        seed: Seed of everything random.
    """
    rng = np.random.default_rng(seed)
    made: list[Case] = []
    beats = config.datapath.vector_size // config.post_lanes
    latency: int = VectorQuantizer.latency_of(config)

    def add(name: str, vectors: int, **options: Any) -> None:
        y, fraction_bits = random_vectors(config, vectors, rng)
        marks = rng.random((vectors, beats)) < 0.1
        inputs = design.codec(INPUT).pack(
            {
                "values": y.reshape(-1, config.post_lanes),
                "fraction_bits": np.repeat(fraction_bits, beats),
                "saturated": marks.ravel(),
            }
        )
        phase = Phase(
            name=name,
            inputs={INPUT: inputs},
            expected={OUTPUT: _expected(design, config, y, fraction_bits, np.any(marks, axis=1))},
            **options,
        )
        cycles = None if options else (vectors - 1) * beats + latency
        covers = covered(config, y, fraction_bits)
        made.append(Case(phase, vectors, partial(_explain, y, fraction_bits), cycles, covers))

    add("single", 1)
    add("single-patient-sink", 1, patient=True)
    for cycle in sorted({int(cycle) for cycle in np.linspace(0, 4 * beats + 4, _RESETS)}):
        add(f"reset-after-{cycle}", 6, reset_after=cycle)
    share = -(-count // 4)
    add("random", share)
    add("random-stalled-source", share, offers={INPUT: stall.scattered(rng, 0.5)})
    add(
        "random-stalled-both",
        share,
        offers={INPUT: stall.bursts(rng, 4)},
        accepts={OUTPUT: stall.bursts(rng, 3 * beats)},
    )
    add("random-patient-sink", share, patient=True)
    return made


def covered(config: EngineConfig, y: Integers, fraction_bits: Integers) -> dict[str, int]:
    """What vectors are quantized, and how often."""
    fmt = config.output
    peaks = np.abs(y).max(axis=1) if fmt.signed else y.clip(min=0).max(axis=1)
    largest = fmt.qmax * fmt.scale_max << fraction_bits
    events = {
        "vectors of zeros": peaks == 0,
        "scales at their largest": (peaks > largest - (fmt.qmax << fraction_bits)),
        "elements clipped": peaks > largest,
        "largest results": peaks >= (1 << config.result_bits - 1) - 1,
    }
    return {name: int(np.count_nonzero(event)) for name, event in events.items()}


def hurdles(config: EngineConfig) -> dict[str, str]:
    """Why a regression may lack an event of `covered`."""
    fmt = config.output
    largest = (1 << config.result_bits - 1) - (0 if fmt.signed else 1)
    short = "no result of so few bits is as large"
    hurdles = {}
    if largest <= fmt.qmax * fmt.scale_max:
        hurdles["elements clipped"] = short
    if largest <= fmt.qmax * (fmt.scale_max - 1):
        hurdles["scales at their largest"] = short
    return hurdles


def _expected(
    design: Design,
    config: EngineConfig,
    y: Integers,
    fraction_bits: Integers,
    marked: npt.NDArray[Any],
) -> Words:
    fields: dict[str, npt.NDArray[Any]] = {
        "elements": np.zeros(y.shape, np.int64),
        "saturated": marked,
    }
    if config.output.scale_bits is not None:
        fields["scale"] = np.zeros(len(y), np.int64)
    for bits in np.unique(fraction_bits):
        rows = fraction_bits == bits
        quantized = requantize(
            y[rows],
            config.output,
            vector_size=config.datapath.vector_size,
            fraction_bits=int(bits),
        )
        fields["elements"][rows] = quantized.elements[:, 0]
        if quantized.scales is not None:
            fields["scale"][rows] = quantized.scales[:, 0]
    return design.codec(OUTPUT).pack(fields)


def _explain(y: Integers, fraction_bits: Integers, mismatch: Mismatch) -> list[str]:
    if mismatch.index >= len(y):
        return ["a surplus result: no vector belongs to it"]
    return [f"y={y[mismatch.index].tolist()}", f"fraction_bits={fraction_bits[mismatch.index]}"]
