"""Plays layers on the simulated engine, many small ones in one simulation."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from scalewright.golden.composition import digit_pairs
from scalewright.golden.config import EngineConfig
from scalewright.golden.layer import LayerResult, run_layer
from scalewright.golden.network import Part
from scalewright.golden.network.vectors import rearranged, scales_of
from scalewright.sim.bench.plan import Outcome, Phase
from scalewright.sim.execution.tiling import (
    ACTIVATIONS,
    RESULTS,
    layer_words,
    read_results,
    result_words,
)
from scalewright.sim.simulators.build import Build
from scalewright.sim.simulators.simulation import SimulationError, simulate

# Activation vectors played by one simulation: some seconds, some hundred megabytes.
_VECTORS = 1 << 18


@dataclass(frozen=True, eq=False)
class Play:
    """A layer on some rows of activations, as the hardware computed it.

    Attributes:
        part: The layer and the rows.
        result: What came out; zeros where results are missing.
        outcome: Of the simulation.
        busy: Cycles in which the lanes took an activation vector.
    """

    part: Part
    result: LayerResult
    outcome: Outcome
    busy: int


def play(
    built: Build,
    config: EngineConfig,
    name: str,
    parts: Sequence[Part],
    progress: Callable[[int], None] | None = None,
) -> list[Play]:
    """Play layers, each on the rows that it comes with, and compare them with golden.

    Args:
        built: The engine's simulator.
        config: The engine.
        name: Of the product that they make up.
        parts: Layers with their rows, each of a size that `pieces` gives.
        progress: Called now and then with the number of words sent since the last call.

    Raises:
        SimulationError: The simulation broke off, or breached the stream protocol.
    """
    played: list[Play] = []
    for group in _groups(parts, config):
        phases = [_phase(built, config, name, part) for part in group]
        outcomes: list[Outcome] = []
        # Mismatches end a simulation: what comes behind is played in another one.
        while len(outcomes) < len(phases):
            outcomes += simulate(built, phases[len(outcomes) :], progress=progress).outcomes
        for part, phase, outcome in zip(group, phases, outcomes, strict=True):
            if outcome.violations:
                raise SimulationError(f"layer {name}: {outcome.violations[0]}")
            words = np.zeros_like(phase.expected[RESULTS])
            arrived = outcome.results[RESULTS][: len(words)]
            words[: len(arrived)] = arrived
            rows = len(part.activations.elements)
            result = read_results(built.design, config, part.layer, rows, words)
            played.append(Play(part, result, outcome, len(phase.inputs[ACTIVATIONS])))
    return played


def pieces(part: Part, config: EngineConfig) -> Iterator[Part]:
    """A layer on its rows, in pieces that one simulation can play."""
    step = rows_at_once(part, config)
    for start in range(0, len(part.activations.elements), step):
        yield taking(part, np.arange(start, min(start + step, len(part.activations.elements))))


def taking(part: Part, rows: npt.NDArray[np.intp]) -> Part:
    """A layer on some of its rows."""
    activations = part.activations
    scales = scales_of(activations)
    taken = rearranged(
        activations, activations.elements[rows], None if scales is None else scales[rows]
    )
    return Part(part.layer, taken)


def rows_at_once(part: Part, config: EngineConfig) -> int:
    """Rows of activations that one simulation plays of a layer."""
    return max(1, _VECTORS // _vectors(part, config))


def words_of(part: Part, config: EngineConfig) -> int:
    """Words that are sent for a layer on its rows."""
    rows, vectors = part.activations.elements.shape[:2]
    vectors *= digit_pairs(part.layer.weights, part.activations)
    channels = part.layer.padded(config.channels).channels
    fits = vectors * config.groups <= config.depth
    simulations = -(-rows // rows_at_once(part, config))
    loads = simulations if fits else -(-vectors // config.depth) * rows
    # Activations for each tile, weights and parameters as often as they are loaded.
    total: int = rows * vectors * channels // config.lanes
    total += channels * vectors * (simulations if fits else rows) + channels * loads
    return total


def _vectors(part: Part, config: EngineConfig) -> int:
    """Activation vectors that one row takes."""
    tiles = part.layer.padded(config.channels).channels // config.lanes
    pairs = digit_pairs(part.layer.weights, part.activations)
    return int(part.activations.elements.shape[1]) * pairs * tiles


def _groups(parts: Sequence[Part], config: EngineConfig) -> Iterator[list[Part]]:
    """Parts in groups of what one simulation plays."""
    group: list[Part] = []
    total = 0
    for part in parts:
        size = len(part.activations.elements) * _vectors(part, config)
        if group and total + size > _VECTORS:
            yield group
            group, total = [], 0
        group.append(part)
        total += size
    if group:
        yield group


def _phase(built: Build, config: EngineConfig, name: str, part: Part) -> Phase:
    golden = run_layer(part.layer.padded(config.channels), part.activations, config)
    return Phase(
        name=name,
        inputs=layer_words(built.design, config, part.layer, part.activations),
        expected={RESULTS: result_words(built.design, config, golden)},
    )
