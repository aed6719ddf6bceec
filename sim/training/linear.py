"""Linear layers on the datapath's integers."""

import functools

import torch
from torch import Tensor, nn
from torch.nn import functional

from scalewright.sim.training.accumulation import accumulate, product_dtype
from scalewright.sim.training.config import QatConfig
from scalewright.sim.training.layer import QuantizedLayer
from scalewright.sim.training.quantization import QuantizedTensor


class QuantizedLinear(QuantizedLayer, nn.Linear):
    """A linear layer, (..., K) to (..., M), on the datapath's integers.

    The result is acc * (gamma_w * gamma_a * 2^sh) + bias in float32, also under `torch.autocast`,
    where acc are golden's accumulators.

    Args:
        in_features: K.
        out_features: M.
        bias: Whether there is one; it is not quantized here.
        config: How the layer quantizes.
    """

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, *, config: QatConfig
    ) -> None:
        super().__init__(in_features, out_features, bias)
        self._initialize(config)

    @classmethod
    def from_float(cls, layer: nn.Linear, config: QatConfig) -> "QuantizedLinear":
        """A quantized layer with the parameters of a float one."""
        new = cls(layer.in_features, layer.out_features, layer.bias is not None, config=config)
        return new._take_over(layer)

    def weight_rows(self) -> Tensor:
        """The weights, (M, K)."""
        return self.weight

    def activation_rows(self, x: Tensor) -> Tensor:
        """Activations as they come, (..., K)."""
        return x

    def forward(self, x: Tensor) -> Tensor:
        """Multiply activations (..., K)."""
        with torch.autocast(x.device.type, enabled=False):
            if self.observe is not None:
                self.observe(self.activation_rows(x.float()))
                return functional.linear(x.float(), self.weight.float(), self._bias())
            a, activations, w, weights = self._operands(x)
            sums = self._multiply(activations, weights)
            accumulators = functools.partial(self._accumulate, a, w)
            sums = self._on_datapath(sums, a, w, accumulators, a.elements.shape[-2])
            y = sums.float() * (a.coarse() * w.coarse().flatten())
            bias = self._bias()
            return y if bias is None else y + bias

    def _multiply(self, activations: Tensor, weights: Tensor) -> Tensor:
        dtype = product_dtype(self.config.datapath, self.in_features)
        return functional.linear(activations.to(dtype), weights.to(dtype))

    def _accumulate(self, a: QuantizedTensor, w: QuantizedTensor) -> Tensor:
        outer = a.elements.shape[:-2]
        elements = a.elements.reshape(-1, *a.elements.shape[-2:])
        scales = None if a.scales is None else a.scales.reshape(len(elements), -1)
        sums = accumulate(w.elements, w.scales, elements, scales, self.config.datapath)
        return sums.reshape(*outer, -1)
