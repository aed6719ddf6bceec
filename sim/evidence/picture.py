"""The picture of the evidence: a panel for each claim, its cases with their intervals.

All figures stand in the table of the page, so that the picture can be drawn anew without training:
`python -m scalewright.sim.evidence.picture sim/evidence/evidence.md`.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from scalewright.sim.evidence.row import FAILS, HOLDS, OPEN, Row
from scalewright.sim.files.outputs import replacing

_COLORS = {HOLDS: "tab:green", FAILS: "tab:red", OPEN: "tab:gray"}

_PANELS_PER_LINE = 3

# Height of a line of panels: that of its frame, and of each of its cases, in inches.
_FRAME, _CASE = 1.1, 0.24

_LINE = re.compile(
    r"\| (?P<claim>[^|]+) \| (?P<source>[^|]+) \| (?P<metric>[^|]+) \| (?P<result>[^|]+) "
    rf"\| (?P<verdict>{HOLDS}|{FAILS}|{OPEN}) \|"
)
_INTERVAL = re.compile(r"better by (\S+) \((\S+) to (\S+)\)")


def read(page: Path) -> list[Row]:
    """The rows of a page's table.

    Raises:
        ValueError: It has none.
    """
    rows = []
    for line in page.read_text().splitlines():
        match = _LINE.fullmatch(line)
        if match is not None:
            found = _INTERVAL.search(match["result"])
            interval = None
            if found is not None:
                interval = (float(found[1]), float(found[2]), float(found[3]))
            rows.append(Row(**match.groupdict(), interval=interval))
    if not rows:
        raise ValueError(f"{page}: has no table of claims, as `make train-evidence` writes it")
    return rows


def panels(rows: Sequence[Row]) -> dict[str, list[tuple[str, Row]]]:
    """Compared rows by claim, each with the name of its case: how many bits, on which network."""
    found: dict[str, list[tuple[str, Row]]] = {}
    for row in rows:
        if row.interval is not None:
            claim, case = _split(row.claim)
            network = row.metric.removeprefix("NLL, ") if row.metric.startswith("NLL") else ""
            name = ", ".join(part for part in (case, network) if part)
            found.setdefault(claim, []).append((name, row))
    return found


def _split(claim: str) -> tuple[str, str]:
    """A claim and its case: what stands from its bits on, or behind its first comma."""
    match = re.fullmatch(r"(.+?), (\d bits.*)", claim) or re.fullmatch(r"(.+?), (.+)", claim)
    return (match[1], match[2]) if match else (claim, "")


def draw(file: Path, rows: Sequence[Row], kind: str = "svg") -> None:
    """Draw a panel for each claim: each case with its mean, its interval, and its verdict."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    found = list(panels(rows).items())
    lines = [found[at : at + _PANELS_PER_LINE] for at in range(0, len(found), _PANELS_PER_LINE)]
    heights = [_FRAME + _CASE * max(len(cases) for _, cases in line) for line in lines]
    figure = Figure(figsize=(16, sum(heights) + 0.6), layout="constrained")
    grid = figure.subplots(
        len(lines), _PANELS_PER_LINE, squeeze=False, gridspec_kw={"height_ratios": heights}
    )
    for line, places in zip(lines, grid, strict=True):
        for axes in places[len(line) :]:
            axes.set_axis_off()
        for (claim, cases), axes in zip(line, places, strict=False):
            _draw_panel(axes, claim, cases)
    figure.legend(
        handles=[
            Line2D([], [], color=color, marker="o", label=f"{verdict}: mean and 95 % interval")
            for verdict, color in _COLORS.items()
        ],
        loc="outside upper center",
        ncols=len(_COLORS),
    )
    with (
        replacing(file) as scratch,
        rc_context({"svg.fonttype": "none", "svg.hashsalt": "scalewright"}),
    ):
        figure.savefig(scratch, format=kind, metadata={"Date": None} if kind == "svg" else None)


def _draw_panel(axes: Any, claim: str, cases: list[tuple[str, Row]]) -> None:
    axes.axvline(0, color="black", linewidth=0.8)
    for place, (_, row) in enumerate(cases):
        assert row.interval is not None
        mean, low, high = row.interval
        axes.plot([low, high], [place, place], color=_COLORS[row.verdict], linewidth=2)
        axes.plot([mean], [place], "o", color=_COLORS[row.verdict], markersize=5)
        axes.text(
            1.01, place, f"{mean:+.2g}", transform=axes.get_yaxis_transform(), va="center",
            fontsize=8,
        )  # fmt: skip
    metric = cases[0][1].metric
    unit = "lower NLL, nats" if metric.startswith("NLL") else f"gain in: {metric}"
    axes.set_title(f"{claim}\n{cases[0][1].source}", fontsize=9)
    axes.locator_params(axis="x", nbins=4)
    axes.set_yticks(range(len(cases)), [name or "the claim" for name, _ in cases], fontsize=8)
    axes.set_ylim(len(cases) - 0.4, -0.6)
    axes.set_xlabel(unit, fontsize=8)
    axes.tick_params(axis="x", labelsize=8)
    axes.grid(axis="x", alpha=0.3)


@click.command()
@click.argument("page", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def main(page: Path) -> None:
    """Draw the picture of a page anew, beside it."""
    draw(page.with_suffix(".svg"), read(page))


if __name__ == "__main__":
    main()
