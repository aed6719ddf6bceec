"""An independent oracle of the OCTAV clipping-threshold recursion, in plain Python integers.

Written from the arithmetic contract alone: it imports nothing of the model or the hardware, and
prefers the obvious to the fast.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from operator import index


@dataclass(frozen=True)
class Outcome:
    """What one run reports.

    Attributes:
        threshold: The clipping threshold, in units of 2^-F.
        iterations: Passes over the data, the confirming one included.
        end: Why it ended: "fixed", "cycle" or "limit".
    """

    threshold: int
    iterations: int
    end: str


def step_constant(element_bits: int, *, signed: bool, paper_grid: bool) -> int:
    """K: the noise of a rounded element is threshold^2 / K."""
    if not 2 <= element_bits <= 8:
        raise ValueError(f"element_bits is {element_bits}, must be 2 to 8")
    if paper_grid:
        steps = 1 << (element_bits - 1) if signed else 1 << element_bits
    else:
        steps = (1 << (element_bits - 1)) - 1 if signed else (1 << element_bits) - 1
    return 12 * steps * steps


def octav(samples: Sequence[int], k: int, fraction_bits: int, max_iterations: int = 10) -> Outcome:
    """Iterates from threshold 0 until a fixed point, a two-step cycle or the limit.

    A pass at a threshold above 0 that finds nothing to clip ends it as "fixed" there, before
    anything else is looked at.
    """
    history, end = _run(samples, k, fraction_bits, max_iterations)
    threshold = max(history[-2:]) if end == "cycle" else history[-1]
    return Outcome(threshold, len(history) - 1, end)


def passes(
    samples: Sequence[int], k: int, fraction_bits: int, max_iterations: int = 10
) -> list[int]:
    """The threshold after every pass, in order; the start at 0 is not among them.

    A pass that finds nothing to clip keeps the threshold that it was given.
    """
    return _run(samples, k, fraction_bits, max_iterations)[0][1:]


def _run(
    samples: Sequence[int], k: int, fraction_bits: int, max_iterations: int
) -> tuple[list[int], str]:
    """All thresholds, beginning with the 0 before the first pass, and why they end."""
    if len(samples) == 0:
        raise ValueError("no samples, must be at least 1")
    for name, value, least in (
        ("k", k, 1),
        ("fraction_bits", fraction_bits, 0),
        ("max_iterations", max_iterations, 1),
    ):
        if value < least:
            raise ValueError(f"{name} is {value}, must be at least {least}")
    history = [0]
    while True:
        threshold = history[-1]
        if threshold > 0 and all(abs(index(x)) << fraction_bits <= threshold for x in samples):
            return [*history, threshold], "fixed"
        history.append(_step(samples, k, fraction_bits, threshold))
        if history[-1] == history[-2]:
            return history, "fixed"
        if len(history) >= 3 and history[-1] == history[-3]:
            return history, "cycle"
        if len(history) - 1 == max_iterations:
            return history, "limit"


def _step(samples: Sequence[int], k: int, fraction_bits: int, threshold: int) -> int:
    """One pass over the data: the next threshold, rounded half up."""
    clipped_sum = clipped = kept = 0
    for sample in samples:
        magnitude = abs(index(sample))  # a Python int: the most negative value cannot wrap
        if magnitude << fraction_bits > threshold:
            clipped_sum += magnitude
            clipped += 1
        elif magnitude > 0:
            kept += 1
    divisor = kept + k * clipped
    if divisor == 0:
        return 0
    return ((2 * k * clipped_sum << fraction_bits) + divisor) // (2 * divisor)
