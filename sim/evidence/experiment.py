"""What an experiment is: some arms of one seed at a time, and the rows of the table it decides.

Rules were fixed before the first run. Arms of one seed start from the same trained network and see
the same batches; a comparison is the mean over seeds of the paired difference, with its 95 %
interval (Student's t). A claim holds where the whole interval lies on its side of 0, does not where
all of it lies on the other, and else is not resolvable here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from scipy import stats

from scalewright.sim.evidence.row import FAILS, HOLDS, OPEN, Row

__all__ = [
    "FAILS",
    "HOLDS",
    "OPEN",
    "Experiment",
    "Measured",
    "Row",
    "compare",
    "interval",
    "steps",
    "values",
    "verdict",
]

# Measurements by arm and metric, of one seed.
Measured: TypeAlias = dict[str, dict[str, float]]


@dataclass(frozen=True)
class Experiment:
    """Arms that are compared.

    Attributes:
        name: Names its results.
        run: Gives the measurements of a seed; the share of the steps, 1 for the real thing, is its
            second argument.
        rows: Gives the rows of the table for the measurements of all seeds.
        source: File that defines it.
    """

    name: str
    run: Callable[[int, float], Measured]
    rows: Callable[[list[Measured]], list[Row]]
    source: str


def steps(count: int, share: float) -> int:
    """A share of so many steps, two at least."""
    return max(2, round(count * share))


def values(results: list[Measured], arm: str, metric: str) -> np.ndarray:
    """A metric of an arm, (seeds,)."""
    return np.array([measured[arm][metric] for measured in results])


def interval(differences: np.ndarray) -> tuple[float, float, float]:
    """Mean of paired differences and the ends of its 95 % interval; NaN ends for one seed."""
    mean = float(differences.mean())
    if len(differences) < 2:
        return mean, float("nan"), float("nan")
    error = float(differences.std(ddof=1)) / len(differences) ** 0.5
    half = float(stats.t.ppf(0.975, len(differences) - 1)) * error
    return mean, mean - half, mean + half


def verdict(low: float, high: float) -> str:
    """What an interval of differences says of a claim that they are positive."""
    if low > 0:
        return HOLDS
    return FAILS if high < 0 else OPEN


def compare(
    results: list[Measured],
    claim: str,
    source: str,
    *,
    better: str,
    worse: str,
    metric: str = "nll",
    name: str = "NLL on the test set",
    lower_is_better: bool = True,
) -> Row:
    """The row of a claim that one arm is better than another by some metric."""
    one, other = values(results, better, metric), values(results, worse, metric)
    mean, low, high = interval(other - one if lower_is_better else one - other)
    return Row(
        claim=claim,
        source=source,
        metric=name,
        result=f"{_number(one.mean())} against {_number(other.mean())}: "
        f"better by {_number(mean)} ({_number(low)} to {_number(high)})",
        verdict=verdict(low, high),
        interval=(mean, low, high),
    )


def _number(value: float) -> str:
    return f"{value:.4g}"
