"""An OCTAV iteration unit and its widths."""

from dataclasses import asdict, dataclass
from typing import Any

from scalewright.golden.config.parameter import LANES, require_in_range, require_power_of_two

SAMPLE_BITS = range(2, 25)
FRACTION_BITS = range(17)
OCTAV_ITERATIONS = range(1, 64)
# Bits of OCTAV's K, at most 12 * 4^8 = 786,432.
CONSTANT_BITS = 20


@dataclass(frozen=True, kw_only=True)
class OctavConfig:
    """An OCTAV iteration unit.

    Attributes:
        sample_bits: Width of a signed sample in bits, 2 to 24.
        lanes: Samples taken per cycle: a power of two from 1 to 64.
        depth: Samples of the largest tensor, a multiple of `lanes` up to 2^24.
        fraction_bits: Fraction bits of the threshold, 0 to 16.
        max_iterations: Limit of the passes, 1 to 63.
        resident: Keep the samples in a memory of `depth` samples and iterate alone; or else make
            one pass for each time that the tensor is streamed.
    """

    sample_bits: int = 12
    lanes: int = 8
    depth: int = 4096
    fraction_bits: int = 4
    max_iterations: int = 10
    resident: bool = True

    def __post_init__(self) -> None:
        require_in_range("sample_bits", self.sample_bits, SAMPLE_BITS)
        require_in_range("fraction_bits", self.fraction_bits, FRACTION_BITS)
        require_in_range("max_iterations", self.max_iterations, OCTAV_ITERATIONS)
        require_power_of_two("lanes", self.lanes, LANES)
        require_in_range("depth", self.depth, range(1, (1 << 24) + 1))
        if self.depth % self.lanes:
            raise ValueError(f"depth must be a multiple of {self.lanes} lanes, not {self.depth}")
        if not isinstance(self.resident, bool):
            raise TypeError(f"resident must be True or False, not {self.resident!r}")

    def __str__(self) -> str:
        mode = "resident" if self.resident else "streaming"
        return f"octav {self.sample_bits}.{self.fraction_bits} {mode}"

    @property
    def summary(self) -> str:
        """The whole configuration in words."""
        return (
            f"{'resident' if self.resident else 'streaming'}, {self.lanes} lanes of "
            f"{self.sample_bits}-bit samples, at most {self.depth} samples, threshold with "
            f"{self.fraction_bits} fraction bits, at most {self.max_iterations} iterations"
        )

    @property
    def slug(self) -> str:
        """The whole configuration as one word, for file names."""
        mode = "resident" if self.resident else "streaming"
        return (
            f"octav_{mode}_s{self.sample_bits}_l{self.lanes}_d{self.depth}_f{self.fraction_bits}"
            f"_i{self.max_iterations}"
        )

    def as_dict(self) -> dict[str, Any]:
        """The configuration and its derived widths (bits), ready for JSON."""
        return {
            **asdict(self),
            "widths": {
                "threshold": self.threshold_bits,
                "sum": self.sum_bits,
                "count": self.count_bits,
                "constant": CONSTANT_BITS,
            },
        }

    @property
    def rows(self) -> int:
        """Cycles that the largest tensor takes at `lanes` samples each."""
        return self.depth // self.lanes

    @property
    def threshold_bits(self) -> int:
        """Width of the threshold: that of the largest magnitude, 2^(sample_bits-1), and F bits."""
        return self.sample_bits + self.fraction_bits

    @property
    def count_bits(self) -> int:
        """Width of a number of samples, 0 to `depth`."""
        return self.depth.bit_length()

    @property
    def sum_bits(self) -> int:
        """Width of a sum of `depth` magnitudes."""
        return (self.depth << (self.sample_bits - 1)).bit_length()

    @property
    def iteration_bits(self) -> int:
        """Width of a number of passes."""
        return self.max_iterations.bit_length()
