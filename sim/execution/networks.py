"""Runs quantized networks on the simulated engine, and compares every result with golden."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from scalewright.golden.config import EngineConfig
from scalewright.golden.layer import LayerResult, run_layer
from scalewright.golden.network import Network, Part, Product, Tensor, run_network
from scalewright.golden.network.feeds import Values
from scalewright.golden.network.product import joined
from scalewright.sim.bench.plan import Mismatch
from scalewright.sim.blocks import design_of
from scalewright.sim.execution.layers import Play, pieces, play, taking, words_of
from scalewright.sim.execution.tiling import RESULTS
from scalewright.sim.simulators.build import build_player


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
    sample: int | None = None,
    seed: int = 0,
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
        sample: How many rows of each layer the engine plays, of each batch, drawn at random; the
            network goes on with golden's results. All rows by default.
        seed: Of the draw.
        progress: Called now and then with the number of words sent since the last call.

    Raises:
        ValueError: An input that does not suit the network.
        ToolError, BuildError: The simulator cannot be built.
        SimulationError: The simulation broke off, or breached the stream protocol.
    """
    built = build_player(design_of("engine", config), words)
    reports: dict[str, LayerReport] = {}
    draw = np.random.default_rng(seed)

    def run(product: Product, parts: list[Part]) -> list[LayerResult]:
        taken = [[*pieces(part, config)] for part in parts]
        if sample is not None:
            taken = [[part] for part in _drawn(product, parts, sample, draw)]
        plays = play(built, config, product.name, [p for each in taken for p in each], progress)
        report = _report(product, plays, config)
        before = reports.get(product.name)
        reports[product.name] = report if before is None else before.joined(report)
        if sample is not None:
            return [run_layer(part.layer, part.activations, config) for part in parts]
        results, start = [], 0
        for each in taken:
            results.append(joined([one.result for one in plays[start : start + len(each)]], 0))
            start += len(each)
        return results

    kept = {*network.outputs, *(product.output for product in network.products)}
    tensors = run_network(network, x, config, run=run, keep=kept, batch=batch)
    return NetworkRun(tensors=tensors, layers=list(reports.values()))


def _drawn(
    product: Product, parts: list[Part], sample: int, draw: np.random.Generator
) -> list[Part]:
    """The parts of a product on rows drawn at random: `sample` for each number that it gives."""
    counts = [len(part.activations.elements) for part in parts]
    if product.right is None:
        rows = np.sort(draw.choice(counts[0], min(sample, counts[0]), replace=False))
        return [taking(part, rows) for part in parts]
    chosen = np.sort(draw.choice(sum(counts), min(sample, sum(counts)), replace=False))
    starts = np.cumsum([0, *counts])
    found = []
    for part, start, stop in zip(parts, starts, starts[1:], strict=False):
        rows = chosen[(chosen >= start) & (chosen < stop)] - start
        if rows.size:
            found.append(taking(part, rows))
    return found


def _report(product: Product, plays: list[Play], config: EngineConfig) -> LayerReport:
    """What the parts of a layer took."""
    outcomes = [each.outcome for each in plays]
    cycles = sum(outcome.cycles for outcome in outcomes)
    counts = [len(each.part.activations.elements) for each in plays]
    lengths = [
        product.length or each.part.activations.elements.shape[1] * config.datapath.vector_size
        for each in plays
    ]
    results = [rows * each.part.layer.channels for rows, each in zip(counts, plays, strict=True)]
    # Each row gives the channels of all blocks.
    rows = sum(counts) if product.right else sum(results) // product.channels
    return LayerReport(
        name=product.name,
        kind=product.kind,
        rows=rows,
        cycles=cycles,
        busy=sum(each.busy for each in plays),
        multiplications=sum(n * length for n, length in zip(results, lengths, strict=True)),
        capacity=cycles * config.lanes * config.datapath.vector_size,
        results=sum(len(outcome.results[RESULTS]) for outcome in outcomes),
        saturated=sum(int(each.result.saturated.sum()) for each in plays),
        mismatch_count=sum(outcome.mismatch_count for outcome in outcomes),
        mismatches=[m for outcome in outcomes for m in outcome.mismatches],
    )


def count_words(
    network: Network,
    x: Values,
    config: EngineConfig,
    *,
    batch: int | None = None,
    sample: int | None = None,
) -> int:
    """Words that `run_on_rtl` sends for an input; golden runs the network to find out."""
    total = 0
    draw = np.random.default_rng(0)

    def count(product: Product, parts: list[Part]) -> list[LayerResult]:
        nonlocal total
        taken = parts if sample is None else _drawn(product, parts, sample, draw)
        total += sum(words_of(part, config) for part in taken)
        return [run_layer(part.layer, part.activations, config) for part in parts]

    run_network(network, x, config, run=count, keep=(), batch=batch)
    return total
