"""Clipping thresholds of PyTorch tensors, as golden/calibration.py finds and shapes them."""

import torch
from torch import Tensor

from scalewright.golden.calibration import Clip, Granularity, clipping_threshold
from scalewright.golden.config import OperandFormat
from scalewright.sim.training.quantization import split_vectors, vector_peak


def clipping_thresholds(
    rows: Tensor, fmt: OperandFormat, clip: Clip, granularity: Granularity, vector_size: int
) -> Tensor:
    """Clipping thresholds of rows (..., K) by a method, as golden/calibration.py shapes them."""
    values = rows.detach().float()
    if clip.method != "max":
        return _threshold_by_golden(values, fmt, clip, granularity, vector_size)
    peak = vector_peak(split_vectors(values, vector_size), fmt)
    if granularity is Granularity.VECTOR:
        return peak
    if granularity is Granularity.TENSOR:
        return peak.amax()
    return peak.flatten(1).amax(dim=1).reshape(-1, *[1] * (peak.ndim - 1))


@torch.compiler.disable
def _threshold_by_golden(
    values: Tensor, fmt: OperandFormat, clip: Clip, granularity: Granularity, vector_size: int
) -> Tensor:
    thresholds = clipping_threshold(
        values.cpu().numpy(), fmt, clip, granularity=granularity, vector_size=vector_size
    )
    return torch.as_tensor(thresholds, device=values.device)
