"""A matrix engine and its widths: lanes of vector MACs, a weight buffer, post-processing."""

import enum
from dataclasses import asdict, dataclass
from typing import Any

from scalewright.golden.config.datapath import DatapathConfig, OperandFormat
from scalewright.golden.config.parameter import LANES, require_in_range, require_power_of_two

# The factor of a channel: m * 2^-e with m of so many significant bits.
MANTISSA_BITS = 16
EXPONENTS = range(64)
# Widths of a rescaled result.
RESULT_BITS = range(8, 33)
# Fraction bits that a rescaled result may have.
OUTPUT_FRACTION_BITS = range(24)
# Rows of the weight buffer.
DEPTHS = range(1, (1 << 16) + 1)


class ActivationFunction(enum.IntEnum):
    """What is applied to a rescaled result y: a function of one number, without parameters."""

    IDENTITY = 0  #: y
    RELU = 1  #: max(y, 0)


class Output(enum.IntEnum):
    """What becomes of the accumulators of a tile."""

    QUANTIZED = 0  #: rescaled, then quantized vector by vector
    RESCALED = 1  #: rescaled to R bits
    ACCUMULATOR = 2  #: as they are
    PARTIAL = 3  #: nothing yet: the sums of the next tile go on from here


@dataclass(frozen=True, kw_only=True)
class EngineConfig:
    """A matrix engine: L output channels at a time, one activation vector per cycle.

    Attributes:
        datapath: The vector MAC of each lane. Quantized results have the format of its
            activations: those of the next layer. Where these are of either sign, each tile says
            which its quantized results are.
        lanes: Output channels L computed at once, each with its vector MAC: a power of two from 1
            to 64.
        depth: Rows of the weight buffer, 1 to 65,536; one row is a vector for each lane.
        post_lanes: Results Q post-processed per cycle: a power of two, at most `lanes` and at most
            the vector size.
        result_bits: Width R of a rescaled result in bits, 8 to 32.
        dsp_multipliers: The rescaler's multipliers are `*`, which tools map to the DSPs of FPGAs;
            else compressor trees.
    """

    datapath: DatapathConfig
    lanes: int = 16
    depth: int = 256
    post_lanes: int = 4
    result_bits: int = 18
    dsp_multipliers: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.datapath, DatapathConfig):
            raise TypeError(f"datapath must be a DatapathConfig, not {self.datapath!r}")
        require_power_of_two("lanes", self.lanes, LANES)
        require_in_range("depth", self.depth, DEPTHS)
        if self.depth < self.groups:
            raise ValueError(
                f"depth must be at least the {self.groups} rows of one vector of results, "
                f"not {self.depth}"
            )
        most = min(self.lanes, self.datapath.vector_size)
        require_power_of_two(
            "post_lanes", self.post_lanes, tuple(lanes for lanes in LANES if lanes <= most)
        )
        require_in_range("result_bits", self.result_bits, RESULT_BITS)
        if not isinstance(self.dsp_multipliers, bool):
            raise TypeError(f"dsp_multipliers must be True or False, not {self.dsp_multipliers!r}")

    def __str__(self) -> str:
        return f"engine {self.datapath} {self.lanes} x {self.datapath.vector_size}"

    @property
    def summary(self) -> str:
        """The whole configuration in words."""
        return (
            f"{self.lanes} lanes of {self.datapath.summary}; weight buffer of {self.depth} rows, "
            f"{self.post_lanes} results of {self.result_bits} bits post-processed per cycle"
            f"{', multipliers for DSPs' if self.dsp_multipliers else ''}"
        )

    @property
    def slug(self) -> str:
        """The whole configuration as one word, for file names."""
        return (
            f"engine_{self.datapath.slug}_l{self.lanes}_d{self.depth}_q{self.post_lanes}"
            f"_r{self.result_bits}{'_dsp' if self.dsp_multipliers else ''}"
        )

    def as_dict(self) -> dict[str, Any]:
        """The configuration and its derived widths (bits), ready for JSON."""
        return {
            **asdict(self),
            "datapath": self.datapath.as_dict(),
            "groups": self.groups,
            "widths": {"value": self.value_bits, "magnitude": self.magnitude_bits},
        }

    @property
    def output(self) -> OperandFormat:
        """Format of quantized results; the signed one where they are of either sign."""
        return self.datapath.activations

    @property
    def outputs(self) -> tuple[OperandFormat, ...]:
        """Every format that quantized results may have: the signed one first if there are two."""
        return self.datapath.activation_formats

    @property
    def groups(self) -> int:
        """Groups of L channels that one vector of results takes: V / L, at least 1."""
        return max(1, self.datapath.vector_size // self.lanes)

    @property
    def channels(self) -> int:
        """Output channels of a whole tile: L, or V where that is more."""
        return self.groups * self.lanes

    @property
    def value_bits(self) -> int:
        """Width of a result that is not quantized: an accumulator or a rescaled one."""
        return max(self.datapath.accumulator_bits, self.result_bits)

    @property
    def magnitude_bits(self) -> int:
        """Width n of the magnitude of a quantized result, the larger one if it has two formats."""
        return max(fmt.element_bits - fmt.signed for fmt in self.outputs)
