"""The derivatives of golden/gradients.py on PyTorch tensors, and how integers come by them."""

import torch
from torch import Tensor, nn

from scalewright.golden.gradients import Estimator
from scalewright.sim.training.quantization import QuantizedTensor


def derivative(estimator: Estimator, x: Tensor, threshold: Tensor, *, signed: bool) -> Tensor:
    """The derivative of a quantizer at x, of x's shape and without a graph of its own.

    Args:
        estimator: STE, PWL or MAD; HYBRID must have been resolved.
        x: Inputs of the quantizer.
        threshold: s, not negative; broadcasts against x.
        signed: Whether the clipping range is -s to s, or 0 to s.

    Raises:
        ValueError: HYBRID.
    """
    values = x.detach()
    if estimator is Estimator.STE:
        return torch.ones_like(values)
    magnitude = values.abs() if signed else values.clamp(min=0)
    outside = magnitude > threshold
    if estimator is Estimator.PWL:
        factor = (~outside).to(values.dtype)
    elif estimator is Estimator.MAD:
        factor = torch.where(outside, threshold / torch.where(outside, magnitude, 1), 1)
    else:
        raise ValueError("estimator must be that of weights or of activations, not HYBRID itself")
    return factor if signed else factor * (values >= 0)


def quantizer_derivative(
    estimator: Estimator, quantized: QuantizedTensor, rows: Tensor, threshold: Tensor | None
) -> Tensor:
    """The derivative (..., K) of the quantizer that gave `quantized` for rows (..., K).

    Args:
        estimator: STE, PWL or MAD.
        quantized: The result.
        rows: What was quantized.
        threshold: Clipping thresholds that broadcast against (..., J); None if nothing clips.
    """
    if threshold is None:
        threshold = rows.new_tensor(torch.inf)
    elif threshold.ndim and threshold.shape[-1] > 1:
        threshold = quantized.joined(threshold.unsqueeze(-1).expand_as(quantized.elements))
    return derivative(estimator, rows, threshold, signed=quantized.format.signed)


def with_gradient(
    quantized: QuantizedTensor,
    rows: Tensor,
    factor: Tensor,
    noise: nn.Module | None,
    held: Tensor | None = None,
) -> Tensor:
    """The integers x_q s_q of rows (..., K), in units of gamma, with `factor` as derivative.

    Those that are held have no noise.
    """
    values, units = quantized.integers(), rows / quantized.coarse()
    if noise is not None:
        values, units = noise(quantized, units if held is None else units.where(~held, values))
    return values + factor * (units - units.detach())
