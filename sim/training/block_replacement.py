"""Block replacement: quantized blocks learn inside a full-precision network, too.

After Yu et al., arXiv 2412.15846 (abstract; weights and schedule here are ours): a frozen network
in full precision and its quantized counterpart, block by block. Beside the quantized network run
mixed ones, the full-precision network with one block replaced by its quantized twin, which so sees
full-precision inputs, and gets its gradient through full-precision blocks:

    L = T(q) + d D(q, f) + mean over mixed networks m of  T(m) + d D(m, f)

T is the task's loss, D a distillation loss against the full-precision network f, and d its weight,
constant.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


def distillation_loss(outputs: Tensor, targets: Tensor) -> Tensor:
    """Kullback-Leibler divergence from softmax of targets (N, ..., classes) to that of outputs."""
    classes = outputs.shape[-1]
    return functional.kl_div(
        functional.log_softmax(outputs.reshape(-1, classes), dim=-1),
        functional.log_softmax(targets.reshape(-1, classes), dim=-1),
        reduction="batchmean",
        log_target=True,
    )


class BlockReplacement(nn.Module):
    """A quantized network with its full-precision twin beside it, for training only.

    What is trained is `quantized`; take it out when done.

    Args:
        full_precision: The trained network in floats; it becomes frozen, in evaluation mode.
        quantized: Its counterpart, converted.
        blocks: Qualified names of the blocks, the same in both.
        distillation: Weight d of the distillation losses.
        loss: Distillation loss of outputs and targets.

    Raises:
        ValueError: No blocks, or a block that one of the networks does not have.
    """

    def __init__(
        self,
        full_precision: nn.Module,
        quantized: nn.Module,
        blocks: Sequence[str],
        *,
        distillation: float = 1.0,
        loss: Callable[[Tensor, Tensor], Tensor] = distillation_loss,
    ) -> None:
        super().__init__()
        if not blocks:
            raise ValueError("blocks must name at least one block")
        for network in (full_precision, quantized):
            names = dict(network.named_modules())
            for block in blocks:
                if not block or block not in names:  # the empty name is that of the network
                    raise ValueError(f"both networks must have a block {block!r}")
        self.full_precision = full_precision.requires_grad_(False).eval()
        self.quantized = quantized
        self.blocks = tuple(blocks)
        self._distillation = distillation
        self._loss = loss

    def train(self, mode: bool = True) -> "BlockReplacement":
        """Set the mode of the quantized network; the other one stays in evaluation mode."""
        super().train(mode)
        self.full_precision.eval()
        return self

    def forward(self, x: Any) -> Tensor:
        """Output of the quantized network."""
        return self.quantized(x)

    def mixed(self, x: Any, block: str) -> Tensor:
        """Output of the full-precision network with one block replaced by its quantized twin.

        Batch normalizations of the block keep their running statistics: those are of the quantized
        network.
        """
        twin = self.quantized.get_submodule(block)
        with _replaced(self.full_precision, block, twin), _fixed_statistics(twin):
            return self.full_precision(x)

    def training_loss(
        self, x: Any, task: Callable[[Tensor], Tensor], blocks: Sequence[str] | None = None
    ) -> Tensor:
        """The loss of the quantized and the mixed networks.

        Args:
            x: Inputs.
            task: The task's loss of outputs.
            blocks: Blocks to replace in this step; all by default. Each costs a pass through the
                network.
        """
        with torch.no_grad():
            targets = self.full_precision(x)
        blocks = self.blocks if blocks is None else blocks

        def branch(outputs: Tensor) -> Tensor:
            return task(outputs) + self._distillation * self._loss(outputs, targets)

        total = branch(self.quantized(x))
        if blocks:
            total = total + torch.stack([branch(self.mixed(x, block)) for block in blocks]).mean()
        return total


@contextmanager
def _replaced(network: nn.Module, name: str, module: nn.Module) -> Iterator[None]:
    """A network with another submodule, for the time being."""
    original = network.get_submodule(name)
    network.set_submodule(name, module)
    try:
        yield
    finally:
        network.set_submodule(name, original)


@contextmanager
def _fixed_statistics(module: nn.Module) -> Iterator[None]:
    """A module whose batch normalizations do not move their running statistics.

    Nor the count of batches, by which a cumulative average weighs the next one.
    """
    norms = [norm for norm in module.modules() if isinstance(norm, nn.modules.batchnorm._BatchNorm)]
    tracking = [norm.track_running_stats for norm in norms]
    for norm in norms:
        norm.track_running_stats = False
    try:
        yield
    finally:
        for norm, tracks in zip(norms, tracking, strict=True):
            norm.track_running_stats = tracks
