"""Noise tempering: quantization noise that fades, and a gradient scale that learns.

This is a reading of the abstract of Wang et al., arXiv 2212.05603 («exponentially decaying
quantization-error-aware noise together with a learnable scale of task loss gradient»): the paper's
equations were not available. For weights w with integers Q(w), in units of their scale's step,

    forward    Q(w) + a (w - Q(w)) u         u uniform in [0, 1), a = exp(-rate * progress)
    backward   g_w = g (1 + delta sign(g) (w - Q(w)))     for the gradient g at the quantizer

so that the noise of an element is its own error, and none where there is none; from
progress 1 on, in evaluation mode, and where a = 0 the quantizer is the plain one, bit for bit.
The backward form is that of element-wise gradient scaling (Lee et al., CVPR 2021). Delta, one for
each layer, learns by the gradient of the next loss with respect to it (as Baydin et al., ICLR 2018,
learn a step size): it moves by the cosine between the new gradient and what delta changed in the
last one, times `learning_rate`, and stays between 0 and 1.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn

from scalewright.sim.training.conversion import quantized_layers
from scalewright.sim.training.quantization import QuantizedTensor


class TemperedNoise(nn.Module):
    """The noise and the gradient scale of one layer's weights.

    Attributes:
        strength: a, 0 to 1.
        delta: How much a gradient away from the quantized weight is scaled, 0 to 1.
    """

    strength: Tensor
    delta: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("strength", torch.ones(()))
        self.register_buffer("delta", torch.zeros(()))
        self._gradient: Tensor | None = None
        self._direction: Tensor | None = None

    def forward(self, quantized: QuantizedTensor, units: Tensor) -> tuple[Tensor, Tensor]:
        """Integers with noise, and the exact numbers with their gradient scaled."""
        integers = quantized.integers()
        if not self.training:
            return integers, units
        steps = quantized.steps()
        error = torch.where(steps == 0, 0, units.detach() - integers)
        values = integers
        if self.strength > 0:
            values = integers + self.strength * torch.rand_like(error) * error
        # A clipped element is further away than half a step, but not by rounding.
        relative = (error / torch.where(steps == 0, 1, steps)).clamp(-0.5, 0.5)
        if units.requires_grad:
            units = _ScaledGradient.apply(units, relative, self)
        return values, units

    def scale(self, gradient: Tensor, relative: Tensor) -> Tensor:
        """A gradient scaled; how it depends on delta is kept for `learn`."""
        direction = gradient.abs() * relative
        if self._gradient is None:
            self._gradient, self._next = gradient, direction
        else:  # a further backward pass before the step
            self._gradient, self._next = self._gradient + gradient, self._next + direction
        return gradient + self.delta * direction

    def learn(self, learning_rate: float) -> None:
        """Move delta: how well did its last share of the gradient point?"""
        if self._gradient is None:
            return
        if self._direction is not None:
            norm = self._gradient.norm() * self._direction.norm()
            if 0 < norm < torch.inf:  # nor is there anything to learn from an overflow
                cosine = (self._gradient * self._direction).sum() / norm
                self.delta.add_(learning_rate * cosine).clamp_(0, 1)
        self._direction, self._gradient = self._next, None


class _ScaledGradient(torch.autograd.Function):
    """The identity, whose gradient a TemperedNoise scales."""

    @staticmethod
    def forward(context: Any, units: Tensor, relative: Tensor, noise: TemperedNoise) -> Tensor:
        context.save_for_backward(relative)
        context.noise = noise
        return units.view_as(units)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (relative,) = context.saved_tensors
        return context.noise.scale(gradients[0], relative), None, None


class NoiseTempering:
    """Attaches noise to the weights of a network's quantized layers.

    Call `step` after each backward pass, beside the optimizer's.

    Args:
        model: The network, converted.
        rate: Decay rate of the noise over the whole training: exp(-rate) is left just before its
            end.
        learning_rate: How fast delta moves; 0 for a fixed one of 0.
    """

    def __init__(self, model: nn.Module, *, rate: float = 5.0, learning_rate: float = 0.01) -> None:
        if rate < 0 or learning_rate < 0:
            raise ValueError(
                f"rate and learning_rate must not be negative, not {rate} and {learning_rate}"
            )
        self._rate = rate
        self._learning_rate = learning_rate
        self.noises: dict[str, TemperedNoise] = {}
        for name, layer in quantized_layers(model).items():
            self.noises[name] = TemperedNoise().to(layer.weight.device)
            layer.weight_noise = self.noises[name].train(layer.training)

    def strength(self, progress: float) -> float:
        """Strength a of the noise when a share of the training is done: exactly 0 from 1 on."""
        return math.exp(-self._rate * progress) if progress < 1 else 0.0

    @torch.no_grad()
    def step(self, progress: float) -> None:
        """Set the noise for the next step, and let the gradient scales learn."""
        for noise in self.noises.values():
            noise.strength.fill_(self.strength(progress))
            if self._learning_rate:
                noise.learn(self._learning_rate)
