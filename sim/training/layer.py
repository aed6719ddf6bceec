"""What quantized layers have in common: operands as integers, with gradients of our choice."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Self

import torch
from torch import Tensor, nn

from scalewright.golden.calibration import Clip, Granularity
from scalewright.golden.config import OperandFormat
from scalewright.golden.network.calibration import coarse_scale
from scalewright.sim.training.accumulation import is_exact
from scalewright.sim.training.config import MAX, QatConfig
from scalewright.sim.training.estimator import quantizer_derivative, with_gradient
from scalewright.sim.training.quantization import QuantizedTensor, quantize, quantize_statically
from scalewright.sim.training.threshold import clipping_thresholds


class QuantizedLayer(nn.Module, ABC):
    """A layer that multiplies integers; `QuantizedLinear` and `QuantizedConv2d` are such.

    Attributes:
        config: How it quantizes.
        weight, bias: Parameters in floats, as in the layer that it replaces.
        weight_threshold: Static thresholds of the weights; NaN before calibration.
        activation_threshold: Static threshold of the activations, (); NaN before calibration.
        element_filter: A module that replaces elements of the weights, (M, ..., J, V) to the same,
            and whose `mask` tells which have no gradient; None by default. So weights freeze
            (sim/training/oscillation.py).
        weight_noise, activation_noise: Modules that take the QuantizedTensor and the exact numbers
            in units of gamma, (..., K), and give what takes the place of the integers, and of the
            exact numbers in the gradient; None by default (sim/training/noise_tempering.py).
        observe: While it is set, the layer computes in floats, and calls it with the activations
            (..., K) of each pass.
    """

    weight: nn.Parameter
    bias: nn.Parameter | None
    weight_threshold: Tensor
    activation_threshold: Tensor
    _activation_gamma: Tensor

    def _initialize(self, config: QatConfig) -> None:
        self.config = config
        self.element_filter: nn.Module | None = None
        self.weight_noise: nn.Module | None = None
        self.activation_noise: nn.Module | None = None
        self.observe: Callable[[Tensor], None] | None = None
        nan = torch.tensor(torch.nan)
        self.register_buffer("activation_threshold", nan)
        self.register_buffer("weight_threshold", self._new_weight_threshold(MAX) * nan)
        self.register_buffer("_activation_gamma", nan.clone(), persistent=False)
        self._calibrated = False

    def _take_over(self, layer: Any) -> Self:
        """Take the parameters of another layer, the very objects, and its mode."""
        self.to(layer.weight.device)
        self.weight, self.bias = layer.weight, layer.bias
        self.train(layer.training)
        return self

    @abstractmethod
    def weight_rows(self) -> Tensor:
        """The weights with the reduction last: (M, ..., K)."""

    @abstractmethod
    def activation_rows(self, x: Tensor) -> Tensor:
        """Activations with the reduction last: (..., K)."""

    def calibrate(self, threshold: float) -> None:
        """Set the static threshold of the activations, and those of the weights from the weights.

        Raises:
            ValueError: A threshold that is not finite or negative.
        """
        if not 0 <= threshold < float("inf"):
            raise ValueError(f"threshold must be finite and not negative, not {threshold}")
        self.activation_threshold.fill_(threshold)
        self.weight_threshold.copy_(self._new_weight_threshold(self.config.weight_clip))
        self._after_calibration()

    def activation_peak(self, rows: Tensor) -> float:
        """The largest threshold that the clipping method finds for activations (..., K)."""
        config = self.config
        fmt, clip = config.datapath.activations, config.activation_clip
        return float(self._thresholds(rows, fmt, clip, Granularity.TENSOR).max())

    @property
    def activation_gamma(self) -> float:
        """The static coarse scale of the activations, as golden/network/calibration.py rounds it.

        Raises:
            RuntimeError: The layer has not been calibrated.
        """
        self._require_calibration()
        return float(self._activation_gamma)

    def quantize_weight(self) -> QuantizedTensor:
        """The weights as they are now: elements (M, ..., J, V), scales, gamma."""
        return self._quantize_weight()[0]

    def quantize_activations(self, x: Tensor) -> QuantizedTensor:
        """Inputs of the layer as integers: elements (..., J, V), scales, gamma."""
        return self._quantize_activations(self.activation_rows(x).float())[0]

    def weight_derivative(self) -> Tensor:
        """The derivative of the weights' quantizer by the layer's estimator, (M, ..., K)."""
        return self._weight_derivative(*self._quantize_weight())

    def extra_repr(self) -> str:
        """What `print` shows of it."""
        config = self.config
        return (
            f"{super().extra_repr()}, {config.datapath}, V={config.datapath.vector_size}, "
            f"clip={config.weight_clip}/{config.activation_clip}, {config.estimator.value}"
        )

    def _operands(self, x: Tensor) -> tuple[QuantizedTensor, Tensor, QuantizedTensor, Tensor]:
        """Activations and weights, quantized, and their integers (..., K) with gradients."""
        rows = self.activation_rows(x.float())
        a, limit = self._quantize_activations(rows)
        factor = quantizer_derivative(self.config.estimator.of_activations, a, rows, limit)
        activations = with_gradient(a, rows, factor, self.activation_noise)
        w, limit = self._quantize_weight()
        rows, held = self.weight_rows().float(), self._held(w)
        factor = self._weight_derivative(w, limit)
        return a, activations, w, with_gradient(w, rows, factor, self.weight_noise, held)

    def _held(self, weights: QuantizedTensor) -> Tensor | None:
        """Which weights (M, ..., K) a filter holds."""
        return None if self.element_filter is None else weights.joined(self.element_filter.mask)

    def _weight_derivative(self, weights: QuantizedTensor, threshold: Tensor | None) -> Tensor:
        rows = self.weight_rows().float()
        factor = quantizer_derivative(self.config.estimator.of_weights, weights, rows, threshold)
        held = self._held(weights)
        return factor if held is None else factor * ~held

    def _quantize_weight(self) -> tuple[QuantizedTensor, Tensor | None]:
        """The quantized weights, and their thresholds where anything is clipped."""
        config = self.config
        threshold = None
        if config.static_weights:
            self._require_calibration()
            threshold = self.weight_threshold
        elif config.weight_clip.method != "max":
            threshold = self._new_weight_threshold(config.weight_clip)
        quantized = quantize(
            self.weight_rows(),
            config.datapath.weights,
            vector_size=config.datapath.vector_size,
            coarse_axis=0 if config.per_channel else None,
            threshold=threshold,
            scaling=config.scaling,
        )
        if self.element_filter is not None:
            quantized = replace(quantized, elements=self.element_filter(quantized.elements))
        return quantized, threshold

    def _quantize_activations(self, rows: Tensor) -> tuple[QuantizedTensor, Tensor | None]:
        """Quantized activations, and their thresholds where anything is clipped."""
        config, fmt = self.config, self.config.datapath.activations
        size = config.datapath.vector_size
        if config.static_activations:
            self._require_calibration()
            gamma = self._activation_gamma
            return (
                quantize_statically(rows, fmt, vector_size=size, gamma=gamma),
                self.activation_threshold,
            )
        threshold = None
        if config.activation_clip.method != "max":
            threshold = self._thresholds(rows, fmt, config.activation_clip, Granularity.TENSOR)
        quantized = quantize(
            rows, fmt, vector_size=size, threshold=threshold, scaling=config.scaling
        )
        return quantized, threshold

    def _new_weight_threshold(self, clip: Clip) -> Tensor:
        granularity = Granularity.CHANNEL if self.config.per_channel else Granularity.TENSOR
        fmt = self.config.datapath.weights
        return self._thresholds(self.weight_rows(), fmt, clip, granularity)

    def _thresholds(
        self, rows: Tensor, fmt: OperandFormat, clip: Clip, granularity: Granularity
    ) -> Tensor:
        """Thresholds of what has a scale of its own: vectors, or else as `granularity` says."""
        return clipping_thresholds(
            rows,
            fmt,
            clip,
            granularity=granularity if fmt.scale_bits is None else Granularity.VECTOR,
            vector_size=self.config.datapath.vector_size,
        )

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """What `to`, `half` and `double` call: thresholds and scales move, but stay float32."""
        exact = dict(self.named_buffers(recurse=False))
        super()._apply(fn, recurse)
        for name, buffer in exact.items():
            setattr(self, name, buffer.to(getattr(self, name).device))
        return self

    def _bias(self) -> Tensor | None:
        return None if self.bias is None else self.bias.float()

    @abstractmethod
    def _multiply(self, activations: Tensor, weights: Tensor) -> Tensor:
        """Sums of products of activations and weights (..., K), as exact as integers are."""

    def _on_datapath(
        self,
        sums: Tensor,
        a: QuantizedTensor,
        w: QuantizedTensor,
        exact: Callable[[], Tensor],
        vectors: int,
    ) -> Tensor:
        """Sums of integers, or what the datapath makes of them, with the gradient of the former.

        Noise in the sums is none of the datapath's, and adds to what it makes of the integers.
        """
        datapath = self.config.datapath
        if is_exact(datapath, vectors) or (self.training and not self.config.datapath_in_training):
            return sums
        with torch.no_grad():
            plain = sums
            if self.weight_noise is not None or self.activation_noise is not None:
                plain = self._multiply(a.integers(), w.integers())
            difference = exact() * 2.0**datapath.scale_product_shift - plain.double()
        return sums.double() + difference

    def _after_calibration(self) -> None:
        fmt = self.config.datapath.activations
        self._activation_gamma.fill_(coarse_scale(float(self.activation_threshold), fmt))
        self._calibrated = True

    def _require_calibration(self) -> None:
        if not self._calibrated:
            raise RuntimeError(
                "static thresholds need calibration: "
                "call scalewright.sim.training.calibrate(model, batches)"
            )

    def _load_from_state_dict(self, *arguments: Any) -> None:
        super()._load_from_state_dict(*arguments)
        self._calibrated = False
        if not self.activation_threshold.isnan():
            self._after_calibration()
