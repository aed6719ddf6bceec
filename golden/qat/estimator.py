"""The derivatives of golden/gradients.py on PyTorch tensors."""

import torch
from torch import Tensor

from golden.gradients import Estimator


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
