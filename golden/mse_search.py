"""The search for the threshold of the smallest error; golden/mse.py says what is searched."""

import heapq
import itertools

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Groups = npt.NDArray[np.float32]

# Elements of one block: its temporaries fit in a level-2 cache.
_BLOCK_ELEMENTS = 1 << 15
# An interval of so many breakpoints is not divided again, but searched piece by piece.
_LEAF_BREAKPOINTS = 1 << 12
_CHILDREN = 8
# Every so many of the running sums of sorted samples are kept.
_KEPT_SUMS = 16
# What rounding may hide of an error, relative to the sum of x^2.
_ROUNDING = 2.0**-48


def optimal_steps(x: Groups, qmax: int) -> Floats:
    """Best steps (G,) of magnitudes (G, n), from all breakpoints."""
    wide = x.astype(np.float64)
    halves = np.arange(qmax) + 0.5
    # Float32 breakpoints would sort faster, but move the pieces' ends.
    breakpoints = (wide[:, :, None] / halves).reshape(len(x), -1)
    drops = np.broadcast_to(halves, (*x.shape, qmax)).reshape(breakpoints.shape)
    # Below all breakpoints every sample stands at qmax: zeros, too, until d leaves 0.
    a = wide.sum(axis=1) * qmax
    b = np.full(len(x), float(x.shape[1] * qmax**2))
    steps, _ = _best_pieces(
        np.zeros(len(x)), breakpoints, drops, a, b, np.einsum("gn,gn->g", wide, wide)
    )
    return steps


def _best_pieces(
    low: Floats, breakpoints: Floats, drops: Floats, a: Floats, b: Floats, squares: Floats
) -> tuple[Floats, Floats]:
    """Best steps (G,) from `low` to the last breakpoint, and their E - sum x^2, (G,).

    Args:
        low: Where the first piece begins, (G,).
        breakpoints: (G, m), in any order.
        drops: k + 1/2 of each, (G, m); 0 where no sample drops.
        a: A at `low`, (G,).
        b: B at `low`, (G,).
        squares: Sum of x^2, (G,).
    """
    order = np.argsort(breakpoints, axis=1)
    high = np.take_along_axis(breakpoints, order, axis=1)
    drop = np.take_along_axis(drops, order, axis=1)
    below = np.concatenate([low[:, None], high[:, :-1]], axis=1)
    # Before each breakpoint; there |x| = (k + 1/2) d leaves A, and 2k + 1 leaves B.
    level, square = high * drop, 2 * drop
    for lost, start in ((level, a), (square, b)):
        rest = start[:, None] - np.cumsum(lost, axis=1)
        lost[:, 0] = start
        lost[:, 1:] = rest[:, :-1]
    # With B = 0 all is 0, and the error that of the lower end.
    free = np.divide(level, square, out=below.copy(), where=square > 0.25)
    steps = np.clip(free, below, high)
    excess = steps * (steps * square - 2 * level)
    least = excess.min(axis=1) + _ROUNDING * squares
    first = (excess <= least[:, None]).argmax(axis=1)[:, None]
    return (
        np.take_along_axis(steps, first, axis=1)[:, 0],
        np.take_along_axis(excess, first, axis=1)[:, 0],
    )


class Search:
    """Branch and bound for the best step d of magnitudes (n,).

    With e(d) the vector of all errors and q(d) that of all levels, |e(low)| <= |x - q(d) low| <=
    |e(d)| + (d - low) |q(d)| and likewise from `high`. |q(d)|^2 = B(d) falls as d grows, so that
    in the interval

        |e(d)| >= (|e(low)| + |e(high)| - (high - low) sqrt(B(low))) / 2

    The magnitudes are sorted in place: they are most of the memory.
    """

    def __init__(self, x: Groups, qmax: int) -> None:
        self._squares = float(np.einsum("n,n->", x, x, dtype=np.float64))
        x.sort()
        self._x = x
        self._halves = np.arange(qmax) + 0.5
        self._sums = _RunningSums(x)

    def best_step(self) -> float:
        """The smallest of the best steps."""
        if self._sums.total == 0:
            return 0.0
        # From 2 max|x| on, all is 0.
        edges = np.array([0.0, 2 * float(self._x[-1])])
        below, _, b, norm = self._at(edges)
        least, best = norm[1] ** 2, float(edges[1])
        order = itertools.count()  # the heap compares no further
        heap = [(0.0, next(order), edges, below, b, norm)]
        tolerance = _ROUNDING * self._squares
        while heap:
            bound, _, edges, below, b, norm = heapq.heappop(heap)
            if bound**2 > least + tolerance:
                break
            if (below[1] - below[0]).sum() <= _LEAF_BREAKPOINTS:
                step, error = self._leaf(edges, below)
                # Where two are equal but for rounding, the smaller.
                if error < least - tolerance or (error <= least + tolerance and step < best):
                    least, best = min(error, least), step
                continue
            low, high = edges.tolist()
            if high - low <= _ROUNDING * high:
                continue  # a breakpoint of very many equal samples: no minimum is there
            edges = np.linspace(low, high, _CHILDREN + 1)
            below, _, b, norm = self._at(edges)
            inner = int(norm.argmin())
            if norm[inner] ** 2 < least - tolerance:
                least, best = float(norm[inner] ** 2), float(edges[inner])
            bounds = (norm[:-1] + norm[1:] - np.diff(edges) * np.sqrt(b[:-1])) / 2
            for child, bound in enumerate(np.maximum(bounds, 0).tolist()):
                if bound**2 <= least + tolerance:
                    both = slice(child, child + 2)
                    node = edges[both], below[both], b[both], norm[both]
                    heapq.heappush(heap, (bound, next(order), *node))
        return best

    def _at(self, steps: Floats) -> tuple[npt.NDArray[np.int64], Floats, Floats, Floats]:
        """At steps (D,): how many samples are below each k + 1/2 (D, qmax), A, B and |e|, (D,)."""
        limits = steps[:, None] * self._halves
        # A float32 exceeds a limit where it exceeds the largest float32 that is not above it.
        with np.errstate(over="ignore"):
            nearest = limits.astype(np.float32)
        nearest = np.where(nearest > limits, np.nextafter(nearest, np.float32(-np.inf)), nearest)
        below = np.searchsorted(self._x, nearest, side="right")
        a = (self._sums.total - self._sums.before(below)).sum(axis=1)
        b = ((len(self._x) - below) * (2 * self._halves)).sum(axis=1)
        error = self._squares + steps * (steps * b - 2 * a)
        return below, a, b, np.sqrt(np.maximum(error, 0))

    def _leaf(self, edges: Floats, below: npt.NDArray[np.int64]) -> tuple[float, float]:
        """Best step between two edges, and its sum of squared errors."""
        low, high = edges.tolist()
        _, a, b, _ = self._at(edges[:1])
        counts = below[1] - below[0]
        drops = np.repeat(self._halves, counts)
        parts = [self._x[first:last] for first, last in below.T]
        breakpoints = np.concatenate(parts).astype(np.float64) / drops
        # `high` is the end of the last piece.
        breakpoints = np.append(np.clip(breakpoints, low, high), high)[None]
        step, excess = _best_pieces(
            edges[:1], breakpoints, np.append(drops, 0.0)[None], a, b, np.array([self._squares])
        )
        return float(step[0]), self._squares + float(excess[0])


class _RunningSums:
    """Sums of the first k of n samples, added one after the other in float64."""

    def __init__(self, x: Groups) -> None:
        self._x = x
        self._kept = np.zeros(len(x) // _KEPT_SUMS + 1)
        self.total = 0.0
        for start in range(0, len(x), _BLOCK_ELEMENTS):
            block = x[start : start + _BLOCK_ELEMENTS]
            sums = np.cumsum(np.concatenate([[self.total], block]))
            kept = sums[::_KEPT_SUMS]
            first = start // _KEPT_SUMS
            self._kept[first : first + len(kept)] = kept[: len(self._kept) - first]
            self.total = float(sums[-1])

    def before(self, counts: npt.NDArray[np.int64]) -> Floats:
        """Sums of the first `counts` samples, of its shape."""
        kept = counts // _KEPT_SUMS
        places = kept[..., None] * _KEPT_SUMS + np.arange(_KEPT_SUMS)
        places = np.minimum(places, len(self._x) - 1)  # beyond `counts`, and not looked at
        parts = np.concatenate([self._kept[kept][..., None], self._x[places]], axis=-1)
        sums = np.cumsum(parts, axis=-1)
        rest = (counts - kept * _KEPT_SUMS)[..., None]
        return np.asarray(np.take_along_axis(sums, rest, axis=-1)[..., 0])
