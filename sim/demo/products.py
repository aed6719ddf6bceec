"""The digits classifier on the RTL: every multiply-accumulate of every test image."""

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt

from scalewright.golden.calibration import Clip, quantize_clipped
from scalewright.golden.config import DatapathConfig
from scalewright.golden.mac import matmul
from scalewright.golden.quantized import Quantized
from scalewright.sim.blocks import design_of
from scalewright.sim.demo.digits.network import Digits, Floats
from scalewright.sim.execution.products import (
    Comparison,
    compare_matmul,
    real_product,
    signal_to_noise_db,
)
from scalewright.sim.simulators.build import build_player

MAX = Clip("max")

# Activations after ReLU, and pixels, are never negative.
PLAIN_4_BIT = DatapathConfig.parse("4/4U/-/-")
SCALED_4_BIT = DatapathConfig.parse("4/4U/4/6")
CONFIGURATIONS = (
    DatapathConfig.parse("8/8U/-/-"),
    PLAIN_4_BIT,
    SCALED_4_BIT,
    DatapathConfig.parse("4/4U/4/6", scale_product_bits=6),
    DatapathConfig.parse("3/3U/4/6"),
)


@dataclass(frozen=True)
class DemoResult:
    """One row of the demo's table.

    Attributes:
        config: The datapath.
        float_accuracy: Share of test images classified rightly by the float network.
        golden_accuracy: The same by the golden model.
        rtl_accuracy: The same from the accumulators that came out of the RTL.
        signal_to_noise_db: Of the network's outputs against the float network's.
        vectors: Vector pairs played.
        accumulators: Accumulators compared.
        saturated: How many of them saturated.
        mismatches: How many differ between RTL and golden.
        seconds: For playing and comparing, without the build.
    """

    config: DatapathConfig
    float_accuracy: float
    golden_accuracy: float
    rtl_accuracy: float
    signal_to_noise_db: float
    vectors: int
    accumulators: int
    saturated: int
    mismatches: int
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """The row, ready for JSON."""
        return {**vars(self), "config": self.config.as_dict()}


def _quantize(activations: Floats, config: DatapathConfig, clip: Clip) -> Quantized:
    fmt = config.activation_format_for(float(activations.min()))
    return quantize_clipped(activations, fmt, clip, vector_size=config.vector_size)


def vector_pairs(digits: Digits, config: DatapathConfig, images: int) -> int:
    """Vector pairs that the network takes for so many images."""
    per_image = 0
    for weights in digits.weights:
        rows, length = weights.shape
        per_image += rows * -(-length // config.vector_size)
    return images * per_image


def run_demo(
    config: DatapathConfig,
    images: int | None = None,
    *,
    clip: Clip = MAX,
    progress: Callable[[int], None] | None = None,
) -> DemoResult:
    """Classify test images on the RTL of one configuration.

    Args:
        config: The datapath.
        images: How many of the test images; all by default.
        clip: How clipping thresholds are chosen.
        progress: Called now and then with the number of vector pairs played since.
    """
    digits = Digits.load()
    if images is not None:
        digits = Digits(
            digits.weights, digits.biases, digits.images[:images], digits.labels[:images]
        )
    weights = [
        quantize_clipped(w, config.weights, clip, vector_size=config.vector_size, coarse_axis=0)
        for w in digits.weights
    ]
    pairs = vector_pairs(digits, config, len(digits.labels))
    built = build_player(design_of("vector-mac", config), pairs)
    comparisons: list[Comparison] = []

    def on_rtl(layer: int, _: Floats, activations: Floats) -> npt.NDArray[np.float64]:
        quantized = _quantize(activations, config, clip)
        comparison = compare_matmul(built, weights[layer], quantized, config, progress=progress)
        comparisons.append(comparison)
        return real_product(comparison.rtl, weights[layer], quantized, config)

    def on_golden(layer: int, _: Floats, activations: Floats) -> npt.NDArray[np.float64]:
        quantized = _quantize(activations, config, clip)
        result = matmul(weights[layer], quantized, config)
        return real_product(result, weights[layer], quantized, config)

    started = perf_counter()
    rtl = digits.logits(on_rtl)
    seconds = perf_counter() - started
    golden = digits.logits(on_golden)
    real = digits.logits(lambda _, w, activations: activations @ w.T)
    return DemoResult(
        config=config,
        float_accuracy=digits.accuracy(real),
        golden_accuracy=digits.accuracy(golden),
        rtl_accuracy=digits.accuracy(rtl),
        signal_to_noise_db=signal_to_noise_db(real, rtl),
        vectors=sum(comparison.vectors for comparison in comparisons),
        accumulators=sum(comparison.rtl.accumulators.size for comparison in comparisons),
        saturated=sum(int(comparison.rtl.saturated.sum()) for comparison in comparisons),
        mismatches=sum(comparison.mismatch_count for comparison in comparisons),
        seconds=seconds,
    )
