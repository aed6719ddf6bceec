"""A trained layer as the engine computes it: quantized weights, batch normalization folded in."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import nn

from scalewright.golden.config import EngineConfig
from scalewright.golden.quantized import Quantized
from scalewright.sim.training.convolution import QuantizedConv2d
from scalewright.sim.training.layer import QuantizedLayer


@dataclass(eq=False, kw_only=True)
class TrainedProduct:
    """A product of the engine.

    Attributes:
        name: Its name and that of its result.
        kind: Conv or Gemm.
        weights: (M, ..., J, V), one gamma for each output channel.
        bias: (M,), float64.
        input_gamma: Coarse scale of its activations.
        attributes: ONNX's.
    """

    name: str
    kind: str
    weights: Quantized
    bias: npt.NDArray[np.float64]
    input_gamma: float
    attributes: dict[str, Any]

    @property
    def weight_name(self) -> str:
        """Name of the weights among the network's constants."""
        return f"{self.name}_weight"

    @property
    def bias_name(self) -> str:
        """Name of the bias among the network's constants."""
        return f"{self.name}_bias"

    def normalize(self, norm: Any) -> None:
        """Fold a batch normalization into the product.

        A channel's factor goes to its gamma; a negative one turns the signs of its elements, which
        the symmetric grid has.
        """
        variance, mean = (
            values.detach().cpu().numpy().astype(np.float64)
            for values in (norm.running_var, norm.running_mean)
        )
        scale, shift = (
            (np.ones_like(mean) if default else np.zeros_like(mean))
            if values is None
            else values.detach().cpu().numpy().astype(np.float64)
            for values, default in ((norm.weight, True), (norm.bias, False))
        )
        factor = scale / np.sqrt(variance + norm.eps)
        weights = self.weights
        signs = np.where(factor < 0, -1, 1).astype(np.int8)
        self.weights = replace(
            weights,
            elements=weights.elements * signs.reshape(-1, *[1] * (weights.elements.ndim - 1)),
            gamma=(weights.gamma * np.abs(factor)).astype(np.float32),
        )
        self.bias = (self.bias - mean) * factor + shift

    def put(self, constants: dict[str, Any]) -> None:
        """Add the weights and the bias, in floats, to the constants of a network."""
        rows = self.weights.dequantize()
        constants[self.weight_name] = rows.transpose(0, 3, 1, 2) if self.kind == "Conv" else rows
        constants[self.bias_name] = self.bias.astype(np.float32)


def trained_product(
    name: str, label: str, layer: QuantizedLayer, config: EngineConfig
) -> TrainedProduct:
    """The product of a trained layer.

    Args:
        name: Name of the product.
        label: Name of the layer, for messages.
        layer: The layer.
        config: The engine.

    Raises:
        ValueError: A layer of another datapath, with dynamic activation scales, or with groups; the
            message names it.
        RuntimeError: The layer has not been calibrated.
    """
    if layer.config.datapath != config.datapath:
        raise ValueError(
            f"layer {label}: the engine's datapath must be the layer's, {layer.config.datapath}, "
            f"not {config.datapath}"
        )
    if not layer.config.static_activations:
        raise ValueError(f"layer {label}: the engine needs static activation scales")
    weights = layer.quantize_weight().as_golden()
    channels = len(weights.elements)
    gamma = np.ascontiguousarray(np.broadcast_to(weights.gamma, (channels,)))
    bias = np.zeros(channels)
    if layer.bias is not None:
        bias = layer.bias.detach().cpu().numpy().astype(np.float64)
    return TrainedProduct(
        name=name,
        kind="Conv" if isinstance(layer, nn.Conv2d) else "Gemm",
        weights=replace(weights, gamma=gamma, coarse_axis=0),
        bias=bias,
        input_gamma=layer.activation_gamma,
        attributes=_attributes(label, layer),
    )


def _attributes(label: str, layer: QuantizedLayer) -> dict[str, Any]:
    if not isinstance(layer, QuantizedConv2d):
        return {"transB": 1}
    if layer.groups != 1:
        raise ValueError(f"layer {label}: the engine has convolutions of one group only")
    # torch keeps the pads of the last dimension first, in pairs.
    left, right, top, bottom = layer._reversed_padding_repeated_twice
    return {
        "strides": list(layer.stride),
        "pads": [top, left, bottom, right],
        "dilations": list(layer.dilation),
    }
