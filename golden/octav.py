"""The OCTAV recursion in integers: the clipping threshold that minimises a model of the error.

For samples x and a threshold s (Sakr et al., ICML 2022, Section 3), clipping and rounding noise are
modelled as

    J(s) = (s^2 / K) #{0 < |x| <= s}  +  sum of (|x| - s)^2 over |x| > s

and Newton's method on J, its fractions cleared, is the exact rational step

    s' = K S / (n_in + K n_out),  S = sum of |x| over |x| > s, n_out = #{|x| > s},
                                  n_in = #{0 < |x| <= s}

from s = 0, so that the first s' is the mean of the nonzero |x|. Here x is integer and s has F
fraction bits; each step is rounded half up. Zeros count nowhere.

A pass at s > 0 that finds nothing outside ends the recursion at s: nothing would be clipped, and a
step would fall to 0 and start over. Then s is the largest |x|, as no mean of some |x| exceeds it.
"""

import enum
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from scalewright.golden import argument
from scalewright.golden.config import Format, WideFormat, require_format


class Grid(enum.Enum):
    """The grid whose rounding noise the model assumes, and so K, twelve over the squared step."""

    NARROW = "narrow"  #: step s / qmax, this datapath's: K = 12 qmax^2
    PAPER = "paper"  #: step s / 2^(N-1) signed, s / 2^N unsigned: K = 3 * 4^N, 12 * 4^N


class End(enum.IntEnum):
    """Why the recursion ended. The numbers are those of the hardware; 0 is for «not yet».

    A pass to which several apply ends as the first of them, in the order of the numbers.
    """

    RUNNING = 0
    FIXED = 1  #: s' = s, or nothing is outside s
    CYCLE = 2  #: s' is the value before s; the larger of the two is the result
    LIMIT = 3  #: the last iteration that is allowed; its s' is the result


@dataclass(frozen=True)
class OctavResult:
    """What the recursion gives.

    Attributes:
        threshold: The threshold in units of 2^-F.
        iterations: Passes over the samples; the one that confirms the result counts.
        end: Why it ended.
        steps: The threshold after every pass, in units of 2^-F: s', or s again in a pass that finds
            nothing outside.
    """

    threshold: int
    iterations: int
    end: End
    steps: tuple[int, ...]


def step_constant(fmt: Format, grid: Grid = Grid.NARROW) -> int:
    """K for a format: an integer of at most 20 bits, and 36 for a wide format.

    Raises:
        TypeError: No format, or no grid.
        ValueError: The paper's grid for a wide format, which is narrow and symmetric.
    """
    require_format(fmt)
    argument.instance("grid", grid, Grid)
    if grid is Grid.NARROW:
        return 12 * fmt.qmax * fmt.qmax
    if isinstance(fmt, WideFormat):
        raise ValueError(f"grid must be NARROW for the wide format {fmt}, not {grid.name}")
    return (3 if fmt.signed else 12) << (2 * fmt.element_bits)


def octav(
    samples: npt.ArrayLike, constant: int, *, fraction_bits: int, max_iterations: int = 10
) -> OctavResult:
    """Run the recursion on one tensor.

    Args:
        samples: Integers of any shape and width; the magnitude of the most negative is exact.
        constant: K, at least 1; see `step_constant`.
        fraction_bits: F.
        max_iterations: Limit of the passes, at least 1.

    Raises:
        TypeError: Samples or parameters that are not integers.
        ValueError: No samples, or a parameter out of range.
    """
    for name, value in (
        ("constant", constant),
        ("fraction_bits", fraction_bits),
        ("max_iterations", max_iterations),
    ):
        argument.whole(name, value)
    if constant < 1 or fraction_bits < 0 or max_iterations < 1:
        raise ValueError(
            "constant and max_iterations must be at least 1 and fraction_bits at least 0, "
            f"not {constant}, {max_iterations} and {fraction_bits}"
        )
    tail, tail_sums = _sorted_tail(samples)
    count = len(tail)
    before, threshold = -1, 0
    steps: list[int] = []
    while True:
        # For integers |x| * 2^F > s_raw just where |x| > floor(s_raw / 2^F).
        outside = count - int(np.searchsorted(tail, threshold >> fraction_bits, side="right"))
        step = threshold  # stays where nothing is outside, at 0 in an all-zero tensor
        if outside:
            divisor = count - outside + constant * outside
            dividend = constant * int(tail_sums[outside]) << fraction_bits
            step = (2 * dividend + divisor) // (2 * divisor)
        steps.append(step)
        if step == threshold:
            return OctavResult(step, len(steps), End.FIXED, tuple(steps))
        if step == before:
            return OctavResult(max(step, threshold), len(steps), End.CYCLE, tuple(steps))
        if len(steps) == max_iterations:
            return OctavResult(step, len(steps), End.LIMIT, tuple(steps))
        before, threshold = threshold, step


def _sorted_tail(samples: npt.ArrayLike) -> tuple[npt.NDArray[np.generic], list[int]]:
    """Nonzero magnitudes in ascending order, and the sums of the n largest for n = 0, 1, ..."""
    values = np.asarray(samples)
    if values.size == 0:
        raise ValueError("samples must not be empty")
    if values.dtype.kind not in "iu":
        wrong = next((x for x in values.flat if not argument.is_integer(x)), None)
        if wrong is not None:
            raise TypeError(f"samples must be integers, not {values.dtype}: {wrong}")
    if values.dtype.kind == "O" or values.dtype.itemsize == 8:
        magnitudes = [abs(int(x)) for x in values.flat]
        if max(magnitudes) * len(magnitudes) >= 1 << 63:
            ascending = np.array(sorted(x for x in magnitudes if x), object)
            return ascending, [0, *np.cumsum(ascending[::-1]).tolist()]
        values = np.array(magnitudes, np.int64)
    # 32 bits and less: wide enough for the magnitude of the most negative, and for every sum.
    wide = np.abs(values.astype(np.int64)).ravel()
    ascending = np.sort(wide[wide > 0])
    return ascending, [0, *np.cumsum(ascending[::-1]).tolist()]
