"""The MAC's accumulation in PyTorch: rounded scale products, saturation after every vector.

The equations are those of golden/mac.py. Everything is an integer that the floats hold exactly.
"""

import torch
from torch import Tensor

from scalewright.golden.config import DatapathConfig


def is_exact(config: DatapathConfig, vectors: int) -> bool:
    """Whether sums of so many vectors are plain integer sums: nothing rounds, nothing saturates."""
    return (
        config.scale_product_shift == 0
        and config.exact_accumulator_bits(vectors) <= config.accumulator_bits
    )


def product_dtype(config: DatapathConfig, length: int) -> torch.dtype:
    """The narrowest type in which plain sums of `length` products are exact in any order."""
    largest = length
    for operand in (config.weights, config.activations):
        largest *= operand.qmax * operand.scale_max
    if largest <= 1 << 24:
        return torch.float32
    if largest <= 1 << 53:
        return torch.float64
    raise ValueError(f"sums of {length} products exceed 2^53: no float holds them exactly")


def accumulate(
    weights: Tensor,
    weight_scales: Tensor | None,
    activations: Tensor,
    activation_scales: Tensor | None,
    config: DatapathConfig,
) -> Tensor:
    """Accumulators of products of rows, as `scalewright.golden.mac.matmul` gives them.

    Args:
        weights: Elements (M, J, V).
        weight_scales: (M, J), or None without.
        activations: Elements (R, J, V).
        activation_scales: (R, J), or None without.
        config: The datapath.

    Returns:
        (R, M), float64, in units of gamma_w * gamma_a * 2^sh.
    """
    shift = config.scale_product_shift
    largest = (1 << config.rounded_scale_product_bits) - 1
    w, a = weights.double(), activations.double()
    total = a.new_zeros(len(a), len(w))
    for j in range(w.shape[1]):
        term = a[:, j] @ w[:, j].T
        factor = term.new_ones(1, 1)
        if activation_scales is not None:
            factor = activation_scales[:, j, None].double()
        if weight_scales is not None:
            factor = factor * weight_scales[None, :, j].double()
        if shift:
            factor = torch.floor(factor * 2.0**-shift + 0.5).clamp(max=largest)
        total = (total + term * factor).clamp(config.accumulator_min, config.accumulator_max)
    return total
