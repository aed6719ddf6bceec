"""What the OCTAV unit is tested with, what is expected of it, and how a failure reads."""

from collections import Counter
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from scalewright.golden.config import OctavConfig
from scalewright.golden.octav import End, OctavResult, octav
from scalewright.sim.bench import stall
from scalewright.sim.bench.case import Case
from scalewright.sim.bench.codec import Words
from scalewright.sim.bench.design import Design
from scalewright.sim.bench.plan import Mismatch, Phase
from scalewright.sim.stimulus import tensors as octav_stimulus
from scalewright.sim.stimulus.tensors import Tensor

INPUT, OUTPUT = "i", "o"

# Resets are tried in this many cycles of a tensor's processing: loading, dividing and scanning.
_RESET_CYCLES = 36
# Samples printed of a tensor that went wrong.
_SHOWN = 64


def cases(design: Design, config: OctavConfig, tensors: int, seed: int) -> list[Case]:
    """Everything a regression plays on one configuration.

    Args:
        design: The design.
        config: Its configuration.
        tensors: Random tensors, in all.
        seed: Seed of everything random.
    """
    rng = np.random.default_rng(seed)
    made: list[Case] = []

    def add(name: str, played: list[Tensor], **options: Any) -> None:
        made.append(case(design, config, name, played, **options))

    add("corners", octav_stimulus.corner_tensors(config))
    size = min(64, config.depth)
    add("vectors-3-bit", octav_stimulus.vectors(config, 200, size, 3, seed))
    add("network", octav_stimulus.network_tensors(config))
    short = [
        Tensor(tensor.samples[: 4 * config.lanes], tensor.constant)
        for tensor in octav_stimulus.random_tensors(config, 8, rng)
    ]
    for cycle in range(_RESET_CYCLES):
        add(f"reset-after-{cycle}", short, reset_after=cycle)
    share = -(-tensors // 4)
    add("random", octav_stimulus.random_tensors(config, share, rng))
    options: dict[str, dict[str, Any]] = {
        "random-stalled-source": {"offers": {INPUT: stall.scattered(rng, 0.5)}},
        "random-stalled-both": {
            "offers": {INPUT: stall.bursts(rng, 4)},
            "accepts": {OUTPUT: stall.bursts(rng, 9)},
        },
        "random-patient-sink": {"patient": True},
    }
    for name, each in options.items():
        add(name, octav_stimulus.random_tensors(config, share, rng), **each)
    return made


def case(
    design: Design, config: OctavConfig, name: str, tensors: list[Tensor], **options: Any
) -> Case:
    """A phase that streams tensors, one after the other."""
    results = [golden(tensor, config) for tensor in tensors]
    phase = Phase(
        name=name,
        inputs={INPUT: _input_words(design, config, tensors, results)},
        expected={OUTPUT: _result_words(design, config, results)},
        **options,
    )
    cycles = None
    if config.resident and not options:
        # The next tensor's first row transfers in the cycle after a result.
        cycles = sum(
            resident_cycles(tensor, result, config)
            for tensor, result in zip(tensors, results, strict=True)
        )
        cycles += len(tensors) - 1
    return Case(
        phase,
        len(tensors),
        partial(_explain, config, tensors, results),
        cycles,
        covered(tensors, results),
    )


def covered(tensors: list[Tensor], results: list[OctavResult]) -> dict[str, int]:
    """How iterations end, and how often."""
    ends = Counter(result.end for result in results)
    zeros = sum(not tensor.samples.any() for tensor in tensors)
    named = {f"ended by {end.name}": ends[end] for end in (End.FIXED, End.CYCLE, End.LIMIT)}
    return {**named, "tensors of zeros": zeros}


def golden(tensor: Tensor, config: OctavConfig) -> OctavResult:
    """What the golden model says of a tensor."""
    return octav(
        tensor.samples,
        tensor.constant,
        fraction_bits=config.fraction_bits,
        max_iterations=config.max_iterations,
    )


def resident_cycles(tensor: Tensor, result: OctavResult, config: OctavConfig) -> int:
    """Cycles from a tensor's first row to its result: the formula that `OctavUnit` documents."""
    rows = -(-len(tensor.samples) // config.lanes)
    return result.iterations * (rows + 1) + steps(tensor, result, config) * step_latency(config) + 1


def steps(tensor: Tensor, result: OctavResult, config: OctavConfig) -> int:
    """Passes that need a step: where samples are outside, and not as many as in the one before."""
    magnitudes = np.abs(tensor.samples)
    outside = [0] + [
        int(np.count_nonzero(magnitudes > (threshold >> config.fraction_bits)))
        for threshold in (0, *result.steps[:-1])
    ]
    return sum(now not in (0, before) for before, now in pairwise(outside))


def step_latency(config: OctavConfig) -> int:
    """Cycles of one step: five bits of K in each, two bits of the threshold and one below, one."""
    return 20 // 5 + -(-(config.threshold_bits + 1) // 2) + 1


def _input_words(
    design: Design, config: OctavConfig, tensors: list[Tensor], results: list[OctavResult]
) -> Words:
    samples, constants, last = [], [], []
    for tensor, result in zip(tensors, results, strict=True):
        rows = -(-len(tensor.samples) // config.lanes)
        padded = np.zeros(rows * config.lanes, np.int64)
        padded[: len(tensor.samples)] = tensor.samples
        times = 1 if config.resident else result.iterations
        samples.append(np.tile(padded.reshape(rows, config.lanes), (times, 1)))
        constants.append(np.full(rows * times, tensor.constant))
        last.append(np.tile(np.arange(rows) == rows - 1, times))
    return design.codec(INPUT).pack(
        {
            "samples": np.concatenate(samples),
            "constant": np.concatenate(constants),
            "last": np.concatenate(last),
        }
    )


def _result_words(design: Design, config: OctavConfig, results: list[OctavResult]) -> Words:
    rows: list[tuple[int, int, int]] = []
    for result in results:
        if not config.resident:
            rows += [
                (step, number, End.RUNNING) for number, step in enumerate(result.steps[:-1], 1)
            ]
        rows.append((result.threshold, result.iterations, result.end))
    threshold, iterations, end = (np.array(column) for column in zip(*rows, strict=True))
    return design.codec(OUTPUT).pack({"threshold": threshold, "iterations": iterations, "end": end})


def _explain(
    config: OctavConfig, tensors: list[Tensor], results: list[OctavResult], mismatch: Mismatch
) -> list[str]:
    at = 0
    for tensor, result in zip(tensors, results, strict=True):
        at += 1 if config.resident else result.iterations
        if mismatch.index < at:
            shown = ", ".join(str(sample) for sample in tensor.samples[:_SHOWN])
            more = len(tensor.samples) - _SHOWN
            return [
                f"tensor of {len(tensor.samples)} samples, K = {tensor.constant}:",
                f"  {shown}{f', ... {more} more' if more > 0 else ''}",
                f"  golden: steps {result.steps} in units of 2^-{config.fraction_bits}, "
                f"{result.end.name} at {result.threshold}",
            ]
    return ["a surplus result: no tensor belongs to it"]
