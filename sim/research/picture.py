"""The plot of a comparison: signal-to-noise ratio against stored bits per element."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scalewright.sim.research.choice import UNSCALED
from scalewright.sim.research.point import Point, drawable, frontier

_MARKERS = "osD^vPX"


def draw(path: Path, kind: str, points: Sequence[Point], *, x: str, y: str, title: str) -> None:
    """Draw points by series, each with its name, and the line of the best of them.

    A point without a finite ratio is named in the title's second line.

    Args:
        path: The picture.
        kind: `png`, `svg` or `pdf`.
        points: What to draw.
        x: Title of the axis of bits.
        y: Title of the axis of ratios.
        title: What is compared, on what.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    shown = drawable(points)
    figure = Figure(figsize=(9, 6), layout="constrained")
    axes = figure.add_subplot()
    best = frontier(shown)
    axes.plot(
        [point.bits for point in best],
        [point.signal_to_noise_db for point in best],
        color="0.8",
        linewidth=4,
        zorder=0,
        label="best for its bits",
    )
    # Without scales first, then by size of vectors.
    series = sorted(
        {point.series for point in shown}, key=lambda name: (name != UNSCALED, _size(name))
    )
    for number, name in enumerate(series):
        members = [point for point in shown if point.series == name]
        axes.scatter(
            [point.bits for point in members],
            [point.signal_to_noise_db for point in members],
            marker=_MARKERS[number % len(_MARKERS)],
            color="black" if name == UNSCALED else f"C{number % 10}",
            s=45,
            label=name,
        )
    axes.margins(x=0.16, y=0.1)
    _write_names(axes, shown)
    left_out = [point.label for point in points if not math.isfinite(point.signal_to_noise_db)]
    note = f"\nwithout error or signal, hence not drawn: {', '.join(left_out)}" if left_out else ""
    axes.set_title(title + note)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    # The same bytes every time, and text that can be found.
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "scalewright"}):
        figure.savefig(
            path, format=kind, dpi=150, metadata={"Date": None} if kind == "svg" else None
        )


def _size(series: str) -> int:
    number = series.rpartition(" ")[2]
    return int(number) if number.isdecimal() else 0


def _write_names(axes: Any, points: Sequence[Point]) -> None:
    """Write the name of each point beside it, none over another."""
    axes.figure.canvas.draw()
    taken: list[tuple[float, float, float, float]] = []
    places = axes.transData.transform([(point.bits, point.signal_to_noise_db) for point in points])
    scale = axes.figure.dpi / 72
    for point, (left, middle) in sorted(
        zip(points, places, strict=True), key=lambda pair: -pair[0].signal_to_noise_db
    ):
        width, height = 5.2 * len(point.label) * scale, 11 * scale
        # Right of the point, then left of it, then ever lower on the right.
        offsets = [(8.0, 0.0), (-8.0 - width / scale, 0.0)]
        offsets += [(8.0, -11.0 * step) for step in range(1, 9)]
        for across, up in offsets:
            x, y = left + across * scale, middle + up * scale
            box = (x, y - height / 2, x + width, y + height / 2)
            if not any(_overlap(box, other) for other in taken):
                break
        taken.append(box)
        axes.annotate(
            point.label,
            (point.bits, point.signal_to_noise_db),
            xytext=(across, up),
            textcoords="offset points",
            fontsize=8,
            va="center",
            arrowprops={"arrowstyle": "-", "color": "0.7", "linewidth": 0.5} if up else None,
        )


def _overlap(
    one: tuple[float, float, float, float], other: tuple[float, float, float, float]
) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
