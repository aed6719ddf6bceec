"""Compares the methods that choose a clipping threshold on one tensor, in figures."""

import enum
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from time import perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt

from scalewright.golden.clipping import (
    OctavThresholds,
    max_threshold,
    octav_threshold,
    percentile_threshold,
)
from scalewright.golden.config import OperandFormat
from scalewright.golden.mse import mean_squared_error, mse_optimal, mse_sweep
from scalewright.golden.octav import End, Grid

Floats = npt.NDArray[np.float64]
Groups = npt.NDArray[np.float32]

# Samples for which a method chooses before it tells its progress.
_SAMPLES = 1 << 20


class Keep(enum.Enum):
    """What is kept of each group: of short ones, such as vectors, it is more than the tensor."""

    FIRST = "first"  #: nothing, but of the first groups everything
    THRESHOLDS = "thresholds"  #: its thresholds, as float32
    EVERYTHING = "everything"


@dataclass(frozen=True, eq=False)
class Recursion:
    """How OCTAV's recursion went.

    Attributes:
        iterations: Its passes, (G,) or for the groups that are kept.
        ends: Why it ended, alike.
        mean_iterations: Mean over all groups.
        end_counts: Groups for each way to end.
    """

    iterations: npt.NDArray[np.int64]
    ends: npt.NDArray[np.uint8]
    mean_iterations: float
    end_counts: dict[End, int]


@dataclass(frozen=True, eq=False)
class Choice:
    """What one method chose for each of G groups.

    Attributes:
        method: Its name.
        thresholds: (G,), or for the groups that are kept; float64, or float32 as `Keep` says.
        lowest: The smallest threshold of all groups.
        highest: The largest.
        mse: True mean squared error of each group, or for the groups that are kept.
        mean_mse: Mean over all groups, which have one size.
        seconds: Time it took.
        recursion: None for methods without one.
    """

    method: str
    thresholds: npt.NDArray[np.floating[Any]]
    lowest: float
    highest: float
    mse: Floats
    mean_mse: float
    seconds: float
    recursion: Recursion | None = None

    def as_dict(self) -> dict[str, Any]:
        """The choice, ready for JSON."""
        facts: dict[str, Any] = {
            "method": self.method,
            "thresholds": self.thresholds.tolist(),
            "mse": self.mse.tolist(),
            "mean_mse": self.mean_mse,
            "seconds": self.seconds,
        }
        if self.recursion is not None:
            facts["iterations"] = self.recursion.iterations.tolist()
            facts["ends"] = [End(end).name.lower() for end in self.recursion.ends.tolist()]
        return facts


def compare_methods(
    groups: npt.NDArray[np.float32],
    fmt: OperandFormat,
    *,
    percents: tuple[float, ...] = (99.9, 99.99),
    keep: Keep = Keep.EVERYTHING,
    progress: Callable[[int], None] | None = None,
) -> list[Choice]:
    """Let every method choose thresholds for (G, n) samples; the exact optimum comes first.

    Args:
        groups: A row for each group.
        fmt: The format to quantize to.
        percents: Which percentiles to try.
        keep: What to keep of each group.
        progress: Called with samples done: each method does all of them.
    """
    methods: dict[str, Callable[[Groups, OperandFormat], Floats | OctavThresholds]] = {
        "optimal": mse_optimal,
        "octav": partial(octav_threshold, grid=Grid.NARROW),
        "octav (paper's grid)": partial(octav_threshold, grid=Grid.PAPER),
        "sweep of 100": mse_sweep,
        **{
            f"percentile:{percent:g}": partial(percentile_threshold, percent=percent)
            for percent in percents
        },
        "max": max_threshold,
    }
    rows = max(1, _SAMPLES // groups.shape[1])
    choices = []
    for method, choose in methods.items():
        parts: list[Choice] = []
        counts: list[int] = []
        for start in range(0, len(groups), rows):
            part = _choose(method, choose, groups[start : start + rows], fmt)
            parts.append(part if keep is Keep.EVERYTHING else _kept(part, keep, first=not parts))
            counts.append(len(part.thresholds))
            if progress is not None:
                progress(groups[start : start + rows].size)
        choices.append(_joined(parts, counts))
    return choices


def _choose(
    method: str,
    choose: Callable[[Groups, OperandFormat], Floats | OctavThresholds],
    groups: Groups,
    fmt: OperandFormat,
) -> Choice:
    started = perf_counter()
    chosen = choose(groups, fmt)
    seconds = perf_counter() - started
    recursion = None
    thresholds = chosen.thresholds if isinstance(chosen, OctavThresholds) else chosen
    if isinstance(chosen, OctavThresholds):
        counts = {end: int(np.count_nonzero(chosen.ends == end)) for end in End}
        recursion = Recursion(
            chosen.iterations, chosen.ends, float(chosen.iterations.mean()), counts
        )
    errors = mean_squared_error(groups, fmt, thresholds)
    return Choice(
        method,
        thresholds,
        float(thresholds.min()),
        float(thresholds.max()),
        errors,
        float(errors.mean()),
        seconds,
        recursion,
    )


def _kept(part: Choice, keep: Keep, *, first: bool) -> Choice:
    """A choice for some groups without what is not kept of them."""
    recursion = part.recursion
    if recursion is not None and not first:
        none = slice(0, 0)
        recursion = replace(
            recursion,
            iterations=recursion.iterations[none].copy(),
            ends=recursion.ends[none].copy(),
        )
    thresholds = part.thresholds
    if keep is Keep.THRESHOLDS:
        thresholds = thresholds.astype(np.float32)
    elif not first:
        thresholds = thresholds[:0]
    # Copies: a view would keep everything.
    return replace(
        part,
        thresholds=thresholds.copy(),
        mse=part.mse if first else part.mse[:0].copy(),
        recursion=recursion,
    )


def _joined(parts: list[Choice], counts: list[int]) -> Choice:
    """The choices of one method for consecutive groups as one, given how many each part has."""
    errors = np.concatenate([part.mse for part in parts])
    whole = len(errors) == sum(counts)
    return Choice(
        parts[0].method,
        np.concatenate([part.thresholds for part in parts]),
        min(part.lowest for part in parts),
        max(part.highest for part in parts),
        errors,
        float(errors.mean()) if whole else _mean([part.mean_mse for part in parts], counts),
        sum(part.seconds for part in parts),
        _joined_recursion([part.recursion for part in parts], counts),
    )


def _joined_recursion(parts: Sequence[Recursion | None], counts: list[int]) -> Recursion | None:
    given = [part for part in parts if part is not None]
    if not given:
        return None
    ends: Counter[End] = Counter()
    for part in given:
        ends.update(part.end_counts)
    return Recursion(
        np.concatenate([part.iterations for part in given]),
        np.concatenate([part.ends for part in given]),
        _mean([part.mean_iterations for part in given], counts),
        dict(ends),
    )


def _mean(means: Sequence[float], counts: Sequence[int]) -> float:
    """The mean over all groups of the means over some."""
    return float(np.average(means, weights=counts))
