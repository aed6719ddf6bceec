"""Clipping thresholds by the usual methods, for many groups of samples at once.

Every function takes groups (G, n), float32, one row for each group that shares a threshold, and
gives thresholds (G,), float64. Unsigned formats see max(x, 0). The methods that minimise the true
error are in golden/mse.py.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from scalewright.golden import argument
from scalewright.golden.config import Format
from scalewright.golden.mse import magnitudes, require_groups
from scalewright.golden.octav import End, Grid, step_constant

Floats = npt.NDArray[np.float64]
Groups = npt.NDArray[np.float32]

# Samples sorted together, and summed together: with both, one pass of the recursion looks at one
# chunk of each segment, however large the group.
_SEGMENT = 4096
_CHUNK = 64
# Samples of one block: its temporaries fit in a level-2 cache.
_BLOCK_SAMPLES = 1 << 15
# Samples worked on at a time: a hundred megabytes.
_SAMPLES = 1 << 24

# Where a float recursion must have ended; in practice it takes less than ten passes.
_SAFETY_LIMIT = 1000


@dataclass(frozen=True, eq=False)
class OctavThresholds:
    """What the recursion gave for G groups.

    Attributes:
        thresholds: (G,) float64.
        iterations: (G,) passes; the one that confirms the result counts.
        ends: (G,) uint8, values of `End`.
    """

    thresholds: Floats
    iterations: npt.NDArray[np.int64]
    ends: npt.NDArray[np.uint8]


def max_threshold(groups: Groups, fmt: Format) -> Floats:
    """The largest magnitude: nothing clips.

    Raises:
        TypeError, ValueError: No such groups.
    """
    return require_groups(groups, fmt).astype(np.float64)


def percentile_threshold(groups: Groups, fmt: Format, percent: float) -> Floats:
    """A percentile of the magnitudes, interpolated linearly.

    Raises:
        TypeError, ValueError: No such groups, or `percent` is not above 0 and at most 100.
    """
    require_groups(groups, fmt)
    argument.real("percent", percent)
    if not 0 < percent <= 100:
        raise ValueError(f"percentile must be above 0 and at most 100, not {percent}")
    scratch = magnitudes(groups, fmt)
    thresholds = np.percentile(scratch, percent, axis=1, overwrite_input=True)
    return np.asarray(thresholds, np.float64)


def octav_threshold(
    groups: Groups,
    fmt: Format,
    *,
    grid: Grid = Grid.NARROW,
    max_iterations: int | None = None,
) -> OctavThresholds:
    """The OCTAV recursion in floats (Sakr et al., ICML 2022); golden/octav.py has its equations.

    Sums are float64 and depend on nothing but which samples are outside, so that a pass that finds
    the same samples gives the same step, and ends the recursion exactly. It ends as the integer
    recursion does; a pass that finds nothing outside ends it at the threshold it was given. Costs
    one sort of the samples, in segments of 4,096, and O(n / 64) for a pass.

    Args:
        groups: (G, n).
        fmt: The format to quantize to.
        grid: The grid that the model assumes.
        max_iterations: Limit of the passes (10 in the paper); None runs to the end.

    Raises:
        TypeError, ValueError: No such groups, no grid, or no limit from 1.
    """
    require_groups(groups, fmt)
    if max_iterations is not None:
        argument.whole("max_iterations", max_iterations)
    limit = _SAFETY_LIMIT if max_iterations is None else max_iterations
    if limit < 1:
        raise ValueError(f"max_iterations must be at least 1, not {limit}")
    constant = float(step_constant(fmt, grid))
    rows = max(1, _SAMPLES // groups.shape[1])
    parts = [
        _recur(_Outside(groups[start : start + rows], fmt), constant, limit)
        for start in range(0, len(groups), rows)
    ]
    thresholds, iterations, ends = (np.concatenate(column) for column in zip(*parts, strict=True))
    return OctavThresholds(thresholds, iterations, ends)


def _recur(
    samples: "_Outside", constant: float, limit: int
) -> tuple[Floats, npt.NDArray[np.int64], npt.NDArray[np.uint8]]:
    """Run the recursion on some groups together, each until it ends."""
    count = samples.groups
    threshold, before = np.zeros(count), np.full(count, -1.0)
    iterations = np.zeros(count, np.int64)
    ends = np.full(count, End.RUNNING, np.uint8)
    nonzero: npt.NDArray[np.int64] | None = None
    while (running := ends == End.RUNNING).any():
        total, outside = samples.above(threshold)
        if nonzero is None:
            nonzero = outside
        divisor = nonzero - outside + constant * outside
        # Where nothing is outside, the threshold stays: at 0 in an all-zero group.
        step = np.divide(constant * total, divisor, out=threshold.copy(), where=outside > 0)
        iterations[running] += 1
        fixed, cycle = step == threshold, step == before
        end = np.select(
            [fixed, cycle, iterations == limit], [End.FIXED, End.CYCLE, End.LIMIT], End.RUNNING
        )
        result = np.where(cycle & ~fixed, np.maximum(step, threshold), step)
        before = np.where(running, threshold, before)
        threshold = np.where(running, result, threshold)
        ends = np.where(running, end, ends).astype(np.uint8)
    return threshold, iterations, ends


class _Outside:
    """Magnitudes (G, n), sorted so that the sum and number of those above a threshold are quick.

    The sorted copy is the only one.
    """

    def __init__(self, x: Groups, fmt: Format) -> None:
        self.groups, size = x.shape
        self._chunk = min(_CHUNK, size)
        segment = min(_SEGMENT, -(-size // self._chunk) * self._chunk)
        segments = -(-size // segment)
        rows = np.zeros((self.groups * segments, segment), np.float32)
        magnitudes(x, fmt, out=rows.reshape(self.groups, -1)[:, :size])
        chunks = segment // self._chunk
        self._suffix = np.zeros((len(rows), chunks + 1))
        step = max(1, _BLOCK_SAMPLES // segment)
        for start in range(0, len(rows), step):
            block = rows[start : start + step]
            block.sort(axis=1)
            sums = block.astype(np.float64).reshape(len(block), chunks, self._chunk).sum(axis=2)
            self._suffix[start : start + step, :-1] = np.cumsum(sums[:, ::-1], axis=1)[:, ::-1]
        self._chunks = rows.reshape(len(rows), chunks, self._chunk)
        self._smallest = np.ascontiguousarray(self._chunks[:, :, 0])

    def above(self, threshold: Floats) -> tuple[Floats, npt.NDArray[np.int64]]:
        """Sum and number of the samples of each group that are above its threshold."""
        rows = np.arange(len(self._chunks))
        # A float32 exceeds s where it exceeds the largest float32 that is not above s.
        limit = threshold.astype(np.float32)
        limit = np.where(limit > threshold, np.nextafter(limit, np.float32(-np.inf)), limit)
        limit = np.repeat(limit, len(rows) // self.groups)[:, None]
        whole = np.count_nonzero(self._smallest > limit, axis=1)
        first_whole = self._smallest.shape[1] - whole
        # The chunk below those: its largest samples may be above, too.
        chunk = self._chunks[rows, np.maximum(first_whole - 1, 0)]
        partly = (chunk > limit) & (first_whole > 0)[:, None]
        total = self._suffix[rows, first_whole] + (chunk.astype(np.float64) * partly).sum(axis=1)
        number = whole * self._chunk + np.count_nonzero(partly, axis=1)
        return (
            total.reshape(self.groups, -1).sum(axis=1),
            number.reshape(self.groups, -1).sum(axis=1),
        )
