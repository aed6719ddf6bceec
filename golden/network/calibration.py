"""Coarse scales of a network's activations, from the tensors of calibration inputs.

They are rounded up to 7 significant bits: so results times their unit, and vector scales times
gamma, are exact in float32, and other software that computes in float32 finds the same integers.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from scalewright.golden.calibration import Clip, Granularity, clipping_threshold
from scalewright.golden.config import EngineConfig, OperandFormat
from scalewright.golden.network.graph import Node
from scalewright.golden.quantized import Floats

_GAMMA_BITS = 7
# Below it, float32 has fewer bits than a scale.
SMALLEST_SCALE = float(np.finfo(np.float32).tiny)
# Room above the largest result seen in calibration, where a result is not quantized.
_HEADROOM = 2.0


@dataclass(frozen=True)
class Calibration:
    """Coarse scales from the tensors of calibration inputs.

    Attributes:
        tensors: All tensors of the network in floats.
        config: The engine.
        clip: How clipping thresholds are chosen.
    """

    tensors: Mapping[str, Floats]
    config: EngineConfig
    clip: Clip

    def format_of(self, tensor: str) -> OperandFormat:
        """Its format as activations; of either sign, unsigned unless a value is negative.

        What a ReLU gives is never negative.
        """
        return self.config.datapath.activation_format_for(float(self.tensors[tensor].min()))

    def gamma(self, tensor: str, node: Node) -> float:
        """Coarse scale of a tensor that becomes the activations of a node.

        Raises:
            ValueError: Negative values where activations are unsigned, or a scale that float32 does
                not hold; the message names the node.
        """
        fmt = self.format_of(tensor)
        values = self.tensors[tensor]
        if not fmt.signed and values.min() < 0:
            raise ValueError(
                f"{node.label}: {self.config.datapath} has unsigned activations, but its input "
                f"{tensor} has values down to {values.min():.4g}: leave out the U, or take X"
            )
        scaled = fmt.scale_bits is not None
        threshold = clipping_threshold(
            np.moveaxis(values, 1, -1) if values.ndim == 4 else values,
            fmt,
            self.clip,
            granularity=Granularity.VECTOR if scaled else Granularity.TENSOR,
            vector_size=self.config.datapath.vector_size,
        )
        scale = coarse_scale(float(threshold.max()), fmt)
        return _require_scale(scale, f"{node.label}: its input {tensor}", float(threshold.max()))

    def unit(self, tensor: str, node: Node, bias: Floats, factor: float) -> float:
        """What 1 is worth in results that are not quantized, for a product's bias and factors.

        Raises:
            ValueError: A unit that float32 does not hold; the message names the node.
        """
        largest = _HEADROOM * float(np.abs(self.tensors[tensor]).max())
        limit = (1 << (self.config.result_bits - 1)) - 1
        # Factors over the unit have to stay below 2^16.
        largest = max(largest, float(np.abs(bias).max()))
        unit = _round_up(max(largest / limit, factor / 65535))
        return _require_scale(unit, f"{node.label}: its result", largest)


def coarse_scale(threshold: float, fmt: OperandFormat) -> float:
    """Coarse scale of activations whose largest vector threshold is `threshold`."""
    return _round_up(threshold / (fmt.qmax * fmt.scale_max))


def _require_scale(scale: float, what: str, largest: float) -> float:
    if not SMALLEST_SCALE <= scale < float("inf"):
        raise ValueError(
            f"{what}, {largest:.4g} at most, needs a scale of {scale:.4g}, which float32 does not "
            "hold: multiply the weights or the inputs by a power of two"
        )
    return scale


def _round_up(value: float) -> float:
    """The next number of 7 significant bits; 1 for 0, where anything will do."""
    if value == 0:
        return 1.0
    fraction, exponent = np.frexp(value)
    return float(np.ldexp(np.ceil(np.ldexp(fraction, _GAMMA_BITS)), int(exponent) - _GAMMA_BITS))
