"""The picture of the report: area and energy next to the paper's."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

_OURS = "this MAC, 0.18 um, by itself"
_THEIRS = "VS-Quant, below 16 nm, with buffers (none published for P = 6)"


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
        points: Notation, ours, and the paper's energy and area, None where it has none.
        kind: `png`, `svg` or `pdf`; by default the path's.
    """
    # Slow to import, and needed here alone.
    import matplotlib
    from matplotlib.figure import Figure

    # The same bytes every time, and text that can be found.
    matplotlib.rcParams["svg.hashsalt"] = "scalewright"
    matplotlib.rcParams["svg.fonttype"] = "none"
    figure = Figure(figsize=(12, 4.6), layout="constrained")
    places = range(len(points))
    for axes, name, ours, theirs in zip(
        figure.subplots(1, 2, sharey=True),
        ("area", "energy per vector pair"),
        ([each.area for _, each, _, _ in points], [each.energy for _, each, _, _ in points]),
        ([area for *_, area in points], [energy for _, _, energy, _ in points]),
        strict=True,
    ):
        bars = axes.bar([at - 0.2 for at in places], ours, 0.38, label=_OURS)
        axes.bar_label(bars, fmt="%.2f", fontsize=8)
        known = [at for at in places if theirs[at] is not None]
        heights = [value for value in theirs if value is not None]
        bars = axes.bar([at + 0.2 for at in known], heights, 0.38, color="0.75", label=_THEIRS)
        axes.bar_label(bars, fmt="%.2f", fontsize=8)
        axes.axhline(1, color="0.4", linewidth=0.8, linestyle="--", label="the 8-bit MAC, 8/8/-/-")
        names = [notation.replace(", ", ",\n") for notation, *_ in points]
        axes.set_xticks(list(places), names, fontsize=8)
        axes.set_xlabel("configuration, W/A/ws/as")
        axes.set_ylabel(f"{name} / that of 8/8/-/-")
        axes.tick_params(labelleft=True)
        axes.margins(y=0.1)
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    kind = kind or path.suffix.removeprefix(".")
    figure.savefig(path, format=kind, metadata={"Date": None} if kind == "svg" else None)
