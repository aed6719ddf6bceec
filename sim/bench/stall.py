"""Stall patterns: in which cycles a source offers and a sink accepts.

A pattern is a bool array, one entry per clock cycle, repeated without end.
"""

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Pattern: TypeAlias = npt.NDArray[np.bool_]

# Long and of prime length: patterns of source and sink do not keep step.
_LENGTH = 4093


def alternating() -> Pattern:
    """Every other cycle."""
    return np.array([True, False])


def scattered(rng: np.random.Generator, share: float) -> Pattern:
    """Independent cycles, a `share` of them without a stall."""
    return rng.random(_LENGTH) < share


def bursts(rng: np.random.Generator, mean: int) -> Pattern:
    """Runs of `mean` cycles on average, in turn without and with stalls."""
    runs = rng.geometric(1 / mean, 2 * (_LENGTH // mean))
    return np.repeat(np.arange(len(runs)) % 2 == 0, runs)
