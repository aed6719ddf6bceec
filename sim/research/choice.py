"""What is compared: datapaths with ways to quantize for them."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from scalewright.golden.calibration import Clip
from scalewright.golden.config import DatapathConfig, OperandFormat
from scalewright.golden.quantize import Scaling

UNSCALED = "no per-vector scales"


@dataclass(frozen=True)
class Choice:
    """A datapath, and how tensors are quantized for it.

    Attributes:
        config: The datapath.
        clip: How clipping thresholds are chosen.
        scaling: How per-vector scales are rounded.
    """

    config: DatapathConfig
    clip: Clip
    scaling: Scaling

    @property
    def scaled(self) -> bool:
        """Whether any operand has per-vector scales."""
        return self.config.full_scale_product_bits > 0

    @property
    def series(self) -> str:
        """What it has in common with others in a plot."""
        return f"per-vector scales, V = {self.config.vector_size}" if self.scaled else UNSCALED

    def stored_bits(self, *operands: str) -> float:
        """Stored bits per element, the mean of `weights`, `activations` or both."""
        size = self.config.vector_size
        each = [stored_bits(getattr(self.config, name), size) for name in operands]
        return sum(each) / len(each)

    def as_dict(self) -> dict[str, Any]:
        """The choice, ready for JSON."""
        return {
            "config": self.config.as_dict(),
            "scaling": self.scaling.value,
            "clip": str(self.clip),
        }


def stored_bits(fmt: OperandFormat, vector_size: int) -> float:
    """Stored bits per element: those of the element, and its share of its vector's scale."""
    return fmt.element_bits + (fmt.scale_bits or 0) / vector_size


def sweep(
    configs: Sequence[Sequence[DatapathConfig]],
    clips: Sequence[Clip],
    scalings: Sequence[Scaling],
) -> list[Choice]:
    """Every configuration with every way to quantize for it, each once.

    Without per-vector scales there is one way to round them.

    Args:
        configs: The configurations of each notation.
        clips: Clipping methods.
        scalings: Roundings of the per-vector scales.
    """
    choices = (
        Choice(config, clip, scaling)
        for config, clip, scaling in product(
            [config for variants in configs for config in variants], clips, scalings
        )
        if scaling is scalings[0] or config.full_scale_product_bits
    )
    return list(dict.fromkeys(choices))


def labels(choices: Sequence[Choice]) -> list[str]:
    """A name for each: its notation, and whatever else is not the same for all.

    The vector size of a choice without per-vector scales is no part of it: it stores nothing.
    """
    facts = [
        {
            "vector size": f"V={choice.config.vector_size}" if choice.scaled else "",
            "product": f"P={choice.config.rounded_scale_product_bits}" if choice.scaled else "",
            "accumulator": f"C={choice.config.accumulator_bits}",
            "clip": str(choice.clip),
            "scaling": choice.scaling.value if choice.scaled else "",
        }
        for choice in choices
    ]
    # Of the scale product only a P of the user's is worth a name: the others follow from ws + as.
    rounded = any(choice.config.scale_product_bits is not None for choice in choices)
    varied = {
        name
        for name in facts[0]
        if len({fact[name] for fact in facts} - {""}) > 1 and (name != "product" or rounded)
    }
    return [
        " ".join(
            [str(choice.config), *(fact[name] for name in fact if name in varied and fact[name])]
        )
        for choice, fact in zip(choices, facts, strict=True)
    ]
