"""Quantizes a network with all that its user has to know of the result."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from scalewright.golden.calibration import Clip
from scalewright.golden.config import EngineConfig
from scalewright.golden.network import Network, Product, Tensor, as_real, run_network
from scalewright.golden.network.correction import Correction, Method, correct
from scalewright.golden.network.feeds import batches, count_of, fixed_batch
from scalewright.golden.network.graph import Graph, evaluator
from scalewright.golden.network.operands import weight_matrix
from scalewright.golden.network.quantization import quantize_network
from scalewright.golden.network.saturation import (
    counting,
    fitting_bits,
    largest_accumulators,
    with_accumulators,
)
from scalewright.golden.quantize import Scaling
from scalewright.sim.execution.products import Ratio, signal_to_noise_db

# Inputs on which accumulators are looked at; fewer than _FEW calibrate badly, and so does one whose
# largest number is more than _OUTLIER times that of the median input.
_LOOKED_AT, _FEW, _OUTLIER = 16, 8, 4.0

# Shows the progress of so many steps of some name.
Progress: TypeAlias = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]
Feeds: TypeAlias = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True, eq=False, kw_only=True)
class LayerQuality:
    """What quantization did to a layer.

    Attributes:
        product: The layer.
        shape: Of its weights (M, ..., K); None for a product of two activations.
        weights_snr: Signal-to-noise ratio of its weights in dB, uncorrected, or None.
        results_snr: Of its results on the calibration inputs, behind the layers before it.
        saturated: Results that saturated on them.
        accumulator_bits: Accumulator bits that hold what calibration reached, with room for more.
    """

    product: Product
    shape: tuple[int, ...] | None
    weights_snr: float | None
    results_snr: float
    saturated: int
    accumulator_bits: int


@dataclass(frozen=True, eq=False, kw_only=True)
class Quantization:
    """A quantized network.

    Attributes:
        network: The network.
        config: Its engine.
        results: Its outputs for the last batch of inputs, by name.
        layers: One for each product.
        correction: What was corrected.
        warnings: What the user should know, a sentence each.
    """

    network: Network
    config: EngineConfig
    results: Mapping[str, Tensor]
    layers: list[LayerQuality]
    correction: Correction
    warnings: list[str]


def quantize(
    graph: Graph,
    inputs: Feeds,
    config: EngineConfig,
    clip: Clip,
    *,
    scaling: Scaling = Scaling.NEAREST,
    method: Method | None = None,
    fit_accumulators: bool = False,
    wide: Mapping[str, str] | None = None,
    batch: int,
    progress: Progress,
) -> Quantization:
    """Quantize a network, correct it, choose its accumulators, and measure it.

    Args:
        graph: The network in floats.
        inputs: Calibration inputs by name.
        config: The engine.
        clip: How clipping thresholds are chosen.
        scaling: How per-vector scales of weights are rounded.
        method: What is corrected; by default what is best for inputs that were held out.
        fit_accumulators: Whether accumulators get wider where these inputs need it.
        wide: Operands that get wider elements, by the name of their product.
        batch: How many inputs are computed at once.
        progress: Shows how far it is.

    Raises:
        ValueError: As `quantize_network` does.
    """
    count = count_of(inputs)
    widest = with_accumulators(config, 48) if fit_accumulators else config
    with progress("inputs in floats", count) as advance:
        network = quantize_network(
            graph,
            inputs,
            widest,
            clip,
            scaling=scaling,
            wide=wide,
            batch=batch,
            progress=advance,
        )
    # Before gains make them larger or smaller on purpose.
    weights = {product.name: _weights_quality(graph, product) for product in network.products}
    methods = 2 if method is None else 1
    with progress("products corrected", methods * len(network.products)) as advance:
        correction = correct(
            network, graph, inputs, widest, method=method, batch=batch, progress=advance
        )
    network = correction.network
    size = fixed_batch(graph.inputs) or batch
    looked_at = {name: v[: max(size, _LOOKED_AT // size * size)] for name, v in inputs.items()}
    largest = largest_accumulators(network, looked_at, config, batch=size)
    bits = {p.name: fitting_bits(p, largest[p.name], config) for p in network.products}
    if fit_accumulators:
        needed = max(config.datapath.accumulator_bits, *bits.values())
        config = with_accumulators(config, needed)
    saturated: Counter[str] = Counter()
    ratios: dict[str, Ratio] = defaultdict(Ratio)
    kept = {product.output for product in network.products} | {*graph.outputs}
    compute = evaluator(graph, kept)
    run = counting(config, lambda product, number: saturated.update({product.name: number}))
    results: Mapping[str, Tensor] = {}
    with progress("inputs on golden", count) as advance:
        for part in batches(inputs, size):
            real = compute(part)
            results = run_network(network, part, config, run=run, keep=kept)
            for product in network.products:
                ratios[product.output].add(real[product.output], as_real(results[product.output]))
            advance(count_of(part))
    layers = [
        LayerQuality(
            product=product,
            **weights[product.name],
            results_snr=ratios[product.output].db,
            saturated=saturated[product.name],
            accumulator_bits=bits[product.name],
        )
        for product in network.products
    ]
    warnings = [*_input_warnings(inputs), *_layer_warnings(layers, config)]
    return Quantization(
        network=network,
        config=config,
        results=results,
        layers=layers,
        correction=correction,
        warnings=warnings,
    )


def _weights_quality(graph: Graph, product: Product) -> dict[str, Any]:
    if not product.blocks:
        return {"shape": None, "weights_snr": None}
    node = next(node for node in graph.nodes if node.name == product.name)
    exact = weight_matrix(node, graph.constants[node.inputs[1]]).astype(np.float64)
    ratio = signal_to_noise_db(exact, product.weights().astype(np.float64))
    return {"shape": exact.shape, "weights_snr": ratio}


def _input_warnings(inputs: Feeds) -> Iterator[str]:
    count = count_of(inputs)
    if count < _FEW:
        yield f"{count} calibration inputs are few: {_FEW} or more show what others will reach"
    for name, values in inputs.items():
        if values.dtype.kind != "f" or values.ndim < 2 or count < 3:
            continue
        peaks = np.abs(values.reshape(len(values), -1)).max(axis=1)
        median = float(np.median(peaks))
        if median > 0 and peaks.max() > _OUTLIER * median:
            yield (
                f"input {int(peaks.argmax())} of {name} reaches {peaks.max():.4g}, "
                f"{peaks.max() / median:.1f} times the median of all: one outlier makes all steps "
                "coarser"
            )


def _layer_warnings(layers: list[LayerQuality], config: EngineConfig) -> Iterator[str]:
    have = config.datapath.accumulator_bits
    narrow = [layer for layer in layers if layer.accumulator_bits > have + 1]
    if narrow:
        worst = max(narrow, key=lambda layer: layer.accumulator_bits)
        yield (
            f"accumulators of {have} bits overflow in {len(narrow)} layers, most in "
            f"{worst.product.name}: --accumulator-bits {worst.accumulator_bits} would hold them"
        )
    products = [layer.product for layer in layers]
    longest = max(products, key=lambda product: product.vectors * product.digit_pairs)
    rows = longest.vectors * longest.digit_pairs * config.groups
    if rows > config.depth:
        yield (
            f"{longest.name} needs {rows:,} rows of the weight buffer, not {config.depth}: its "
            "weights come again for every row of activations, "
            f"{config.lanes} words for each vector of {config.lanes} results; "
            f"--depth {rows} would hold them"
        )
