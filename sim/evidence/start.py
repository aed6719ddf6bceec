"""Where arms start: a network trained in floats, and converted."""

import copy
from collections.abc import Callable, Iterator
from functools import lru_cache

import torch
from torch import Tensor, nn

from scalewright.golden.calibration import Clip
from scalewright.golden.config import DatapathConfig
from scalewright.golden.gradients import Estimator
from scalewright.sim.evidence.data import digits
from scalewright.sim.evidence.experiment import steps
from scalewright.sim.evidence.fitting import fit, score
from scalewright.sim.training import QatConfig, calibrate, convert
from scalewright.sim.training.batch_norm import reestimate

_LEARNING_RATE = 3e-3
_STEPS = 1500
_CALIBRATION_BATCHES = 8
_STATISTICS_BATCHES = 50
# No sum of these networks saturates: what is compared is quantization.
_ACCUMULATOR_BITS = 40


@lru_cache(maxsize=4)
def trained(make: Callable[[], nn.Module], seed: int, share: float) -> nn.Module:
    """A network trained on the digits in floats; the caller must not change it."""
    torch.manual_seed(seed)
    model = make()
    fit(model, digits().batches(1000 + seed), steps(_STEPS, share), _LEARNING_RATE)
    return model


def quantized(
    model: nn.Module,
    notation: str,
    *,
    clip: str = "max",
    estimator: Estimator = Estimator.STE,
    per_channel: bool = True,
    static: bool = True,
    calibration: Iterator[Tensor] | None = None,
) -> nn.Module:
    """A converted copy of a network.

    Args:
        model: The network.
        notation: W/A/ws/as; vectors of 16.
        clip: Clipping method of weights and activations.
        estimator: Derivative of the quantizers.
        per_channel: Whether weights have a coarse scale for each output channel.
        static: Whether coarse scales of activations are calibrated, on 8 batches, or dynamic.
        calibration: Batches of inputs; of digits by default.
    """
    datapath = DatapathConfig.parse(notation, accumulator_bits=_ACCUMULATOR_BITS)
    config = QatConfig(
        datapath=datapath,
        weight_clip=Clip.parse(clip),
        activation_clip=Clip.parse(clip),
        estimator=estimator,
        per_channel=per_channel,
        static_activations=static,
    )
    copied = convert(copy.deepcopy(model), config)
    if static:
        inputs = calibration or (x for x, _ in digits().batches(7))
        batches = [batch for batch, _ in zip(inputs, range(_CALIBRATION_BATCHES), strict=False)]
        calibrate(copied, batches)
    return copied


def tested(model: nn.Module) -> dict[str, float]:
    """Score of a network on the digits' test set."""
    data = digits()
    return score(model, data.test_images, data.test_labels)


def reestimated(model: nn.Module) -> nn.Module:
    """The same network, its batch normalizations estimated anew on 50 batches."""
    batches = (x for x, _ in digits().batches(8))
    reestimate(model, [x for x, _ in zip(batches, range(_STATISTICS_BATCHES), strict=False)])
    return model
