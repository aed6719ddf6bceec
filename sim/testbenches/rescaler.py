"""What the rescaler is tested with, what is expected of it, and how a failure reads."""

from functools import partial
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from scalewright.golden.config import (
    EXPONENTS,
    MANTISSA_BITS,
    OUTPUT_FRACTION_BITS,
    ActivationFunction,
    EngineConfig,
    Output,
)
from scalewright.golden.rescale import Rescaling, rescale
from scalewright.hw.post_processor.rescaler import Rescaler
from scalewright.sim.bench import stall
from scalewright.sim.bench.case import Case
from scalewright.sim.bench.design import Design
from scalewright.sim.bench.plan import Mismatch, Phase

INPUT, OUTPUT = "i", "o"
# They leave as they came.
PASSING = ("output", "fraction_bits", "output_signed")

Beats: TypeAlias = dict[str, npt.NDArray[Any]]

_RESET_CYCLES = 6


def golden(beats: Beats, config: EngineConfig) -> Beats:
    """What the golden model says of beats (T, Q)."""
    accumulators = beats["accumulators"]
    passed = beats["output"] == Output.ACCUMULATOR
    results = np.empty_like(accumulators)
    clips = np.empty(accumulators.shape, np.bool_)
    for function in ActivationFunction:
        chosen = beats["activation_function"] == function
        numbers = accumulators[chosen]
        # One rescaling per channel: each number is a channel of its own here.
        rescaling = Rescaling(
            mantissas=beats["mantissas"][chosen].ravel(),
            exponents=beats["exponents"][chosen].ravel(),
            biases=beats["biases"][chosen].ravel(),
            result_bits=config.result_bits,
            activation_function=function,
        )
        y, clipped = rescale(numbers.ravel(), rescaling)
        results[chosen] = y.reshape(numbers.shape)
        clips[chosen] = clipped.reshape(numbers.shape)
    return {
        "values": np.where(passed[:, None], accumulators, results),
        "saturated": beats["saturated"] | (clips.any(axis=1) & ~passed),
        **{name: beats[name] for name in PASSING if name in beats},
    }


def covered(beats: Beats, want: Beats, config: EngineConfig) -> dict[str, int]:
    """What becomes of the beats, and how often."""
    rescaled = (beats["output"] != Output.ACCUMULATOR)[:, None]
    limit = 1 << (config.result_bits - 1)
    fits = beats["exponents"] > 0
    product = beats["accumulators"] * beats["mantissas"]
    half = np.where(fits, 1 << np.maximum(beats["exponents"] - 1, 0).clip(max=62), 0)
    events = {
        "beats with a saturated result": want["saturated"] & ~beats["saturated"],
        "largest results": rescaled & (want["values"] == limit - 1),
        "smallest results": rescaled & (want["values"] == -limit),
        "ties": rescaled & fits & (product & (2 * half - 1) == half),
        "factors of 0": rescaled & (beats["mantissas"] == 0),
        **{
            f"results of negative sums with {function.name}": rescaled
            & (beats["activation_function"] == function)[:, None]
            & (product < 0)
            for function in ActivationFunction
        },
        "accumulators as they are": ~rescaled,
    }
    return {name: int(np.count_nonzero(event)) for name, event in events.items()}


def random_beats(config: EngineConfig, count: int, rng: np.random.Generator) -> Beats:
    """Beats whose results lie around the ends of y and of its rounding, corners among them."""
    shape = (count, config.post_lanes)
    low, high = config.datapath.accumulator_min, config.datapath.accumulator_max
    bits = config.datapath.accumulator_bits
    accumulators = rng.integers(low, high, shape, endpoint=True) >> rng.integers(0, bits, shape)
    corners = np.array([low, low + 1, -1, 0, 1, high - 1, high])
    accumulators = np.where(rng.random(shape) < 0.1, rng.choice(corners, shape), accumulators)
    mantissas = rng.integers(1 << (MANTISSA_BITS - 1), 1 << MANTISSA_BITS, shape)
    # Round factors bring ties.
    mantissas = np.where(rng.random(shape) < 0.3, 1 << (MANTISSA_BITS - 1), mantissas)
    mantissas = np.where(rng.random(shape) < 0.03, 0, mantissas)
    # Mostly such that |acc| * m / 2^e has about R bits.
    lengths = np.frexp(np.abs(accumulators).astype(np.float64))[1]
    exponents = lengths + MANTISSA_BITS - config.result_bits + rng.integers(-3, 6, shape)
    # A wrong sign behind a shift by 32 shows in one exponent alone: beyond, all rounds to 0.
    far = np.where(rng.random(shape) < 0.2, 32, rng.integers(len(EXPONENTS), size=shape))
    exponents = np.where(rng.random(shape) < 0.1, far, np.clip(exponents, 0, EXPONENTS[-1]))
    limit = 1 << (config.result_bits - 1)
    biases = rng.integers(-limit, limit, shape) >> rng.integers(0, config.result_bits, shape)
    biases = np.where(rng.random(shape) < 0.05, rng.choice([-limit, limit - 1], shape), biases)
    sign = {"output_signed": rng.random(count) < 0.5} if config.datapath.either_sign else {}
    return {
        **sign,
        "accumulators": accumulators,
        "mantissas": mantissas,
        "exponents": exponents,
        "biases": biases,
        "saturated": rng.random(count) < 0.1,
        "activation_function": rng.choice(list(ActivationFunction), count),
        "output": rng.choice([Output.QUANTIZED, Output.RESCALED, Output.ACCUMULATOR], count),
        "fraction_bits": rng.integers(len(OUTPUT_FRACTION_BITS), size=count),
    }


def cases(design: Design, config: EngineConfig, count: int, seed: int) -> list[Case]:
    """Everything a regression plays on one configuration.

    Args:
        design: The design.
        config: Its configuration.
        count: Random beats, in all.
        seed: Seed of everything random.
    """
    rng = np.random.default_rng(seed)
    made: list[Case] = []

    def add(name: str, beats: Beats, **options: Any) -> None:
        want = golden(beats, config)
        phase = Phase(
            name=name,
            inputs={INPUT: design.codec(INPUT).pack(beats)},
            expected={OUTPUT: design.codec(OUTPUT).pack(want)},
            **options,
        )
        length = len(beats["output"])
        cycles = None if options else length - 1 + Rescaler.latency
        covers = covered(beats, want, config)
        made.append(Case(phase, length, partial(_explain, beats), cycles, covers))

    add("single", random_beats(config, 1, rng))
    add("single-patient-sink", random_beats(config, 1, rng), patient=True)
    short = random_beats(config, 30, rng)
    for cycle in range(_RESET_CYCLES):
        add(f"reset-after-{cycle}", short, reset_after=cycle)
    share = -(-count // 3)
    add("random", random_beats(config, share, rng))
    add(
        "random-stalled-both",
        random_beats(config, share, rng),
        offers={INPUT: stall.bursts(rng, 4)},
        accepts={OUTPUT: stall.bursts(rng, 6)},
    )
    add("random-patient-sink", random_beats(config, share, rng), patient=True)
    return made


def _explain(beats: Beats, mismatch: Mismatch) -> list[str]:
    if mismatch.index >= len(beats["output"]):
        return ["a surplus result: no beat belongs to it"]
    return [f"{name}={values[mismatch.index].tolist()}" for name, values in beats.items()]
