"""The digits networks on the engine's RTL: every quantized result of every layer."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from time import perf_counter
from typing import Any

import numpy as np

from scalewright.golden.calibration import Clip
from scalewright.golden.config import DatapathConfig, EngineConfig
from scalewright.golden.network import Network, as_real, run_network
from scalewright.golden.network.graph import evaluate
from scalewright.golden.network.quantization import quantize_network
from scalewright.golden.quantized import Floats
from scalewright.sim.demo.digits.models import SIDE, calibration_images, convolutional, perceptron
from scalewright.sim.demo.digits.network import Digits
from scalewright.sim.execution.networks import NetworkRun, count_words, run_on_rtl
from scalewright.sim.execution.products import signal_to_noise_db

NETWORKS = {"perceptron": perceptron, "convolutional": convolutional}
# Images that the RTL of the demo classifies: as many as it plays in seconds.
IMAGES = {"perceptron": 360, "convolutional": 40}

ENGINES = (
    EngineConfig(datapath=DatapathConfig.parse("8/8U/-/-")),
    EngineConfig(datapath=DatapathConfig.parse("4/4U/4/6")),
)


@dataclass(frozen=True, kw_only=True)
class NetworkDemoResult:
    """One row of the demo's second table.

    Attributes:
        network: Its name.
        config: The engine.
        images: Images classified.
        float_accuracy: Share that the float network classifies rightly.
        golden_accuracy: The same by the golden network.
        rtl_accuracy: The same from what came out of the RTL.
        signal_to_noise_db: Of the network's outputs against the float network's.
        run: Cycles and results, layer by layer.
        seconds: For playing and comparing, without the build.
    """

    network: str
    config: EngineConfig
    images: int
    float_accuracy: float
    golden_accuracy: float
    rtl_accuracy: float
    signal_to_noise_db: float
    run: NetworkRun
    seconds: float

    @property
    def results(self) -> int:
        """Results compared: vectors, their scales and flags."""
        return sum(layer.results for layer in self.run.layers)

    def as_dict(self) -> dict[str, Any]:
        """The row, ready for JSON."""
        return {
            **vars(self),
            "config": self.config.as_dict(),
            "run": [layer.as_dict() for layer in self.run.layers],
            "cycles_per_image": self.run.cycles / self.images,
            "utilisation": self.run.busy / self.run.cycles,
            "mismatches": self.run.mismatch_count,
        }


def inputs_of(name: str, images: Floats) -> Floats:
    """Images (N, ...) of 64 pixels in the shape that a network takes."""
    shape = (-1, SIDE * SIDE) if name == "perceptron" else (-1, 1, SIDE, SIDE)
    return images.reshape(shape)


@cache
def quantized(name: str, config: EngineConfig) -> Network:
    """A digits network, calibrated on training images."""
    images = inputs_of(name, calibration_images())
    return quantize_network(NETWORKS[name](), images, config, Clip("max"))


def count(name: str, config: EngineConfig, images: int) -> int:
    """Words that a network's images send to the engine."""
    x = inputs_of(name, Digits.load().images[:images])
    return count_words(quantized(name, config), x, config)


def run_network_demo(
    name: str,
    config: EngineConfig,
    images: int | None = None,
    *,
    words: int = 0,
    progress: Callable[[int], None] | None = None,
) -> NetworkDemoResult:
    """Classify test images with a network on the engine.

    Args:
        name: `perceptron` or `convolutional`.
        config: The engine.
        images: How many of the test images; all by default.
        words: How many words this engine gets in all, as `count_words` says.
        progress: Called now and then with the number of words sent since.
    """
    digits = Digits.load()
    x, labels = inputs_of(name, digits.images[:images]), digits.labels[:images]
    network = quantized(name, config)
    (output,) = network.outputs
    real = evaluate(NETWORKS[name](), x, keep=[output])[output]
    golden = as_real(run_network(network, x, config, keep=[output])[output])
    started = perf_counter()
    run = run_on_rtl(network, x, config, words=words, progress=progress)
    seconds = perf_counter() - started
    rtl = as_real(run.tensors[output])

    def accuracy(outputs: Floats) -> float:
        return float(np.mean(outputs.argmax(axis=1) == labels))

    return NetworkDemoResult(
        network=name,
        config=config,
        images=len(x),
        float_accuracy=accuracy(real),
        golden_accuracy=accuracy(golden),
        rtl_accuracy=accuracy(rtl),
        signal_to_noise_db=signal_to_noise_db(real.astype(np.float64), rtl.astype(np.float64)),
        run=run,
        seconds=seconds,
    )
