"""What of a network runs where, and what it takes on an engine."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from scalewright.golden.calibration import Clip
from scalewright.golden.composition import digit_pairs
from scalewright.golden.config import EngineConfig
from scalewright.golden.layer import LayerResult
from scalewright.golden.network import Network, Part, Product, Region, as_real, run_network
from scalewright.golden.network.execution import run_golden
from scalewright.golden.network.feeds import Input
from scalewright.golden.network.graph import Graph, evaluate
from scalewright.golden.network.quantization import quantize_network
from scalewright.sim.execution.products import signal_to_noise_db


@dataclass(frozen=True, kw_only=True)
class LayerLoad:
    """What a product takes on the engine, for one batch of inputs.

    Attributes:
        name: Its name.
        kind: Conv, Gemm or MatMul.
        shape: What its weights are, or that there are none.
        multiplications: Products of a weight and an activation that the network asks for.
        weight_bytes: Of elements and per-vector scales.
        cycles: Clock cycles at least: each takes a vector of activations or loads one of weights.
        capacity: Multiplications of all lanes in these cycles.
    """

    name: str
    kind: str
    shape: str
    multiplications: int
    weight_bytes: int
    cycles: int
    capacity: int

    @property
    def efficiency(self) -> float:
        """Share of the lanes' multiplications that the network asks for."""
        return self.multiplications / self.capacity

    def as_dict(self) -> dict[str, Any]:
        """The layer, ready for JSON."""
        return {**vars(self), "efficiency": self.efficiency}


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """A network on an engine.

    Attributes:
        layers: What runs on the engine, in order.
        host: How many operators of each kind the host computes.
        snr_db: Signal-to-noise ratio of the first output in dB, uncorrected.
    """

    layers: list[LayerLoad]
    host: dict[str, int]
    snr_db: float


def inspect(
    graph: Graph, inputs: Mapping[str, npt.NDArray[Any]], config: EngineConfig
) -> Inspection:
    """Quantize a network on some inputs, and look at its layers.

    Raises:
        ValueError: As `quantize_network` does.
    """
    network = quantize_network(graph, inputs, config, Clip("max"))
    name = network.outputs[0]
    loads, result = loads_of(network, inputs, config)
    exact = evaluate(graph, inputs, keep=[name])[name]
    host: Counter[str] = Counter()
    for step in network.steps:
        if isinstance(step, Region):
            host.update(node.kind for node in step.nodes)
    return Inspection(
        layers=loads,
        host=dict(sorted(host.items())),
        snr_db=signal_to_noise_db(exact.astype(np.float64), result.astype(np.float64)),
    )


def loads_of(
    network: Network, inputs: Mapping[str, npt.NDArray[Any]], config: EngineConfig
) -> tuple[list[LayerLoad], npt.NDArray[Any]]:
    """What each product of a network takes for some inputs, and its first output in golden."""
    loads: list[LayerLoad] = []
    golden = run_golden(config)

    def run(product: Product, parts: list[Part]) -> list[LayerResult]:
        loads.append(_load(product, parts, config))
        return golden(product, parts)

    name = network.outputs[0]
    tensors = run_network(network, inputs, config, run=run, keep=[name])
    return loads, as_real(tensors[name])


def stand_in(inputs: tuple[Input, ...], seed: int = 0) -> dict[str, npt.NDArray[Any]]:
    """Inputs of the shapes that a network declares: normal numbers, integers 0; 1 for any size."""
    draw = np.random.default_rng(seed)
    found: dict[str, npt.NDArray[Any]] = {}
    for each in inputs:
        shape = tuple(1 if size is None else size for size in each.shape or ())
        if np.dtype(each.dtype) == np.float32:
            found[each.name] = draw.normal(size=shape).astype(np.float32)
        else:
            found[each.name] = np.zeros(shape, each.dtype)
    return found


def _load(product: Product, parts: list[Part], config: EngineConfig) -> LayerLoad:
    useful = cycles = stored = 0
    fmt = config.datapath.weights
    size = config.datapath.vector_size
    for part in parts:
        rows, vectors = part.activations.elements.shape[:2]
        vectors *= digit_pairs(part.layer.weights, part.activations)
        layer = part.layer.padded(config.channels)
        fits = vectors * config.groups <= config.depth
        busy = rows * vectors * layer.channels // config.lanes
        loaded = layer.channels * vectors * (1 if fits else rows)
        cycles += max(busy, loaded)
        stored += part.layer.channels * vectors * (size * fmt.element_bits + (fmt.scale_bits or 0))
        useful += rows * part.layer.channels * (product.length or part.activations.length)
    shape = "activations"
    if product.blocks:
        taps = product.blocks[0].weights.elements.shape[1:-2]
        shape = " x ".join(map(str, (product.channels, *taps, product.inputs)))
        if product.group > 1:
            shape += f", {product.group} groups"
    return LayerLoad(
        name=product.name,
        kind=product.kind,
        shape=shape,
        multiplications=useful,
        weight_bytes=-(-stored // 8) if product.blocks else 0,
        cycles=cycles,
        capacity=cycles * config.lanes * size,
    )
