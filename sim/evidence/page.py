"""The table of the evidence, on a page with its picture."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from scalewright.sim.cli.program.table import Table
from scalewright.sim.evidence.experiment import Measured
from scalewright.sim.evidence.picture import draw
from scalewright.sim.evidence.row import Row
from scalewright.sim.files.outputs import replacing

_COLUMNS = ("claim", "source", "metric", "result", "verdict")


def print_rows(rows: list[Row]) -> None:
    """Print the table to the terminal."""
    table = Table(*_COLUMNS)
    for row in rows:
        table.add(*(getattr(row, column) for column in _COLUMNS))
    table.print()


def picture_of(page: Path) -> Path:
    """The picture of a page, beside it."""
    return page.with_suffix(".svg")


def write(
    file: Path, rows: list[Row], results: Mapping[str, list[Measured]], facts: Mapping[str, Any]
) -> None:
    """Write the page, Markdown, and its picture beside it, SVG.

    Args:
        file: The page.
        rows: The table.
        results: Measurements of all seeds, by experiment.
        facts: Versions, number of seeds, share of the steps.
    """
    picture = picture_of(file)
    draw(picture, rows)
    compared = [row for row in rows if row.interval is not None]
    lines = [
        "# What quantization-aware training is worth here",
        "",
        "Written by `make train-evidence`; nothing was tuned to a result, and every claim is",
        "listed, whatever came of it. Networks of 6,000 to 130,000 weights, on scikit-learn's",
        "digits (half of them for training, four shifted and noisy copies of the other half for",
        f"the test) and, the transformer, on the help texts of Python {facts['python']}; torch",
        f"{facts['torch']}, {facts['seeds']} seeds. Arms of one seed start from the same trained",
        "network and see the same batches. A result is the mean over seeds of either arm, and of",
        "their paired difference with its 95 % interval; a claim holds, or does not, where that",
        f"interval leaves out 0. Of {len(compared)} comparisons, one in twenty or so would do so",
        "by chance.",
        *([] if facts["share"] == 1 else ["", f"**A share of {facts['share']:g} of the steps.**"]),
        "",
        f"![Differences with their intervals]({picture.name})",
        "",
        "| " + " | ".join(_COLUMNS) + " |",
        "|---" * len(_COLUMNS) + "|",
        *("| " + " | ".join(getattr(row, column) for column in _COLUMNS) + " |" for row in rows),
        "",
        "## All arms",
        "",
        "| experiment | arm | NLL | accuracy % | other |",
        "|---|---|---|---|---|",
        *_arms(results),
        "",
    ]
    with replacing(file) as scratch:
        scratch.write_text("\n".join(lines))


def _arms(results: Mapping[str, list[Measured]]) -> list[str]:
    """Means over the seeds, arm by arm."""
    lines = []
    for name, seeds in results.items():
        for arm in seeds[0]:
            means = {
                metric: float(np.mean([measured[arm][metric] for measured in seeds]))
                for metric in seeds[0][arm]
            }
            nll, accuracy = means.pop("nll"), means.pop("accuracy")
            others = ", ".join(f"{metric} {value:.3g}" for metric, value in means.items())
            lines.append(f"| {name} | {arm} | {nll:.4f} | {accuracy:.2f} | {others} |")
    return lines
