"""Options and output that commands share."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from scalewright.golden.calibration import Clip
from scalewright.golden.quantize import Scaling
from scalewright.sim.cli.program.terminal import (
    progress_bar as progress_bar,  # commands find all here
)

F = TypeVar("F", bound=Callable[..., Any])

# Of outputs that a command cannot do without.
_EXAMPLES: dict[str | None, str] = {
    "FILE.v": "build/mac.v",
    "FILE.onnx": "build/network.vsq.onnx",
    "FOLDER": "build/vectors",
}


class OutputPath(click.Path):
    """A file to write, or a folder for several.

    Every command hands its outputs and inputs to `require_writable` before it works.
    """

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def get_missing_message(self, param: click.Parameter, ctx: click.Context | None) -> str:
        """What to do where a required output is missing."""
        return f"Say where to write, as in {param.opts[0]} {_EXAMPLES.get(param.metavar, 'FILE')}"


def output_path(*flags: str, **attributes: Any) -> Callable[[F], F]:
    """An option that names a file to write."""
    return click.option(*flags, type=OutputPath(), **attributes)


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


scheduler_option = click.option(
    "--scheduler",
    metavar="ADDRESS",
    help="Run on the workers of this Dask scheduler, such as tcp://10.0.0.1:8786, in place of the "
    "cores of this machine.",
)


def jobs() -> int:
    """Simulations to run side by side: one for each core."""
    return os.cpu_count() or 1
