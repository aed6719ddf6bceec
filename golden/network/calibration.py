"""Coarse scales of a network's activations, from the tensors of calibration inputs.

They are rounded up to 7 significant bits: so results times their unit, and vector scales times
gamma, are exact in float32, and other software that computes in float32 finds the same integers.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from scalewright.golden.calibration import Clip
from scalewright.golden.config import EngineConfig, Format, OperandFormat, WideFormat
from scalewright.golden.network.graph import Node
from scalewright.golden.network.observation import Observation
from scalewright.golden.quantized import Floats

_GAMMA_BITS = 7
# Below it, float32 has fewer bits than a scale.
SMALLEST_SCALE = float(np.finfo(np.float32).tiny)
# Room above the largest result seen in calibration, where a result is not quantized.
_HEADROOM = 2.0


@dataclass(frozen=True)
class Calibration:
    """Coarse scales from what calibration inputs made of a network's tensors.

    Attributes:
        seen: Tensors by name, each as seen along an axis.
        config: The engine.
        clip: How clipping thresholds are chosen.
    """

    seen: Mapping[tuple[str, int], Observation]
    config: EngineConfig
    clip: Clip

    def format_of(self, tensor: tuple[str, int]) -> OperandFormat:
        """Its format as activations; of either sign, unsigned unless a value is negative.

        What a ReLU gives is never negative.
        """
        return self.config.datapath.activation_format_for(self.seen[tensor].smallest)

    def axes(self, tensor: str) -> int:
        """How many axes a tensor has; 0 for one that was not seen."""
        found = (each.axes for (name, _), each in self.seen.items() if name == tensor)
        return max(found, default=0)

    def gamma(
        self,
        tensor: tuple[str, int],
        node: Node,
        *,
        right: bool = False,
        wide: WideFormat | None = None,
    ) -> float:
        """Coarse scale of a tensor, with vectors along an axis, that a node takes.

        Args:
            tensor: Its name, and the axis.
            node: The node.
            right: Whether it takes the place of weights; else it is activations.
            wide: The grid of wider elements, where it has them.

        Raises:
            ValueError: Negative values where activations are unsigned, or a scale that float32 does
                not hold; the message names the node.
        """
        fmt: Format = self.config.datapath.weights if right else self.format_of(tensor)
        fmt = wide or fmt
        seen, (name, _) = self.seen[tensor], tensor
        if not seen.finite:
            raise ValueError(f"{node.label}: its input {name} on the inputs has NaN or infinity")
        if seen.largest < seen.smallest:
            raise ValueError(f"{node.label}: its input {name} on the inputs is empty")
        if not fmt.signed and seen.smallest < 0:
            raise ValueError(
                f"{node.label}: {self.config.datapath} has unsigned activations, but its input "
                f"{name} has values down to {seen.smallest:.4g}: leave out the U, or take X"
            )
        threshold = seen.threshold(fmt, self.clip, self.config.datapath.vector_size)
        scale = coarse_scale(threshold, fmt)
        return _require_scale(scale, f"{node.label}: its input {name}", threshold)

    def unit(self, tensor: tuple[str, int], node: Node, bias: Floats, factor: float) -> float:
        """What 1 is worth in results that are not quantized, for a product's bias and factors.

        Raises:
            ValueError: A unit that float32 does not hold; the message names the node.
        """
        largest = _HEADROOM * self.seen[tensor].magnitude
        limit = (1 << (self.config.result_bits - 1)) - 1
        # Factors over the unit have to stay below 2^16.
        largest = max(largest, float(np.abs(bias).max(initial=0)))
        unit = round_up(max(largest / limit, factor / 65535))
        return _require_scale(unit, f"{node.label}: its result", largest)


def coarse_scale(threshold: float, fmt: Format) -> float:
    """Coarse scale of activations whose largest vector threshold is `threshold`."""
    return round_up(threshold / (fmt.qmax * fmt.scale_max))


def _require_scale(scale: float, what: str, largest: float) -> float:
    if not SMALLEST_SCALE <= scale < float("inf"):
        raise ValueError(
            f"{what}, {largest:.4g} at most, needs a scale of {scale:.4g}, which float32 does not "
            "hold: multiply the weights or the inputs by a power of two"
        )
    return scale


def round_up(value: float) -> float:
    """The next number of 7 significant bits; 1 for 0, where anything will do."""
    if value == 0:
        return 1.0
    fraction, exponent = np.frexp(value)
    return float(np.ldexp(np.ceil(np.ldexp(fraction, _GAMMA_BITS)), int(exponent) - _GAMMA_BITS))
