"""Compares the methods that choose a clipping threshold on one tensor, in figures."""

from collections.abc import Callable
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


@dataclass(frozen=True, eq=False)
class Choice:
    """What one method chose for each of G groups.

    Attributes:
        method: Its name.
        thresholds: (G,).
        mse: True mean squared error of each group, or of the first few where the rest is not kept.
        mean_mse: Mean over all groups, which have one size.
        seconds: Time it took.
        iterations: Passes of the recursion, (G,); None for other methods.
        ends: Why the recursion ended, (G,); None for other methods.
    """

    method: str
    thresholds: Floats
    mse: Floats
    mean_mse: float
    seconds: float
    iterations: npt.NDArray[np.int64] | None = None
    ends: npt.NDArray[np.uint8] | None = None

    def as_dict(self) -> dict[str, Any]:
        """The choice, ready for JSON."""
        facts: dict[str, Any] = {
            "method": self.method,
            "thresholds": self.thresholds.tolist(),
            "mse": self.mse.tolist(),
            "mean_mse": self.mean_mse,
            "seconds": self.seconds,
        }
        if self.iterations is not None and self.ends is not None:
            facts["iterations"] = self.iterations.tolist()
            facts["ends"] = [End(end).name.lower() for end in self.ends.tolist()]
        return facts


def compare_methods(
    groups: npt.NDArray[np.float32],
    fmt: OperandFormat,
    *,
    percents: tuple[float, ...] = (99.9, 99.99),
    keep_errors: bool = True,
    progress: Callable[[int], None] | None = None,
) -> list[Choice]:
    """Let every method choose thresholds for (G, n) samples; the exact optimum comes first.

    Args:
        groups: A row for each group.
        fmt: The format to quantize to.
        percents: Which percentiles to try.
        keep_errors: Whether to keep the error of each group, not only of the first few: of short
            groups, such as vectors, all errors take more memory than the tensor.
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
        for start in range(0, len(groups), rows):
            part = _choose(method, choose, groups[start : start + rows], fmt)
            parts.append(part if keep_errors or not parts else replace(part, mse=part.mse[:0]))
            if progress is not None:
                progress(groups[start : start + rows].size)
        choices.append(_joined(parts, len(groups)))
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
    recursion = chosen if isinstance(chosen, OctavThresholds) else None
    thresholds = chosen.thresholds if isinstance(chosen, OctavThresholds) else chosen
    errors = mean_squared_error(groups, fmt, thresholds)
    return Choice(
        method,
        thresholds,
        errors,
        float(errors.mean()),
        seconds,
        None if recursion is None else recursion.iterations,
        None if recursion is None else recursion.ends,
    )


def _joined(parts: list[Choice], groups: int) -> Choice:
    """The choices of one method for consecutive groups as one."""
    errors = np.concatenate([part.mse for part in parts])
    sums = [part.mean_mse * len(part.thresholds) for part in parts]
    return Choice(
        parts[0].method,
        np.concatenate([part.thresholds for part in parts]),
        errors,
        float(errors.mean()) if len(errors) == groups else sum(sums) / groups,
        sum(part.seconds for part in parts),
        _concatenated([part.iterations for part in parts]),
        _concatenated([part.ends for part in parts]),
    )


def _concatenated(parts: list[npt.NDArray[Any] | None]) -> npt.NDArray[Any] | None:
    given = [part for part in parts if part is not None]
    return np.concatenate(given) if given else None
