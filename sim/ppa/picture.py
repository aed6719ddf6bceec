"""The picture of the report: area and energy next to the paper's."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from scalewright.sim.simulators.toolchain import ToolError


class _Relative(Protocol):
    @property
    def area(self) -> float: ...

    @property
    def energy(self) -> float: ...


def draw(
    path: Path,
    points: Sequence[tuple[str, _Relative, float | None, float | None]],
    kind: str | None = None,
) -> None:
    """Draw bars of area and energy relative to 8/8/-/-, ours and VS-Quant's.

    Args:
        path: The picture.
        points: Notation, ours, and the paper's energy and area.
        kind: `png`, `svg` or `pdf`; by default the path's.

    Raises:
        ToolError: matplotlib is missing.
    """
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError:
        raise ToolError("a plot needs matplotlib: pip install 'scalewright[plot]'") from None
    # The same bytes every time.
    matplotlib.rcParams["svg.hashsalt"] = "scalewright"
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    places = range(len(points))
    for axes, name, ours, theirs in zip(
        figure.subplots(1, 2, sharey=True),
        ("area", "energy"),
        ([each.area for _, each, _, _ in points], [each.energy for _, each, _, _ in points]),
        ([area for *_, area in points], [energy for _, _, energy, _ in points]),
        strict=True,
    ):
        axes.bar([at - 0.2 for at in places], ours, 0.4, label="this MAC, 0.18 um, by itself")
        axes.bar(
            [at + 0.2 for at in places],
            [value or 0 for value in theirs],
            0.4,
            color="0.75",
            label="VS-Quant, with buffers",
        )
        axes.axhline(1, color="0.4", linewidth=0.8)
        axes.set_xticks(list(places), [notation for notation, *_ in points], rotation=30)
        axes.set_title(f"{name}, 8/8/-/- = 1")
    figure.axes[0].legend()
    kind = kind or path.suffix.removeprefix(".")
    figure.savefig(path, format=kind, metadata={"Date": None} if kind == "svg" else None)
