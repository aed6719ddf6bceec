"""Runs quantized networks on the simulated engine, and compares every result with golden."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from scalewright.golden.config import EngineConfig
from scalewright.golden.layer import Layer, LayerResult, run_layer
from scalewright.golden.network import Network, Part, Product, Tensor, run_network
from scalewright.golden.network.feeds import Values
from scalewright.golden.network.product import joined
from scalewright.golden.quantized import Quantized
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

    def joined(self, other: "LayerReport") -> "LayerReport":
        """This report and another one of the same product as one."""
        sums = {
            name: getattr(self, name) + getattr(other, name)
            for name in vars(self)
            if name not in ("name", "kind")
        }
        return replace(self, **sums)

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
    x: Values,
    config: EngineConfig,
    *,
    words: int = 0,
    batch: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> NetworkRun:
    """Run a network on the simulated engine, layer by layer.

    Each layer takes what came from the hardware before it. What golden gives for the same input is
    expected of it.

    Args:
        network: The network.
        x: Its input (N, ...), or its inputs by name.
        config: The engine.
        words: How many words it will send, as `count_words` says: many make an optimised simulator
            worth its build.
        batch: How many inputs are computed at once; all by default.
        progress: Called now and then with the number of words sent since the last call.

    Raises:
        ValueError: An input that does not suit the network.
        ToolError, BuildError: The simulator cannot be built.
        SimulationError: The simulation broke off, or breached the stream protocol.
    """
    built = build_player(design_of("engine", config), words)
    reports: dict[str, LayerReport] = {}

    def run(product: Product, parts: list[Part]) -> list[LayerResult]:
        results = []
        for part in parts:
            vectors = part.activations.elements.shape[1]
            step = _rows_at_once(part.layer, vectors, config)
            plays = [
                _play(
                    built,
                    config,
                    product.name,
                    part.layer,
                    _rows(part.activations, start, step),
                    progress,
                )
                for start in range(0, len(part.activations.elements), step)
            ]
            report = _report(product, part, plays, config)
            before = reports.get(product.name)
            reports[product.name] = report if before is None else before.joined(report)
            results.append(joined([play.result for play in plays], 0))
        rows = len(parts[0].activations.elements) * (len(parts) if product.right else 1)
        whole = reports[product.name]
        reports[product.name] = replace(whole, rows=whole.rows + rows)
        return results

    tensors = run_network(network, x, config, run=run, batch=batch)
    return NetworkRun(tensors=tensors, layers=list(reports.values()))


def _report(
    product: Product, part: Part, plays: list["_Play"], config: EngineConfig
) -> LayerReport:
    """What a part of a layer took, its rows not yet counted."""
    outcomes = [play.outcome for play in plays]
    rows, vectors = part.activations.elements.shape[:2]
    cycles = sum(outcome.cycles for outcome in outcomes)
    length = product.length or vectors * config.datapath.vector_size
    return LayerReport(
        name=product.name,
        kind=product.kind,
        rows=0,
        cycles=cycles,
        busy=sum(play.busy for play in plays),
        multiplications=rows * part.layer.channels * length,
        capacity=cycles * config.lanes * config.datapath.vector_size,
        results=sum(len(outcome.results[RESULTS]) for outcome in outcomes),
        saturated=sum(int(play.result.saturated.sum()) for play in plays),
        mismatch_count=sum(outcome.mismatch_count for outcome in outcomes),
        mismatches=[m for outcome in outcomes for m in outcome.mismatches],
    )


def count_words(
    network: Network, x: Values, config: EngineConfig, *, batch: int | None = None
) -> int:
    """Words that `run_on_rtl` sends for an input; golden runs the network to find out."""
    total = 0

    def count(_: Product, parts: list[Part]) -> list[LayerResult]:
        nonlocal total
        results = []
        for part in parts:
            total += _words(part, config)
            results.append(run_layer(part.layer, part.activations, config))
        return results

    run_network(network, x, config, run=count, keep=(), batch=batch)
    return total


def _words(part: Part, config: EngineConfig) -> int:
    rows, vectors = part.activations.elements.shape[:2]
    channels = part.layer.padded(config.channels).channels
    fits = vectors * config.groups <= config.depth
    simulations = -(-rows // _rows_at_once(part.layer, vectors, config))
    loads = simulations if fits else -(-vectors // config.depth) * rows
    # Activations for each tile, weights and parameters as often as they are loaded.
    total = rows * vectors * channels // config.lanes
    return total + channels * vectors * (simulations if fits else rows) + channels * loads


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
