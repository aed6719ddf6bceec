"""Which results of a network saturate, and the accumulators that would hold them."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from scalewright.golden.config import ActivationFunction, EngineConfig, Output
from scalewright.golden.config.datapath import ACCUMULATOR_BITS
from scalewright.golden.layer import LayerResult, finish_layer, run_layer
from scalewright.golden.mac import MacResult
from scalewright.golden.network.execution import Network, Run, run_network
from scalewright.golden.network.feeds import Values
from scalewright.golden.network.product import Part, Product
from scalewright.golden.rescale import rescale

# Bits beyond the largest accumulator of calibration.
_HEADROOM = 1


def counting(config: EngineConfig, count: Callable[[Product, int], None]) -> Run:
    """What runs layers in golden, and tells how many results of each product saturate.

    Those are counted that saturation changes: what is negative before a ReLU is 0 behind it.
    """

    def run(product: Product, parts: list[Part]) -> list[LayerResult]:
        results = []
        for part in parts:
            sums = _accumulators(part, config)
            values, clipped = rescale(sums.accumulators, part.layer.rescaling)
            changed = sums.saturated | (clipped != 0)
            if part.layer.rescaling.activation_function is ActivationFunction.RELU:
                changed &= values > 0
            count(product, int(changed.sum()))
            results.append(finish_layer(part.layer, sums, config))
        return results

    return run


def largest_accumulators(
    network: Network, x: Values, config: EngineConfig, *, batch: int | None = None
) -> Mapping[str, int]:
    """Largest magnitude of each product's accumulators on some inputs, by the product's name.

    The accumulators are as wide as any, whatever the configuration says; `batch` inputs are
    computed at once.
    """
    wide = with_accumulators(config, ACCUMULATOR_BITS[-1])
    found: dict[str, int] = defaultdict(int)

    def run(product: Product, parts: list[Part]) -> list[LayerResult]:
        results = []
        for part in parts:
            sums = _accumulators(part, wide)
            largest = int(np.abs(sums.accumulators).max(initial=0))
            found[product.name] = max(found[product.name], largest)
            results.append(finish_layer(part.layer, sums, wide))
        return results

    run_network(network, x, wide, run=run, keep=(), batch=batch)
    return found


def fitting_bits(product: Product, largest: int, config: EngineConfig) -> int:
    """Accumulator bits for a product whose accumulators reach some magnitude, with room for more.

    Where no sum of so many vectors can need more, the bits of that.
    """
    bits = largest.bit_length() + 1 + _HEADROOM
    if product.vectors:
        bits = min(bits, config.datapath.exact_accumulator_bits(product.vectors))
    return min(max(bits, ACCUMULATOR_BITS[0]), ACCUMULATOR_BITS[-1])


def with_accumulators(config: EngineConfig, bits: int) -> EngineConfig:
    """The engine with accumulators of some width."""
    return replace(config, datapath=replace(config.datapath, accumulator_bits=bits))


def _accumulators(part: Part, config: EngineConfig) -> MacResult:
    layer = replace(part.layer, output=Output.ACCUMULATOR)
    result = run_layer(layer, part.activations, config)
    assert result.values is not None
    return MacResult(accumulators=result.values, saturated=result.saturated)
