"""Convolutions on the datapath's integers."""

import functools
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from scalewright.sim.training.accumulation import accumulate, product_dtype
from scalewright.sim.training.config import QatConfig
from scalewright.sim.training.layer import QuantizedLayer
from scalewright.sim.training.quantization import QuantizedTensor


class QuantizedConv2d(QuantizedLayer, nn.Conv2d):
    """A convolution, (N, C, H, W) to (N, M, H', W'), on the datapath's integers.

    Vectors lie along the channels of a pixel, those of each group by themselves, and each tap of
    the kernel has vectors of its own. The result is float32, as that of `QuantizedLinear`.

    Args:
        arguments, keywords: Those of `torch.nn.Conv2d`; padding_mode must be `zeros`.
        config: How the layer quantizes.

    Raises:
        ValueError: Another padding mode.
    """

    def __init__(self, *arguments: Any, config: QatConfig, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        if self.padding_mode != "zeros":
            raise ValueError(f"padding_mode must be 'zeros', not {self.padding_mode!r}")
        self._initialize(config)

    @classmethod
    def from_float(cls, layer: nn.Conv2d, config: QatConfig) -> "QuantizedConv2d":
        """A quantized layer with the parameters of a float one."""
        new = cls(
            layer.in_channels,
            layer.out_channels,
            layer.kernel_size,
            stride=layer.stride,
            padding=layer.padding,
            dilation=layer.dilation,
            groups=layer.groups,
            bias=layer.bias is not None,
            padding_mode=layer.padding_mode,
            config=config,
        )
        return new._take_over(layer)

    def weight_rows(self) -> Tensor:
        """The weights, (M, kh, kw, K), K = C / groups."""
        return self.weight.permute(0, 2, 3, 1)

    def activation_rows(self, x: Tensor) -> Tensor:
        """Images (N, C, H, W) as (N, H, W, groups, K)."""
        return x.movedim(-3, -1).unflatten(-1, (self.groups, -1))

    def forward(self, x: Tensor) -> Tensor:
        """Convolve images (N, C, H, W)."""
        with torch.autocast(x.device.type, enabled=False):
            if self.observe is not None:
                self.observe(self.activation_rows(x.float()))
                return self._conv_forward(x.float(), self.weight.float(), self._bias())
            a, activations, w, weights = self._operands(x)
            sums = self._multiply(activations, weights)
            accumulators = functools.partial(self._accumulate, a, w, sums.shape[-2:])
            vectors = w.elements[0, ..., 0].numel()
            sums = self._on_datapath(sums, a, w, accumulators, vectors)
            scale = a.coarse() * w.coarse().flatten()
            y = sums.float() * scale[:, None, None]
            bias = self._bias()
            return y if bias is None else y + bias[:, None, None]

    def _multiply(self, activations: Tensor, weights: Tensor) -> Tensor:
        dtype = product_dtype(self.config.datapath, weights[0].numel())
        # Contiguous: with channels last, torch 2.13 on CPUs computes some dilated convolutions of
        # two groups wrongly.
        images = activations.to(dtype).flatten(-2).movedim(-1, -3).contiguous()
        kernels = weights.to(dtype).permute(0, 3, 1, 2).contiguous()
        return self._conv_forward(images, kernels, None)

    def _accumulate(self, a: QuantizedTensor, w: QuantizedTensor, size: tuple[int, int]) -> Tensor:
        elements = self._windows(a.elements.flatten(-2))
        elements = elements.unflatten(-1, (-1, self.config.datapath.vector_size)).flatten(2, 3)
        scales = None if a.scales is None else self._windows(a.scales).flatten(2, 3)
        channels = self.out_channels // self.groups
        groups = []
        for group in range(self.groups):
            rows = slice(group * channels, (group + 1) * channels)
            sums = accumulate(
                w.elements[rows].flatten(1, -2),
                None if w.scales is None else w.scales[rows].flatten(1),
                elements[group],
                None if scales is None else scales[group],
                self.config.datapath,
            )
            groups.append(sums.reshape(-1, *size, channels).movedim(-1, -3))
        return torch.cat(groups, dim=-3)

    def _windows(self, values: Tensor) -> Tensor:
        """What each window sees: (N, H, W, groups, D) to (groups, N * H' * W', taps, D)."""
        groups, depth = values.shape[-2:]
        images = values.flatten(-2).movedim(-1, -3)
        images = functional.pad(images, self._reversed_padding_repeated_twice)
        kernel, dilation, stride = (
            cast(Any, size) for size in (self.kernel_size, self.dilation, self.stride)
        )
        columns = functional.unfold(images, kernel, dilation, 0, stride)
        return columns.unflatten(1, (groups, depth, -1)).permute(1, 0, 4, 3, 2).flatten(1, 2)
