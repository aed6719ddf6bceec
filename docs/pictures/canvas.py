"""A sheet for block diagrams: boxes, arrows and words, in the units of one small grid."""

from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

BLUE = "#dbe9f6"  #: what computes
GREEN = "#e0f0da"  #: what stores
AMBER = "#fdeccf"  #: files and tools
GREY = "#f2f2f2"  #: what lies outside
INK = "#1f2933"

# The same bytes every time, and text that can be searched and read aloud.
_STYLE = {"svg.hashsalt": "scalewright", "svg.fonttype": "none", "font.size": 9}


def save(figure: Figure, path: Path) -> None:
    """Write a figure as SVG, without the time of day."""
    with mpl.rc_context(_STYLE):
        figure.savefig(path, format="svg", metadata={"Date": None}, facecolor="white")


class Canvas:
    """A sheet of `width` by `height` units, 0.8 inches each; the origin is below, on the left."""

    def __init__(self, width: float, height: float) -> None:
        self.figure = Figure(figsize=(width * 0.8, height * 0.8))
        self._axes = self.figure.add_axes((0, 0, 1, 1))
        self._axes.set(xlim=(0, width), ylim=(0, height))
        self._axes.set_axis_off()

    def box(
        self, x: float, y: float, width: float, height: float, text: str, colour: str = BLUE
    ) -> None:
        """Draw a box with its lower left corner at (x, y)."""
        self._axes.add_patch(
            FancyBboxPatch(
                (x, y),
                width,
                height,
                boxstyle="round,pad=0,rounding_size=0.08",
                facecolor=colour,
                edgecolor=INK,
                linewidth=1,
            )
        )
        self.text(x + width / 2, y + height / 2, text)

    def arrow(self, *points: tuple[float, float], text: str = "", above: bool = True) -> None:
        """Draw a line through points with a head at its end, and a word beside its first part."""
        xs, ys = zip(*points, strict=True)
        self._axes.plot(xs[:-1], ys[:-1], color=INK, linewidth=1, solid_capstyle="butt")
        self._axes.annotate(
            "",
            xy=points[-1],
            xytext=points[-2],
            arrowprops={"arrowstyle": "-|>", "color": INK, "shrinkA": 0, "shrinkB": 0},
        )
        if text:
            (x0, y0), (x1, y1) = points[:2]
            if y0 == y1:
                self.text((x0 + x1) / 2, y0 + (0.17 if above else -0.17), text, size=8)
            else:
                self.text(x0 + 0.1, (y0 + y1) / 2, text, size=8, align="left")

    def line(self, *points: tuple[float, float], dashed: bool = False) -> None:
        """Draw a line through points."""
        xs, ys = zip(*points, strict=True)
        self._axes.plot(xs, ys, color=INK, linewidth=0.8, linestyle="--" if dashed else "-")

    def text(
        self, x: float, y: float, text: str, *, size: float = 9, align: str = "center"
    ) -> None:
        """Write words around, or from, a point."""
        self._axes.text(x, y, text, fontsize=size, color=INK, ha=align, va="center")
