"""Weights that oscillate between two integers while training, and two cures.

With a straight-through estimator a weight whose best value lies between two grid points is pushed
across the border between them again and again (Nagel et al., ICML 2022, arXiv 2203.11086). At step
t a weight oscillates if its integer changes, and changes opposite to its last change:

    o_t = 1 where x_q changes and sign(change) = -sign(last change), else 0
    f_t = m o_t + (1 - m) f_(t-1)              frequency, 0 at first

Dampening pulls the latent weights to the middle of their bins; freezing holds the integers of those
that oscillate at what they were most of the time:

    L_damp = sum of (x_hat - clip(w, -qmax s, qmax s))^2,  x_hat constant
    x_q = round(e_t) for good once f_t > f_th;  e_t = m x_q + (1 - m) e_(t-1)

Integers are the elements x_q: where a vector's scale moves, so may they.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from scalewright.sim.training.conversion import quantized_layers
from scalewright.sim.training.layer import QuantizedLayer


class Oscillation(nn.Module):
    """Follows integers from step to step; a module, for its state.

    Attributes:
        frequency: f of each integer.
        average: e of each integer.
        last: The integers of the last step.
        direction: Sign of the last change of each integer, 0 before the first.
    """

    frequency: Tensor
    average: Tensor
    last: Tensor
    direction: Tensor

    def __init__(self, integers: Tensor, momentum: float) -> None:
        super().__init__()
        self._momentum = momentum
        self.register_buffer("frequency", torch.zeros_like(integers))
        self.register_buffer("average", integers.clone())
        self.register_buffer("last", integers.clone())
        self.register_buffer("direction", torch.zeros_like(integers))

    def update(self, integers: Tensor) -> Tensor:
        """Take the integers of the next step; which of them oscillate in it, bool."""
        change = torch.sign(integers - self.last)
        oscillating = (change != 0) & (change == -self.direction)
        self.frequency += self._momentum * (oscillating.to(integers.dtype) - self.frequency)
        self.average += self._momentum * (integers - self.average)
        self.direction = torch.where(change != 0, change, self.direction)
        self.last = integers.clone()
        return oscillating


class OscillationTracker:
    """Follows the weights of a network's quantized layers.

    Call `update` after each step of the optimizer: oscillation is a matter of steps, not of forward
    passes, of which there may be several or none. Like an optimizer it has a `state_dict` of its
    own: what it has seen is not in the network's.

    Args:
        model: The network, converted.
        momentum: m; a frequency counts from 2 to 3 m on.

    Attributes:
        layers: The oscillation of each layer by its name, elements (M, ..., J, V).
    """

    def __init__(self, model: nn.Module, *, momentum: float = 0.001) -> None:
        if not 0 < momentum <= 1:
            raise ValueError(f"momentum must be above 0 and at most 1, not {momentum}")
        self._quantized = quantized_layers(model)
        if not self._quantized:
            raise ValueError("the network has no quantized layer: convert it first")
        self.layers = {
            name: Oscillation(layer.quantize_weight().elements, momentum)
            for name, layer in self._quantized.items()
        }

    @torch.no_grad()
    def update(self) -> None:
        """Take the weights as they are after a step of the optimizer."""
        for name, layer in self._quantized.items():
            self.layers[name].update(layer.quantize_weight().elements)

    def state_dict(self) -> dict[str, dict[str, Tensor]]:
        """What it has seen of each layer, to go on from."""
        return {name: layer.state_dict() for name, layer in self.layers.items()}

    def load_state_dict(self, state: Mapping[str, Mapping[str, Tensor]]) -> None:
        """Go on from what another tracker has seen of a network with the same layers.

        Raises:
            ValueError: The layers have other names.
            RuntimeError: A layer has other shapes.
        """
        if state.keys() != self.layers.keys():
            raise ValueError(f"the state is of layers {[*state]}, not {[*self.layers]}")
        for name, layer in self.layers.items():
            layer.load_state_dict(state[name])

    @property
    def weights(self) -> int:
        """How many weights there are."""
        return sum(layer.weight.numel() for layer in self._quantized.values())

    def share(self, threshold: float = 0.005) -> float:
        """Share of the weights whose frequency exceeds a threshold."""
        above = sum(int((layer.frequency > threshold).sum()) for layer in self.layers.values())
        return above / self.weights


class FrozenElements(nn.Module):
    """Holds some elements of a layer's weights, and lets the others through.

    Attributes:
        mask: Which are held, bool.
        elements: Their integers.
    """

    mask: Tensor
    elements: Tensor

    def __init__(self, elements: Tensor) -> None:
        super().__init__()
        self.register_buffer("mask", torch.zeros_like(elements, dtype=torch.bool))
        self.register_buffer("elements", elements.clone())

    def forward(self, elements: Tensor) -> Tensor:
        """The elements, those that are held replaced."""
        return torch.where(self.mask, self.elements, elements)


class IterativeFreezing:
    """Freezes the integers of weights that oscillate too often.

    A frozen weight has no gradient of the task's loss, and counts as its integer times its scale,
    which goes on changing. Attaching it gives each layer an `element_filter`, a part of its state.
    The average of integers needs some 1 / m steps to forget where it began: a threshold that
    freezes sooner may freeze at the worse integer; the paper begins after a quarter of the
    training.

    Args:
        model: The network, converted.
        tracker: What follows its weights; `update` it first.
    """

    def __init__(self, model: nn.Module, tracker: OscillationTracker) -> None:
        self._tracker = tracker
        self._filters: dict[str, FrozenElements] = {}
        for name, layer in quantized_layers(model).items():
            self._filters[name] = FrozenElements(layer.quantize_weight().elements)
            layer.element_filter = self._filters[name]

    @torch.no_grad()
    def update(self, threshold: float) -> None:
        """Freeze the weights whose frequency exceeds a threshold, in the paper 0.1 to 0.01."""
        for name, frozen in self._filters.items():
            oscillation = self._tracker.layers[name]
            new = (oscillation.frequency > threshold) & ~frozen.mask
            frozen.elements.copy_(torch.where(new, oscillation.average.round(), frozen.elements))
            frozen.mask |= new

    def share(self) -> float:
        """Share of the weights that are frozen."""
        frozen = sum(int(item.mask.sum()) for item in self._filters.values())
        return frozen / self._tracker.weights


def dampening_loss(model: nn.Module) -> Tensor:
    """L_damp of a network's quantized layers, to be added with a factor, in the paper 0 to 0.1."""
    losses = [_dampening(layer) for layer in quantized_layers(model).values()]
    if not losses:
        raise ValueError("the network has no quantized layer: convert it first")
    return torch.stack(losses).sum()


def _dampening(layer: QuantizedLayer) -> Tensor:
    quantized = layer.quantize_weight()
    gamma = quantized.coarse()
    limit = quantized.steps() * gamma * quantized.format.qmax
    target = quantized.integers() * gamma
    return (target - layer.weight_rows().float().clamp(-limit, limit)).square().sum()
