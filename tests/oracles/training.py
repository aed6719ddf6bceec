"""Random quantized layers, and what golden makes of their operands."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from scalewright.golden.calibration import Clip, Granularity, clipping_threshold, quantize_clipped
from scalewright.golden.config import DatapathConfig, OperandFormat
from scalewright.golden.mac import matmul
from scalewright.golden.network.calibration import coarse_scale
from scalewright.golden.quantize import Scaling, quantize
from scalewright.golden.quantized import Quantized
from scalewright.golden.requantize import quantize_statically

torch: Any = pytest.importorskip("torch", reason="sim/training needs the extra `train`")

torch.set_num_threads(1)  # pytest runs a process on each core

from scalewright.sim.training import (  # noqa: E402 - needs torch
    QatConfig,
    QuantizedConv2d,
    QuantizedLayer,
    QuantizedLinear,
)

Array = npt.NDArray[Any]


def random_config(rng: np.random.Generator, **fixed: Any) -> QatConfig:
    """A configuration with every parameter at random, but for those that are fixed."""

    def scale_bits() -> int | None:
        return None if rng.random() < 0.3 else int(rng.integers(2, 11))

    weights = OperandFormat(element_bits=int(rng.integers(2, 9)), scale_bits=scale_bits())
    activations = OperandFormat(
        element_bits=int(rng.integers(2, 9)),
        signed=bool(rng.random() < 0.5),
        scale_bits=scale_bits(),
    )
    full = (weights.scale_bits or 0) + (activations.scale_bits or 0)
    datapath = DatapathConfig(
        weights=weights,
        activations=activations,
        vector_size=int(rng.choice([4, 8, 16])),
        scale_product_bits=int(rng.integers(1, full + 1)) if full and rng.random() < 0.6 else None,
        accumulator_bits=int(rng.choice([16, 20, 24, 48])),
    )
    clips = [Clip("max"), Clip("octav"), Clip("percentile", 97.0)]
    parameters: dict[str, Any] = {
        "datapath": datapath,
        "weight_clip": clips[rng.integers(3)],
        "activation_clip": clips[rng.integers(3)],
        "per_channel": bool(rng.random() < 0.7),
        "static_weights": bool(rng.random() < 0.3),
        "static_activations": bool(rng.random() < 0.5),
        "scaling": Scaling(rng.choice(["nearest", "ceil", "paper"])),
    }
    return QatConfig(**{**parameters, **fixed})


def spread(rng: np.random.Generator, *shape: int) -> Any:
    """Numbers whose sizes vary along the first two axes, with zeros among them."""
    sizes = np.exp(rng.normal(0, 1, shape[:2])) * (rng.random(shape[:2]) < 0.9)
    values = rng.standard_normal(shape) * sizes.reshape(*sizes.shape, *[1] * (len(shape) - 2))
    return torch.tensor(values, dtype=torch.float32)


def random_layer(rng: np.random.Generator, config: QatConfig) -> tuple[QuantizedLayer, Any]:
    """A layer, calibrated where it has to be, and inputs."""
    bias = bool(rng.random() < 0.5)
    layer: QuantizedLayer
    if rng.random() < 0.5:
        layer = QuantizedLinear(
            int(rng.integers(1, 70)), int(rng.integers(1, 9)), bias, config=config
        )
        x = spread(rng, int(rng.integers(1, 6)), layer.weight.shape[1])
    else:
        groups = int(rng.integers(1, 4))
        layer = QuantizedConv2d(
            groups * int(rng.integers(1, 12)),
            groups * int(rng.integers(1, 4)),
            (int(rng.integers(1, 4)), int(rng.integers(1, 4))),
            stride=int(rng.integers(1, 3)),
            padding=int(rng.integers(0, 3)),
            dilation=int(rng.integers(1, 3)),
            groups=groups,
            bias=bias,
            config=config,
        )
        x = spread(rng, int(rng.integers(1, 4)), layer.weight.shape[1] * groups, 7, 6)
    with torch.no_grad():
        layer.weight.copy_(spread(rng, *layer.weight.shape))
    layer.calibrate(float(layer.activation_peak(layer.activation_rows(x))))
    if rng.random() < 0.3:  # static thresholds that the data have left behind
        x = 1.5 * x
    return layer, x


def fixed_layer(weights: Any, step: float = 1.0) -> QuantizedLinear:
    """A layer of 4-bit weights on a grid that stays, and inputs on one of 1/64 up to 127/64."""
    datapath = DatapathConfig(
        weights=OperandFormat(element_bits=4),
        activations=OperandFormat(element_bits=8),
        vector_size=4,
        accumulator_bits=24,
    )
    config = QatConfig(datapath=datapath, static_weights=True)
    values = torch.as_tensor(weights, dtype=torch.float32)
    layer = QuantizedLinear(values.shape[1], len(values), False, config=config)
    with torch.no_grad():
        layer.weight.fill_(7 * step)
    layer.calibrate(127 / 64)
    with torch.no_grad():
        layer.weight.copy_(values)
    return layer


@dataclass(frozen=True, eq=False)
class GoldenLayer:
    """What golden makes of a layer's operands: weights (M, ..., K), activations (..., K)."""

    config: QatConfig
    calibrated: Array | None  # weights when the layer was calibrated
    threshold: float

    def weights(self, rows: Array) -> Quantized:
        config = self.config
        fmt, size = config.datapath.weights, config.datapath.vector_size
        axis = 0 if config.per_channel else None
        clip, scaling = config.weight_clip, config.scaling
        if not config.static_weights:
            return quantize_clipped(
                rows, fmt, clip, vector_size=size, coarse_axis=axis, scaling=scaling
            )
        granularity = Granularity.CHANNEL if config.per_channel else Granularity.TENSOR
        if fmt.scale_bits is not None:
            granularity = Granularity.VECTOR
        assert self.calibrated is not None
        threshold = clipping_threshold(
            self.calibrated, fmt, clip, granularity=granularity, vector_size=size
        )
        return quantize(
            rows, fmt, vector_size=size, coarse_axis=axis, threshold=threshold, scaling=scaling
        )

    def activations(self, rows: Array) -> Quantized:
        config = self.config
        fmt, size = config.datapath.activations, config.datapath.vector_size
        if config.static_activations:
            gamma = coarse_scale(self.threshold, fmt)
            return quantize_statically(rows, fmt, vector_size=size, gamma=gamma)
        return quantize_clipped(
            rows, fmt, config.activation_clip, vector_size=size, scaling=config.scaling
        )

    def multiply(self, weights: Quantized, activations: Quantized, exact: bool) -> Array:
        """Products (R, M) of rows (R, J, V) and (M, J, V), float32, without a bias."""
        datapath = self.config.datapath
        if exact:  # as if nothing rounded and nothing saturated
            datapath = DatapathConfig(
                weights=datapath.weights,
                activations=datapath.activations,
                vector_size=datapath.vector_size,
                accumulator_bits=48,
            )
        sums = matmul(weights, activations, datapath).accumulators
        values = (sums * 2.0**datapath.scale_product_shift).astype(np.float32)
        gamma = np.where(weights.gamma == 0, 1, weights.gamma).reshape(-1)
        coarse = np.where(activations.gamma == 0, np.float32(1), activations.gamma)
        products: Array = values * (coarse * gamma)
        return products


def small_network() -> Any:
    """A small network, (N, 6, 5, 5) to (N, 3)."""
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Sequential(
            torch.nn.Conv2d(6, 8, 3, padding=1, bias=False),
            torch.nn.BatchNorm2d(8),
            torch.nn.ReLU(),
        ),
        torch.nn.Flatten(),
        torch.nn.Linear(200, 20),
        torch.nn.ReLU(),
        torch.nn.Linear(20, 3),
    )


def small_batches(count: int = 3) -> list[Any]:
    """Batches of its inputs, each of other sizes."""
    generator = torch.Generator().manual_seed(1)
    return [torch.rand(4, 6, 5, 5, generator=generator) * (number + 1) for number in range(count)]
