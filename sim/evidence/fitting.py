"""Training and testing of networks, the same for all experiments."""

from collections.abc import Callable, Iterator
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

Batch: TypeAlias = tuple[Tensor, Tensor]
Loss: TypeAlias = Callable[[Tensor, Tensor], Tensor]

_WEIGHT_DECAY = 1e-4
_TEST_BATCH = 512


def cross_entropy(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """Mean cross entropy of outputs (N, ..., classes)."""
    return functional.cross_entropy(model(x).flatten(0, -2), y.flatten())


def fit(
    model: nn.Module,
    batches: Iterator[Batch],
    steps: int,
    learning_rate: float,
    *,
    loss: Callable[[nn.Module, Tensor, Tensor], Tensor] = cross_entropy,
    before_step: Callable[[float], None] = lambda _: None,
    after_step: Callable[[float], None] = lambda _: None,
    progress_loss: Callable[[float], Tensor] | None = None,
) -> None:
    """Train by AdamW with a learning rate that falls along a cosine; leaves evaluation mode.

    Args:
        model: The network.
        batches: Inputs and targets, at least `steps` of them.
        steps: Steps of the optimizer.
        learning_rate: The first one.
        loss: Of the network, inputs and targets.
        before_step: Called before each step of the optimizer, with the share of the training that
            is done after it.
        after_step: Called after it, likewise.
        progress_loss: A further loss, of the share of the training that is done.
    """
    parameters = [value for value in model.parameters() if value.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=learning_rate, weight_decay=_WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    model.train()
    for step, (x, y) in zip(range(1, steps + 1), batches, strict=False):
        optimizer.zero_grad()
        total = loss(model, x, y)
        if progress_loss is not None:
            total = total + progress_loss((step - 1) / steps)
        total.backward()
        before_step(step / steps)
        optimizer.step()
        schedule.step()
        after_step(step / steps)
    model.eval()


def score(model: nn.Module, x: Tensor, y: Tensor) -> dict[str, float]:
    """Negative log-likelihood in nats and accuracy in percent, means over all targets."""
    model.eval()
    total = right = 0.0
    with torch.no_grad():
        for inputs, targets in zip(x.split(_TEST_BATCH), y.split(_TEST_BATCH), strict=True):
            outputs, classes = model(inputs).flatten(0, -2), targets.flatten()
            total += float(functional.cross_entropy(outputs, classes, reduction="sum"))
            right += float((outputs.argmax(dim=1) == classes).sum())
    return {"nll": total / y.numel(), "accuracy": 100 * right / y.numel()}
