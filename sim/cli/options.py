"""Options and output that commands share."""

import json
import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from scalewright.golden.calibration import Clip
from scalewright.golden.quantize import Scaling
from scalewright.sim.files.tensors import replacing

F = TypeVar("F", bound=Callable[..., Any])


def output_path(*flags: str, **attributes: Any) -> Callable[[F], F]:
    """An option that names a file to write."""
    return click.option(*flags, type=click.Path(path_type=Path), **attributes)


json_option = output_path(
    "--json", "json_file", metavar="FILE", help="Write the results to this file as JSON."
)

scaling_option = click.option(
    "--scaling",
    type=click.Choice([scaling.value for scaling in Scaling]),
    default=Scaling.NEAREST.value,
    show_default=True,
    help="How per-vector scales are rounded.",
)


class ClipType(click.ParamType[Clip]):
    """`max`, `percentile:P`, `octav` or `mse`."""

    name = "clip"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Clip:
        """Turn the text of the option into its value."""
        try:
            return Clip.parse(value)
        except ValueError as error:
            raise click.UsageError(str(error)) from None


clip_option = click.option(
    "--clip",
    type=ClipType(),
    default="max",
    show_default=True,
    metavar="METHOD",
    help="Clipping threshold: max, percentile:P, octav or mse. One for each vector where the "
    "notation has a per-vector scale; else one for each weight row and for all activations.",
)

seed_option = click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Seed of everything random.",
)


def write_json(path: Path | None, results: Any) -> None:
    """Write results as JSON, whole or not at all; nothing without a path.

    A figure that is infinite or undefined, such as the signal-to-noise ratio without noise, becomes
    null: JSON has no other word for it.
    """
    if path is None:
        return
    with replacing(path) as scratch:
        scratch.write_text(json.dumps(_finite(results), indent=2, allow_nan=False) + "\n")


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


@contextmanager
def progress_bar(label: str, total: int) -> Iterator[Callable[[int], None]]:
    """A progress bar on stderr, shown on a terminal only; yields the function that advances it."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bar:
        task = bar.add_task(label, total=total)
        yield lambda amount: bar.advance(task, amount)


def jobs() -> int:
    """Simulations to run side by side: one for each core."""
    return os.cpu_count() or 1
