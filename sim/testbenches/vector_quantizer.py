"""What the vector quantizer is tested with, what is expected of it, and how a failure reads."""

from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from scalewright.golden.config import OUTPUT_FRACTION_BITS, EngineConfig, OperandFormat
from scalewright.golden.requantize import requantize
from scalewright.hw.post_processor.vector_quantizer import VectorQuantizer
from scalewright.sim.bench import stall
from scalewright.sim.bench.case import Case
from scalewright.sim.bench.codec import Words
from scalewright.sim.bench.design import Design
from scalewright.sim.bench.element import element_bits
from scalewright.sim.bench.plan import Mismatch, Phase

INPUT, OUTPUT = "i", "o"

Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_RESETS = 10


@dataclass(frozen=True, eq=False)
class Vectors:
    """What is quantized.

    Attributes:
        y: (T, V) integers of R bits.
        fraction_bits: f, (T,).
        signed: Whether the elements are to be, (T,).
    """

    y: Integers
    fraction_bits: Integers
    signed: Flags


def random_vectors(config: EngineConfig, count: int, rng: np.random.Generator) -> Vectors:
    """Vectors y of every magnitude, rich in ties and in peaks at a scale's edge.

    Those of either sign change it at random.
    """
    if not config.datapath.either_sign:
        y, fraction_bits = _drawn(config, config.output, count, rng)
        return Vectors(y, fraction_bits, np.full(count, config.output.signed))
    signed = rng.random(count) < 0.5
    drawn = [_drawn(config, fmt, count, rng) for fmt in config.outputs]
    (y, fraction_bits), (others, other_bits) = drawn
    return Vectors(
        np.where(signed[:, None], y, others), np.where(signed, fraction_bits, other_bits), signed
    )


def _drawn(
    config: EngineConfig, fmt: OperandFormat, count: int, rng: np.random.Generator
) -> tuple[Integers, Integers]:
    """Vectors y (T, V) for elements of a format, and f (T,)."""
    size = config.datapath.vector_size
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
        drawn = random_vectors(config, vectors, rng)
        marks = rng.random((vectors, beats)) < 0.1
        fields = {
            "values": drawn.y.reshape(-1, config.post_lanes),
            "fraction_bits": np.repeat(drawn.fraction_bits, beats),
            "saturated": marks.ravel(),
        }
        if config.datapath.either_sign:
            fields["output_signed"] = np.repeat(drawn.signed, beats)
        inputs = design.codec(INPUT).pack(fields)
        phase = Phase(
            name=name,
            inputs={INPUT: inputs},
            expected={OUTPUT: _expected(design, config, drawn, np.any(marks, axis=1))},
            **options,
        )
        cycles = None if options else (vectors - 1) * beats + latency
        covers = covered(config, drawn)
        made.append(Case(phase, vectors, partial(_explain, drawn), cycles, covers))

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


def covered(config: EngineConfig, vectors: Vectors) -> dict[str, int]:
    """What vectors are quantized, and how often."""
    y, signed = vectors.y, vectors.signed
    peaks = np.where(signed, np.abs(y).max(axis=1), y.clip(min=0).max(axis=1))
    bits = config.output.element_bits
    unit = np.where(signed, (1 << bits - 1) - 1, (1 << bits) - 1) << vectors.fraction_bits
    largest = unit * config.output.scale_max
    events = {
        "vectors of zeros": peaks == 0,
        "scales at their largest": peaks > largest - unit,
        "elements clipped": peaks > largest,
        "largest results": peaks >= (1 << config.result_bits - 1) - 1,
    }
    if config.datapath.either_sign:
        events["signed vectors"] = signed
        events["unsigned vectors with a negative number"] = ~signed & (y.min(axis=1) < 0)
    return {name: int(np.count_nonzero(event)) for name, event in events.items()}


def hurdles(config: EngineConfig) -> dict[str, str]:
    """Why a regression may lack an event of `covered`."""
    fmt = config.output  # of either sign, the one with the smaller elements
    largest = (1 << config.result_bits - 1) - (0 if fmt.signed else 1)
    short = "no result of so few bits is as large"
    hurdles = {}
    if largest <= fmt.qmax * fmt.scale_max:
        hurdles["elements clipped"] = short
    if largest <= fmt.qmax * (fmt.scale_max - 1):
        hurdles["scales at their largest"] = short
    return hurdles


def _expected(
    design: Design, config: EngineConfig, vectors: Vectors, marked: npt.NDArray[Any]
) -> Words:
    y = vectors.y
    fields: dict[str, npt.NDArray[Any]] = {
        "elements": np.zeros(y.shape, np.int64),
        "saturated": marked,
    }
    if config.output.scale_bits is not None:
        fields["scale"] = np.zeros(len(y), np.int64)
    for fmt, bits in product(config.outputs, np.unique(vectors.fraction_bits)):
        rows = (vectors.fraction_bits == bits) & (vectors.signed == fmt.signed)
        if not rows.any():
            continue
        quantized = requantize(
            y[rows], fmt, vector_size=config.datapath.vector_size, fraction_bits=int(bits)
        )
        fields["elements"][rows] = quantized.elements[:, 0]
        if quantized.scales is not None:
            fields["scale"][rows] = quantized.scales[:, 0]
    if config.datapath.either_sign:
        fields["elements"] = element_bits(fields["elements"], config.output)
    return design.codec(OUTPUT).pack(fields)


def _explain(vectors: Vectors, mismatch: Mismatch) -> list[str]:
    at = mismatch.index
    if at >= len(vectors.y):
        return ["a surplus result: no vector belongs to it"]
    return [f"{name}={values[at].tolist()}" for name, values in vars(vectors).items()]
