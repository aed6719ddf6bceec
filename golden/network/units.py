"""What 1 is worth in the results of products, and the integers that follow from it."""

from dataclasses import replace

import numpy as np

from scalewright.golden.config import OUTPUT_FRACTION_BITS, EngineConfig, OperandFormat
from scalewright.golden.network.calibration import SMALLEST_SCALE, round_up
from scalewright.golden.network.product import Product
from scalewright.golden.quantized import Floats


def as_computed(product: Product, input_gamma: float, config: EngineConfig) -> Product:
    """The product with the factors and the bias that the engine computes with.

    Its gammas change by 2^-17 at most, its bias by half a unit, and who computes with these in
    floats finds what the engine finds, but for the rounding of floats.

    Raises:
        ValueError: Factors or a bias that do not fit; the message names the node.
    """
    try:
        layers = product.layers(input_gamma, config)
    except ValueError as error:
        raise ValueError(f"{product.label}: {error}") from None
    worth = product.unit / (input_gamma * 2.0 ** product.shift(config))
    blocks, biases = [], []
    for block, layer in zip(product.blocks, layers, strict=True):
        rescaling = layer.rescaling
        gamma = np.ldexp(rescaling.mantissas.astype(np.float64), -rescaling.exponents) * worth
        weights = replace(block.weights, gamma=gamma.astype(np.float32))
        blocks.append(replace(block, weights=weights))
        biases.append((rescaling.biases * product.unit).astype(np.float32))
    if not blocks:
        return product
    return replace(product, blocks=tuple(blocks), bias=np.concatenate(biases))


def finest_unit(
    node: str,
    gamma: float,
    fmt: OperandFormat,
    largest_factor: float,
    bias: Floats,
    config: EngineConfig,
) -> float:
    """Gamma * 2^-f with the largest f at which the grid, the bias and the factors fit."""
    limit = (1 << (config.result_bits - 1)) - 1
    levels = fmt.qmax * fmt.scale_max
    for fraction_bits in reversed(OUTPUT_FRACTION_BITS):
        unit = gamma * 2.0**-fraction_bits
        if (
            (levels << fraction_bits <= limit or fraction_bits == 0)
            and unit >= SMALLEST_SCALE
            and np.abs(np.rint(bias.astype(np.float64) / unit)).max(initial=0) <= limit
            and largest_factor / unit < 1 << 16
        ):
            return unit
    raise ValueError(
        f"{node}: its bias, {np.abs(bias).max(initial=0):.4g}, does not fit results of "
        f"{config.result_bits} bits in units of {gamma:.4g}"
    )


def grown_unit(unit: float, bias: Floats, largest_factor: float, config: EngineConfig) -> float:
    """A unit of results that are not quantized, larger where a bias or a factor needs it."""
    limit = (1 << (config.result_bits - 1)) - 1
    needed = max(float(np.abs(bias).max(initial=0)) / limit, largest_factor / 65535)
    return unit if needed <= unit else round_up(needed)
