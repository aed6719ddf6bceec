"""The true error of this quantizer as a function of its clipping threshold, and its minimum.

A threshold s quantizes x to clip(rne(x / d), qmin, qmax) * d with the step d = s / qmax. All in
float64: the error of the grid itself, without the rounding of scales.
"""

import numpy as np
import numpy.typing as npt

from scalewright.golden import argument
from scalewright.golden.config import Format, require_format
from scalewright.golden.mse_search import Search, optimal_steps

Floats = npt.NDArray[np.float64]
Groups = npt.NDArray[np.float32]

# Elements of one block: its temporaries fit in a level-2 cache.
_BLOCK_ELEMENTS = 1 << 15
# Breakpoints sorted at once: a hundred megabytes of temporaries.
_BREAKPOINTS = 1 << 20
# Of groups with more breakpoints than this, only those where the minimum may be are sorted.
_LISTED_BREAKPOINTS = 1 << 16
# That of 8-bit elements, signed or not.
_LARGEST_ELEMENT = 255


def mean_squared_error(groups: Groups, fmt: Format, thresholds: npt.ArrayLike) -> Floats:
    """True mean squared error of each group (G, n) at its threshold (G,); shape (G,).

    Raises:
        TypeError, ValueError: No such groups, or thresholds that are not finite, negative, or of
            another shape.
    """
    require_groups(groups, fmt)
    limits = argument.not_negative("thresholds", thresholds, np.float64)
    if limits.shape not in ((), (1,), groups.shape[:1]):
        raise ValueError(f"thresholds must be {groups.shape[:1]}, not {limits.shape}")
    return _mean_squared_error(groups, fmt, limits)


def _mean_squared_error(groups: Groups, fmt: Format, thresholds: Floats) -> Floats:
    steps = np.broadcast_to(thresholds, len(groups)) / fmt.qmax
    total = np.zeros(len(groups))
    size = groups.shape[1]
    rows = max(1, _BLOCK_ELEMENTS // size)
    for start in range(0, len(groups), rows):
        block = slice(start, start + rows)
        step = steps[block, None]
        divisor = np.where(step == 0, np.inf, step)
        for column in range(0, size, _BLOCK_ELEMENTS):
            x = groups[block, column : column + _BLOCK_ELEMENTS].astype(np.float64)
            quantized = x / divisor
            np.rint(quantized, out=quantized)
            np.clip(quantized, fmt.qmin, fmt.qmax, out=quantized)
            quantized *= step
            quantized -= x
            total[block] += np.einsum("gn,gn->g", quantized, quantized)
    mean: Floats = total / size
    return mean


def mse_sweep(groups: Groups, fmt: Format, *, points: int = 100) -> Floats:
    """Thresholds (G,) of least true error among max * i / points, i = 1 ... points.

    Raises:
        TypeError, ValueError: No such groups, or no number of points from 1.
    """
    if argument.whole("points", points) < 1:
        raise ValueError(f"points must be at least 1, not {points}")
    largest = require_groups(groups, fmt).astype(np.float64)
    best, least = np.zeros(len(groups)), np.full(len(groups), np.inf)
    for point in range(1, points + 1):
        thresholds = largest * (point / points)
        error = _mean_squared_error(groups, fmt, thresholds)
        better = error < least
        best[better], least[better] = thresholds[better], error[better]
    return best


def mse_optimal(groups: Groups, fmt: Format) -> Floats:
    """Thresholds (G,) that minimise the true error, exactly.

    As the step d grows, |x| drops from level k + 1 to k where d passes |x| / (k + 1/2). Between two
    such breakpoints the error is a parabola, sum of (|x| - q d)^2 = sum x^2 - 2 d A + d^2 B with
    A = sum |x| q and B = sum q^2, and has its minimum at A / B; across them it is continuous. So
    the minimum over all pieces is that over the parabolas' minima, each clamped to its piece.
    Of thresholds that are equal but for rounding the smallest is given.

    Sorting the n * qmax breakpoints of a group costs O(n qmax log(n qmax)), the rest is linear.
    Groups of more than 65,536 breakpoints are searched by branch and bound over d: that sorts the
    samples, O(n log n), and lists breakpoints only where the minimum may be.

    Raises:
        TypeError, ValueError: No such groups, or a wide format whose largest element is above 255,
            where the search takes minutes.
    """
    require_groups(groups, fmt)
    if fmt.qmax > _LARGEST_ELEMENT:
        raise ValueError(
            f"mse thresholds are found for elements up to {_LARGEST_ELEMENT}, not {fmt.qmax}: "
            "take max, octav or a percentile"
        )
    if groups.shape[1] * fmt.qmax > _LISTED_BREAKPOINTS:
        steps = [Search(magnitudes(group, fmt), fmt.qmax).best_step() for group in groups]
        return np.array(steps) * fmt.qmax
    thresholds = np.zeros(len(groups))
    rows = max(1, _BREAKPOINTS // (groups.shape[1] * fmt.qmax))
    for start in range(0, len(groups), rows):
        block = slice(start, start + rows)
        thresholds[block] = optimal_steps(magnitudes(groups[block], fmt), fmt.qmax) * fmt.qmax
    return thresholds


def require_groups(groups: Groups, fmt: Format) -> Groups:
    """Check groups (G, n), in one pass and without a copy; gives their largest magnitudes (G,).

    Raises:
        TypeError: No float32 array, or no format.
        ValueError: Another number of axes, no element, NaN or infinity.
    """
    require_format(fmt)
    argument.instance("groups", groups, np.ndarray)
    if groups.dtype != np.float32:
        raise TypeError(f"groups must be float32, not {groups.dtype}")
    if groups.ndim != 2 or groups.size == 0:
        raise ValueError(f"groups must be (G, n), neither of them 0, not {groups.shape}")
    high, low = groups.max(axis=1), groups.min(axis=1)
    finite = np.isfinite(high) & np.isfinite(low)
    if not finite.all():
        row = int(finite.argmin())
        raise ValueError(f"groups must be finite, but group {row} has {low[row]} to {high[row]}")
    largest = np.maximum(np.abs(high), np.abs(low)) if fmt.signed else np.maximum(high, 0)
    return np.asarray(largest, np.float32)


def magnitudes(groups: Groups, fmt: Format, out: Groups | None = None) -> Groups:
    """|x|, or max(x, 0) where the format is unsigned: what is left to quantize; a copy."""
    if fmt.signed:
        return np.asarray(np.abs(groups, out=out))
    return np.asarray(np.maximum(groups, np.float32(0), out=out))
