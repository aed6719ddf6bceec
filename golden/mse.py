"""The true error of this quantizer as a function of its clipping threshold, and its minimum.

A threshold s quantizes x to clip(rne(x / d), qmin, qmax) * d with the step d = s / qmax. All in
float64: the error of the grid itself, without the rounding of scales.
"""

import numpy as np
import numpy.typing as npt

from golden.config import OperandFormat

Floats = npt.NDArray[np.float64]
Groups = npt.NDArray[np.float32]

# Elements of one block: its temporaries fit in a level-2 cache.
_BLOCK_ELEMENTS = 1 << 15
# Breakpoints sorted at once: some hundred megabytes of temporaries.
_BREAKPOINTS = 1 << 22


def mean_squared_error(groups: Groups, fmt: OperandFormat, thresholds: npt.ArrayLike) -> Floats:
    """True mean squared error of each group (G, n) at its threshold (G,); shape (G,)."""
    steps = np.broadcast_to(np.asarray(thresholds, np.float64), len(groups)) / fmt.qmax
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


def mse_sweep(groups: Groups, fmt: OperandFormat, *, points: int = 100) -> Floats:
    """Thresholds (G,) of least true error among max * i / points, i = 1 ... points."""
    largest = magnitudes(groups, fmt).max(axis=1).astype(np.float64)
    best, least = np.zeros(len(groups)), np.full(len(groups), np.inf)
    for point in range(1, points + 1):
        thresholds = largest * (point / points)
        error = mean_squared_error(groups, fmt, thresholds)
        better = error < least
        best[better], least[better] = thresholds[better], error[better]
    return best


def mse_optimal(groups: Groups, fmt: OperandFormat) -> Floats:
    """Thresholds (G,) that minimise the true error, exactly.

    As the step d grows, |x| drops from level k + 1 to k where d passes |x| / (k + 1/2). Between two
    such breakpoints the error is a parabola, sum of (|x| - q d)^2 = sum x^2 - 2 d A + d^2 B with
    A = sum |x| q and B = sum q^2, and has its minimum at A / B; across them it is continuous. So
    the minimum over all pieces is that over the parabolas' minima, each clamped to its piece.
    Sorting the n * qmax breakpoints of a group costs O(n qmax log(n qmax)), the rest is linear.
    """
    thresholds = np.zeros(len(groups))
    rows = max(1, _BREAKPOINTS // (groups.shape[1] * fmt.qmax))
    for start in range(0, len(groups), rows):
        block = slice(start, start + rows)
        thresholds[block] = _optimal_steps(magnitudes(groups[block], fmt), fmt.qmax) * fmt.qmax
    return thresholds


def magnitudes(groups: Groups, fmt: OperandFormat) -> Groups:
    """|x|, or max(x, 0) where the format is unsigned: what is left to quantize."""
    return np.abs(groups) if fmt.signed else np.maximum(groups, np.float32(0))


def _optimal_steps(x: Groups, qmax: int) -> Floats:
    levels = np.arange(qmax) + 0.5
    # Float32 breakpoints would sort faster, but move the pieces' ends.
    breakpoints = (x.astype(np.float64)[:, :, None] / levels).reshape(len(x), -1)
    order = np.argsort(breakpoints, axis=1)
    breakpoints = np.take_along_axis(breakpoints, order, axis=1)
    sample, level = np.divmod(order, qmax)
    wide = x.astype(np.float64)
    # Below all breakpoints every nonzero sample stands at qmax.
    total = wide.sum(axis=1, keepdims=True) * qmax
    count = (x > 0).sum(axis=1, keepdims=True) * float(qmax * qmax)
    a = total - np.cumsum(np.take_along_axis(wide, sample, axis=1), axis=1)
    b = count - np.cumsum(np.where(breakpoints > 0, 2.0 * level + 1, 0), axis=1)
    a = np.concatenate([total, a], axis=1)
    b = np.concatenate([count, b], axis=1)
    low = np.concatenate([np.zeros((len(x), 1)), breakpoints], axis=1)
    high = np.concatenate([breakpoints, np.full((len(x), 1), np.inf)], axis=1)
    # In the last piece all is 0, and the error that of its lower end.
    with np.errstate(divide="ignore", invalid="ignore"):
        free = np.where(b > 0.5, a / b, low)
    d = np.clip(free, low, high)
    error = d * (d * b - 2 * a)
    return np.take_along_axis(d, error.argmin(axis=1)[:, None], axis=1)[:, 0]
