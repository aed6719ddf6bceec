"""What calibration inputs make of a network's tensors, batch by batch: their ends, and a sample."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from scalewright.golden.calibration import Clip, Granularity, clipping_threshold
from scalewright.golden.config import Format
from scalewright.golden.network.feeds import Values, feeds_of, in_batches
from scalewright.golden.network.graph import Graph, evaluator
from scalewright.golden.quantized import Floats

# Numbers that a sample has at most, and at least half as many where there are more.
_SAMPLE = 1 << 22


@dataclass
class Observation:
    """A tensor of several batches, seen along one axis.

    Attributes:
        smallest: Its smallest number.
        largest: Its largest number.
        axes: How many axes it has.
        finite: Whether all its numbers are.
    """

    smallest: float = np.inf
    largest: float = -np.inf
    axes: int = 0
    finite: bool = True
    _rows: list[Floats] = field(default_factory=list)
    _stride: int = 1
    _seen: int = 0

    def add(self, values: Floats, axis: int) -> None:
        """Take a batch, whose vectors lie along an axis."""
        self.axes = values.ndim
        if values.size == 0:
            return
        low, high = float(values.min()), float(values.max())
        self.finite &= bool(np.isfinite(low) and np.isfinite(high))
        self.smallest, self.largest = min(self.smallest, low), max(self.largest, high)
        if -values.ndim <= axis < values.ndim:
            moved = np.moveaxis(values, axis, -1)
            self._sample(moved.reshape(-1, moved.shape[-1]))

    def _sample(self, rows: Floats) -> None:
        """Keep each row whose number is a multiple of a stride, which grows with what is kept."""
        first = -self._seen % self._stride
        self._seen += len(rows)
        self._rows.append(np.array(rows[first :: self._stride], np.float32))
        while sum(kept.size for kept in self._rows) > _SAMPLE:
            kept, place = [], 0
            for each in self._rows:
                kept.append(each[place % 2 :: 2])
                place += len(each)
            if sum(map(len, kept)) == sum(map(len, self._rows)):
                break  # a single row
            self._rows, self._stride = kept, 2 * self._stride

    @property
    def magnitude(self) -> float:
        """The largest magnitude."""
        return max(abs(self.smallest), abs(self.largest))

    def threshold(self, fmt: Format, clip: Clip, vector_size: int) -> float:
        """The largest clipping threshold of what has a scale of its own.

        It is that of vectors where the format has scales, and else that of the whole tensor; of a
        sample, unless it is simply the largest magnitude.
        """
        if clip.method == "max":
            return self.magnitude if fmt.signed else max(self.largest, 0.0)
        granularity = Granularity.TENSOR if fmt.scale_bits is None else Granularity.VECTOR
        thresholds = [
            clipping_threshold(rows, fmt, clip, granularity=granularity, vector_size=vector_size)
            for rows in self._together()
        ]
        return max(float(each.max()) for each in thresholds)

    def _together(self) -> list[Floats]:
        """Rows of the same length together."""
        lengths: dict[int, list[Floats]] = {}
        for rows in self._rows:
            if rows.size:
                lengths.setdefault(rows.shape[1], []).append(rows)
        return [np.concatenate(rows) for rows in lengths.values()]


def observe(
    graph: Graph,
    x: Values,
    wanted: Mapping[str, Collection[int]],
    *,
    batch: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> dict[tuple[str, int], Observation]:
    """Observe tensors of a network on inputs, each along some axes.

    Args:
        graph: The network.
        x: Calibration inputs (N, ...), or all inputs by name.
        wanted: Names of tensors, and the axes along which they are seen.
        batch: How many inputs are computed at once; all by default.
        progress: Called with the number of inputs that are done since the last call.

    Raises:
        ValueError: Inputs that do not suit the network.
    """
    found = {(name, axis): Observation() for name, axes in wanted.items() for axis in axes}
    compute = evaluator(graph, wanted)

    def run(feeds: Mapping[str, Any]) -> dict[str, Any]:
        tensors = compute(feeds)
        for (name, axis), observation in found.items():
            observation.add(np.asarray(tensors[name], np.float32), axis)
        return {}

    in_batches(run, feeds_of(graph.inputs, x), graph.inputs, batch, progress)
    return found
