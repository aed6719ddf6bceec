"""Corrects what quantization of weights does to the results of products, channel by channel.

Errors of weights are systematic: each product gets a gain and an offset for each of its channels,
from which much of the error's energy comes. With y its results before rounding and activation on
the calibration inputs, behind the products before it that are corrected already, and r those of the
network in floats,

    a = cov(y, r) / var(y), from 1/2 to 2        gamma_w and the bias times a
    o = mean(r) - a * mean(y)                    the bias plus o

which costs the hardware nothing. Without looking at results there is, with x the inputs of the
product in floats, W its weights and W' what became of them,

    o = sum over taps and channels of (W - W') * mean(x)
"""

import enum
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from scalewright.golden.config import EngineConfig, Output
from scalewright.golden.layer import LayerResult, finish_layer, run_layer
from scalewright.golden.mac import MacResult
from scalewright.golden.network.execution import (
    Network,
    Step,
    last_uses,
    run_golden,
    run_network,
    run_step,
)
from scalewright.golden.network.feeds import (
    Values,
    batches,
    count_of,
    feeds_of,
    fixed_batch,
    numbers_of,
)
from scalewright.golden.network.graph import Graph, evaluator
from scalewright.golden.network.operands import weight_matrix
from scalewright.golden.network.product import Product, joined
from scalewright.golden.network.units import as_computed, finest_unit, grown_unit
from scalewright.golden.network.vectors import Tensor, Vectors, as_real
from scalewright.golden.quantized import Floats

_SMALLEST_GAIN, _LARGEST_GAIN = 0.5, 2.0
# Results of a channel that statistics are made of at most, and inputs that they come from: some, as
# many as can be kept in memory on their way through the network.
_ROWS, _INPUTS = 4096, 64
# Numbers of the inputs that are learned from at once.
_NUMBERS = 1 << 21
_TINY = float(np.finfo(np.float32).tiny)
# Fewer inputs show nothing: some are held out, to see what a correction is worth.
_FEWEST = 4


class Method(enum.Enum):
    """What is corrected."""

    NONE = "none"  #: nothing
    OFFSET = "offset"  #: offsets, from the weights and the means of their inputs
    AFFINE = "affine"  #: gains and offsets, from results


@dataclass(frozen=True, eq=False, kw_only=True)
class Correction:
    """A corrected network.

    Attributes:
        network: The network.
        method: How it was corrected.
        medians: Median of the signal-to-noise ratio in dB of the outputs for single inputs that
            were held out, by method; empty where there was no choice.
    """

    network: Network
    method: Method
    medians: Mapping[Method, float]


def correct(
    network: Network,
    graph: Graph,
    x: Values,
    config: EngineConfig,
    *,
    method: Method | None = None,
    batch: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> Correction:
    """Correct a quantized network, by what is best for inputs that it was not learned from.

    A quarter of the inputs is held out; the method is chosen by the median of the ratios of single
    ones, so that one outlier does not decide.

    Args:
        network: The network, as `quantize_network` gives it.
        graph: The same in floats.
        x: Calibration inputs (N, ...), or all inputs by name.
        config: The engine.
        method: The method; chosen by default, NONE where there are fewer than four inputs.
        batch: How many inputs are computed at once; all by default.
        progress: Called with 1 for each product that is done, of each method.

    Raises:
        ValueError: Inputs that do not suit the network.
    """
    feeds = feeds_of(graph.inputs, x)
    count = count_of(feeds)
    size = fixed_batch(graph.inputs) or 1
    if method is Method.NONE or (method is None and count < _FEWEST * size):
        return Correction(network=network, method=Method.NONE, medians={})
    learned = count if method else max(size, count * 3 // 4 // size * size)
    last = {name: values[learned:] for name, values in feeds.items()}
    most = min(_INPUTS, max(_FEWEST, _NUMBERS // numbers_of(feeds)))
    learned = min(learned, max(size, most // size * size))
    first = {name: values[:learned] for name, values in feeds.items()}
    learning = _Learning(network, graph, first, config, batch, progress)
    if method is not None:
        return Correction(network=learning.corrected(method), method=method, medians={})
    networks = {Method.NONE: network}
    networks |= {each: learning.corrected(each) for each in (Method.OFFSET, Method.AFFINE)}
    medians = {
        each: _median_ratio(candidate, graph, last, config) for each, candidate in networks.items()
    }
    best = max(medians, key=lambda each: medians[each])
    return Correction(network=networks[best], method=best, medians=medians)


class _Learning:
    """What a network's results on some inputs teach about its products."""

    def __init__(
        self,
        network: Network,
        graph: Graph,
        feeds: Mapping[str, npt.NDArray[Any]],
        config: EngineConfig,
        batch: int | None,
        progress: Callable[[int], None] | None,
    ) -> None:
        self._network = network
        self._graph = graph
        self._feeds = feeds
        self._config = config
        self._progress = progress or (lambda _: None)
        self._nodes = {node.name: node for node in graph.nodes}
        self._rows: dict[str, npt.NDArray[np.intp]] = {}
        self._real: dict[str, npt.NDArray[np.float64]] = {}
        self._means: dict[str, npt.NDArray[np.float64]] = {}
        self._observe(batch)

    def corrected(self, method: Method) -> Network:
        """The network, each product corrected behind those before it."""
        steps: list[Step] = []
        count = count_of(self._feeds)
        # As many inputs at once as the network takes; their results are seen together.
        parts = batches(self._feeds, fixed_batch(self._graph.inputs) or count)
        batched: list[dict[str, Any]] = [{**self._network.constants, **part} for part in parts]
        uses = last_uses(self._network, ())
        run = run_golden(self._config)
        for index, step in enumerate(self._network.steps):
            if isinstance(step, Product) and step.blocks:
                taken = [tensors[step.input] for tensors in batched]
                step, results = self._correct(step, taken, method)
                for tensors, result in zip(batched, results, strict=True):
                    tensors[step.output] = result
                self._progress(1)
            else:
                for tensors in batched:
                    run_step(step, tensors, self._config, run)
            steps.append(step)
            for tensors in batched:
                for name in uses.get(index, ()):
                    del tensors[name]
        return replace(self._network, steps=tuple(steps))

    def _correct(
        self, product: Product, activations: list[Vectors], method: Method
    ) -> tuple[Product, list[Tensor]]:
        """A product corrected, and what it gives then for each batch."""
        works = [product.parts(each, None, self._config) for each in activations]
        sums = [
            [
                run_layer(replace(p.layer, output=Output.ACCUMULATOR), p.activations, self._config)
                for p in parts
            ]
            for parts, _ in works
        ]
        gamma = float(activations[0].values.gamma)
        if method is Method.OFFSET:
            gain, offset = np.ones(product.channels), self._offsets(product)
        else:
            rows = joined([joined(each, 1) for each in sums], 0)
            gain, offset = self._affine(product, rows, gamma)
        # A bias or factors that the engine does not have: it stays as it was.
        with suppress(ValueError):
            product = self._changed(product, gain, offset, gamma)
        layers = product.layers(gamma, self._config)
        tensors = []
        for each, (_, outer) in zip(sums, works, strict=True):
            results = [
                finish_layer(
                    layer,
                    MacResult(accumulators=result.values, saturated=result.saturated),
                    self._config,
                )
                for layer, result in zip(layers, each, strict=True)
                if result.values is not None
            ]
            tensors.append(product.tensor(results, outer))
        return product, tensors

    def _affine(
        self, product: Product, sums: LayerResult, input_gamma: float
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Gains and offsets (M,) from accumulators (R, M)."""
        assert sums.values is not None
        worth = input_gamma * 2.0 ** product.shift(self._config)
        rows = self._rows[product.name]
        y = sums.values[rows] * (product.gammas.astype(np.float64) * worth) + product.bias
        real = self._real[product.name]
        y_mean, r_mean = y.mean(axis=0), real.mean(axis=0)
        variance = y.var(axis=0)
        covariance = ((y - y_mean) * (real - r_mean)).mean(axis=0)
        gain = np.ones(len(variance))
        np.divide(covariance, variance, out=gain, where=variance > 0)
        gain = np.clip(gain, _SMALLEST_GAIN, _LARGEST_GAIN)
        return gain, r_mean - gain * y_mean

    def _offsets(self, product: Product) -> npt.NDArray[np.float64]:
        """Offsets (M,) from what became of the weights."""
        node = self._nodes[product.name]
        exact = weight_matrix(node, self._graph.constants[node.inputs[1]]).astype(np.float64)
        error = exact - product.weights()
        means = self._means[product.name].reshape(product.group, -1)
        flat = error.reshape(product.group, -1, *error.shape[1:]).sum(
            axis=tuple(range(2, error.ndim))
        )
        offsets: npt.NDArray[np.float64] = np.einsum("gmc,gc->gm", flat, means).reshape(-1)
        return offsets

    def _changed(
        self,
        product: Product,
        gain: npt.NDArray[np.float64],
        offset: npt.NDArray[np.float64],
        input_gamma: float,
    ) -> Product:
        """A product with gains and offsets (M,) in its factors and its bias."""
        config = self._config
        blocks, start = [], 0
        for block in product.blocks:
            gains = gain[start : start + len(block.weights.gamma)]
            scaled = (block.weights.gamma * gains).astype(np.float32)
            blocks.append(replace(block, weights=replace(block.weights, gamma=scaled)))
            start += len(gains)
        bias: Floats = (product.bias * gain + offset).astype(np.float32)
        worth = input_gamma * 2.0 ** product.shift(config)
        factor = max(float(block.weights.gamma.max()) for block in blocks) * worth
        unit = product.unit
        if product.gamma is None:
            unit = grown_unit(unit, bias, factor, config)
        else:
            fmt = config.datapath.activation_format(signed=product.signed)
            unit = finest_unit(product.label, product.gamma, fmt, factor, bias, config)
        changed = replace(product, blocks=tuple(blocks), bias=bias, unit=unit)
        return as_computed(changed, input_gamma, config)

    def _observe(self, batch: int | None) -> None:
        """Results of products in floats, a sample of them, and means of their inputs."""
        products = [product for product in self._network.products if product.blocks]
        nodes = {product.name: self._nodes[product.name] for product in products}
        names = {n for node in nodes.values() for n in (node.inputs[0], node.output)}
        compute = evaluator(self._graph, names)
        draw = np.random.default_rng(0)
        count = count_of(self._feeds)
        share = max(1, _ROWS // count)
        seen = dict.fromkeys(nodes, 0)
        rows: dict[str, list[npt.NDArray[np.intp]]] = {name: [] for name in nodes}
        real: dict[str, list[npt.NDArray[np.float64]]] = {name: [] for name in nodes}
        sums: dict[str, list[tuple[npt.NDArray[np.float64], int]]] = {name: [] for name in nodes}
        size = fixed_batch(self._graph.inputs) or batch or count
        for feeds in batches(self._feeds, size):
            tensors = compute(feeds)
            inputs = count_of(feeds)
            for product in products:
                node = nodes[product.name]
                values = _rows_of(tensors[node.output], product.axis)
                chosen = np.arange(len(values))
                if len(values) > share * inputs:
                    chosen = np.sort(draw.choice(len(values), share * inputs, replace=False))
                rows[product.name].append(chosen + seen[product.name])
                real[product.name].append(values[chosen].astype(np.float64))
                seen[product.name] += len(values)
                taken = _rows_of(tensors[node.inputs[0]], product.axis)
                sums[product.name].append((taken.sum(axis=0, dtype=np.float64), len(taken)))
        for name in nodes:
            self._rows[name] = np.concatenate(rows[name])
            self._real[name] = np.concatenate(real[name])
            total = sum(each for each, _ in sums[name])
            self._means[name] = np.asarray(total) / sum(number for _, number in sums[name])


def _rows_of(tensor: npt.NDArray[Any], axis: int) -> npt.NDArray[Any]:
    """A tensor as rows, the axis of its channels last."""
    moved = np.moveaxis(tensor, axis, -1)
    return moved.reshape(-1, moved.shape[-1])


def _median_ratio(
    network: Network,
    graph: Graph,
    feeds: Mapping[str, npt.NDArray[Any]],
    config: EngineConfig,
) -> float:
    """Median over inputs of the signal-to-noise ratio of the first output, in dB."""
    name = network.outputs[0]
    compute = evaluator(graph, [name])
    ratios = []
    for part in batches(feeds, fixed_batch(graph.inputs) or 1):
        exact = np.asarray(compute(part)[name], np.float64)
        got = as_real(run_network(network, part, config, keep=[name])[name])
        error = float(np.sum((exact - got) ** 2))
        ratios.append(10 * np.log10(max(float(np.sum(exact**2)), _TINY) / max(error, _TINY)))
    return float(np.median(ratios))
