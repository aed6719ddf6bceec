"""What plots show: the noise of a choice against what it stores."""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Point:
    """One choice in a plot.

    Attributes:
        label: Its name.
        series: What it has in common with others.
        bits: Stored bits per element.
        signal_to_noise_db: Infinite without error, NaN without signal.
    """

    label: str
    series: str
    bits: float
    signal_to_noise_db: float


def drawable(points: Sequence[Point]) -> list[Point]:
    """Those with a place in a plot: without a finite ratio there is none."""
    return [point for point in points if math.isfinite(point.signal_to_noise_db)]


def frontier(points: Sequence[Point]) -> list[Point]:
    """Those that no other undercuts: more signal to noise than all that store no more bits."""
    best: list[Point] = []
    for point in sorted(points, key=lambda each: (each.bits, -each.signal_to_noise_db)):
        if not best or point.signal_to_noise_db > best[-1].signal_to_noise_db:
            best.append(point)
    return best
