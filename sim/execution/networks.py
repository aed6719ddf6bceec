"""Runs quantized networks on the simulated engine, and compares every result with golden."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from scalewright.golden.config import EngineConfig
from scalewright.golden.layer import Layer, LayerResult, run_layer
from scalewright.golden.network import Network, Product, Tensor, run_network
from scalewright.golden.quantized import Floats, Quantized
from scalewright.sim.bench.plan import Mismatch, Outcome, Phase
from scalewright.sim.blocks import design_of
from scalewright.sim.execution.tiling import (
    ACTIVATIONS,
    RESULTS,
    layer_words,
    read_results,
    result_words,
)
from scalewright.sim.simulators.build import Build, build_player
from scalewright.sim.simulators.simulation import SimulationError, simulate

# Activation vectors played by one simulation: some seconds, some hundred megabytes.
_VECTORS = 1 << 18


@dataclass(frozen=True, kw_only=True)
class LayerReport:
    """What a layer took on the engine.

    Attributes:
        name: Name of the product.
        kind: Conv, Gemm or MatMul.
        rows: Rows of activations: one for each product with all weights.
        cycles: Clock cycles, each simulation from its first offer to its last result.
        busy: Cycles in which the lanes took an activation vector.
        multiplications: Products of a weight and an activation of the network.
        capacity: What all lanes could have multiplied in these cycles.
        results: Results compared: vectors of V quantized numbers, or beats.
        saturated: How many of them are marked as saturated.
        mismatch_count: Results that differ from golden, are missing or surplus.
        mismatches: The first of them.
    """

    name: str
    kind: str
    rows: int
    cycles: int
    busy: int
    multiplications: int
    capacity: int
    results: int
    saturated: int
    mismatch_count: int
    mismatches: list[Mismatch]

    @property
    def utilisation(self) -> float:
        """Share of the cycles in which the lanes are busy."""
        return self.busy / self.cycles

    @property
    def efficiency(self) -> float:
        """Share of the lanes' multiplications that the network asks for: no padding, no waiting."""
        return self.multiplications / self.capacity

    def as_dict(self) -> dict[str, Any]:
        """The report, ready for JSON."""
        return {
            **vars(self),
            "mismatches": [vars(mismatch) for mismatch in self.mismatches],
            "utilisation": self.utilisation,
            "efficiency": self.efficiency,
        }


@dataclass(frozen=True, eq=False, kw_only=True)
class NetworkRun:
    """A network on the engine.

    Attributes:
        tensors: All tensors, from the hardware's results.
        layers: One report for each product.
    """

    tensors: dict[str, Tensor]
    layers: list[LayerReport]

    @property
    def cycles(self) -> int:
        """Clock cycles of all layers."""
        return sum(layer.cycles for layer in self.layers)

    @property
    def busy(self) -> int:
        """Cycles in which the lanes were busy."""
        return sum(layer.busy for layer in self.layers)

    @property
    def mismatch_count(self) -> int:
        """Results that differ from golden, are missing or surplus."""
        return sum(layer.mismatch_count for layer in self.layers)


def run_on_rtl(
    network: Network,
    x: Floats,
    config: EngineConfig,
    *,
    words: int = 0,
    progress: Callable[[int], None] | None = None,
) -> NetworkRun:
    """Run a network on the simulated engine, layer by layer.

    Each layer takes what came from the hardware before it. What golden gives for the same input is
    expected of it.

    Args:
        network: The network.
        x: Its input (N, ...).
        config: The engine.
        words: How many words it will send, as `count_words` says: many make an optimised simulator
            worth its build.
        progress: Called now and then with the number of words sent since the last call.

    Raises:
        ValueError: An input that does not suit the network.
        ToolError, BuildError: The simulator cannot be built.
        SimulationError: The simulation broke off, or breached the stream protocol.
    """
    built = build_player(design_of("engine", config), words)
    reports: list[LayerReport] = []

    def run(product: Product, layer: Layer, activations: Quantized) -> LayerResult:
        rows, vectors = activations.elements.shape[:2]
        step = _rows_at_once(layer, vectors, config)
        plays = [
            _play(built, config, product.name, layer, _rows(activations, start, step), progress)
            for start in range(0, rows, step)
        ]
        outcomes = [play.outcome for play in plays]
        results = [play.result for play in plays]
        cycles = sum(outcome.cycles for outcome in outcomes)
        reports.append(
            LayerReport(
                name=product.name,
                kind=product.kind,
                rows=rows,
                cycles=cycles,
                busy=sum(play.busy for play in plays),
                multiplications=rows * layer.channels * product.length,
                capacity=cycles * config.lanes * config.datapath.vector_size,
                results=sum(len(outcome.results[RESULTS]) for outcome in outcomes),
                saturated=sum(int(result.saturated.sum()) for result in results),
                mismatch_count=sum(outcome.mismatch_count for outcome in outcomes),
                mismatches=[m for outcome in outcomes for m in outcome.mismatches],
            )
        )
        return _joined(results)

    tensors = run_network(network, x, config, run=run)
    return NetworkRun(tensors=tensors, layers=reports)


def count_words(network: Network, x: Floats, config: EngineConfig) -> int:
    """Words that `run_on_rtl` sends for an input; golden runs the network to find out."""
    total = 0

    def count(_: Product, layer: Layer, activations: Quantized) -> LayerResult:
        nonlocal total
        rows, vectors = activations.elements.shape[:2]
        channels = layer.padded(config.channels).channels
        fits = vectors * config.groups <= config.depth
        simulations = -(-rows // _rows_at_once(layer, vectors, config))
        loads = simulations if fits else -(-vectors // config.depth) * rows
        # Activations for each tile, weights and parameters as often as they are loaded.
        total += rows * vectors * channels // config.lanes
        total += channels * vectors * (simulations if fits else rows) + channels * loads
        return run_layer(layer, activations, config)

    run_network(network, x, config, run=count)
    return total


def _rows_at_once(layer: Layer, vectors: int, config: EngineConfig) -> int:
    """Rows of activations that one simulation plays."""
    tiles = layer.padded(config.channels).channels // config.lanes
    return max(1, _VECTORS // (vectors * tiles))


@dataclass(frozen=True, eq=False)
class _Play:
    """A layer on some rows of activations, as the hardware computed it."""

    result: LayerResult
    outcome: Outcome
    busy: int


def _play(
    built: Build,
    config: EngineConfig,
    name: str,
    layer: Layer,
    activations: Quantized,
    progress: Callable[[int], None] | None,
) -> _Play:
    golden = run_layer(layer.padded(config.channels), activations, config)
    expected = result_words(built.design, config, golden)
    phase = Phase(
        name=name,
        inputs=layer_words(built.design, config, layer, activations),
        expected={RESULTS: expected},
    )
    outcome = simulate(built, [phase], progress=progress).outcomes[0]
    if outcome.violations:
        raise SimulationError(f"layer {name}: {outcome.violations[0]}")
    # Where results are missing, which counts as mismatches, the network goes on with zeros.
    words = np.zeros_like(expected)
    arrived = outcome.results[RESULTS][: len(expected)]
    words[: len(arrived)] = arrived
    result = read_results(built.design, config, layer, len(activations.elements), words)
    return _Play(result, outcome, len(phase.inputs[ACTIVATIONS]))


def _rows(activations: Quantized, start: int, count: int) -> Quantized:
    rows = slice(start, start + count)
    scales = activations.scales
    return replace(
        activations,
        elements=activations.elements[rows],
        scales=None if scales is None else scales[rows],
    )


def _joined(results: list[LayerResult]) -> LayerResult:
    """Results of consecutive rows as one."""
    saturated = np.concatenate([result.saturated for result in results])
    first = results[0]
    if first.vectors is None:
        values = np.concatenate([result.values for result in results if result.values is not None])
        return LayerResult(vectors=None, values=values, saturated=saturated)
    parts = [result.vectors for result in results if result.vectors is not None]
    scales = [part.scales for part in parts if part.scales is not None]
    vectors = replace(
        first.vectors,
        elements=np.concatenate([part.elements for part in parts]),
        scales=np.concatenate(scales) if scales else None,
    )
    return LayerResult(vectors=vectors, values=None, saturated=saturated)
