"""Batch normalization after quantization-aware training: its statistics estimated anew.

Running averages are of weights that have moved on since, by whole steps of the grid where they
oscillate (Nagel et al., ICML 2022); the paper takes 50 batches before each evaluation.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn


@torch.no_grad()
def reestimate(model: nn.Module, batches: Iterable[Tensor]) -> None:
    """Make the running statistics of all batch normalizations the plain mean over batches.

    The rest of the network runs in evaluation mode. A normalization that no batch passes keeps its
    statistics.

    Args:
        model: The network.
        batches: Inputs of the network.

    Raises:
        ValueError: There are no batches.
    """
    norms = [
        module
        for module in model.modules()
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.track_running_stats
    ]
    modes = {module: module.training for module in model.modules()}
    momenta = [norm.momentum for norm in norms]
    before = [{key: value.clone() for key, value in norm.named_buffers()} for norm in norms]
    model.eval()
    count = 0
    try:
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # cumulative
            norm.train()
        for batch in batches:
            model(batch)
            count += 1
    finally:
        for norm, momentum, statistics in zip(norms, momenta, before, strict=True):
            norm.momentum = momentum
            if not norm.num_batches_tracked:
                for key, value in norm.named_buffers():
                    value.copy_(statistics[key])
        for module, mode in modes.items():
            module.training = mode
    if norms and not count:
        raise ValueError("batch normalization needs at least one batch to be estimated anew")
