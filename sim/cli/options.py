"""Options and output that commands share."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click

from golden.config import PRESETS, DatapathConfig
from golden.quantize import Scaling
from sim.tensor_file import replacing

F = TypeVar("F", bound=Callable[..., Any])


class AccumulatorBits(click.ParamType[int | str]):
    """A width, or `exact`."""

    name = "integer|exact"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | str:
        """Turn the text of the option into its value."""
        if value == "exact":
            return "exact"
        try:
            return int(value)
        except ValueError:
            self.fail(f"must be a width in bits or 'exact', not {value!r}", param, ctx)


class NotationOrPreset(click.ParamType[DatapathConfig]):
    """`W/A/ws/as`, or the name of a preset."""

    name = "notation"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> DatapathConfig:
        """Turn the text into a configuration with everything else at its default."""
        if value in PRESETS:
            return PRESETS[value]
        try:
            return DatapathConfig.parse(value)
        except ValueError as error:
            hint = "" if "/" in value else f"; presets are {', '.join(PRESETS)}"
            raise click.UsageError(f"{error}{hint}") from None


@dataclass(frozen=True)
class DatapathOptions:
    """What the options say beside the notation; None where they say nothing."""

    vector_size: int | None
    scale_product_bits: int | None
    accumulator_bits: int | str | None
    vectors_per_sum: int | None

    def apply(self, config: DatapathConfig) -> DatapathConfig:
        """Put what was given into a configuration.

        Raises:
            ValueError: A value out of range.
        """
        exact = self.accumulator_bits == "exact"
        if exact != (self.vectors_per_sum is not None):
            raise ValueError("--accumulator-bits exact and --vectors-per-sum J go together")
        given = {
            "vector_size": self.vector_size,
            "scale_product_bits": self.scale_product_bits,
            "accumulator_bits": None if exact else self.accumulator_bits,
        }
        changes: dict[str, Any] = {k: value for k, value in given.items() if value is not None}
        config = replace(config, **changes)
        if self.vectors_per_sum is not None:
            config = config.with_exact_accumulator(self.vectors_per_sum)
        return config


def datapath_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that complete a notation; the command gets them as `datapath`."""

    @wraps(command)
    def gathered(**arguments: Any) -> Any:
        names = [field.name for field in fields(DatapathOptions)]
        datapath = DatapathOptions(**{name: arguments.pop(name) for name in names})
        return command(**arguments, datapath=datapath)

    for option in (
        click.option(
            "--vectors-per-sum",
            type=click.IntRange(min=1),
            metavar="J",
            help="Vectors that an exact accumulator must hold.",
        ),
        click.option(
            "--accumulator-bits",
            type=AccumulatorBits(),
            metavar="C",
            help="Accumulator width in bits, 16 to 48, or `exact`.  [default: 24]",
        ),
        click.option(
            "--scale-product-bits",
            type=int,
            metavar="P",
            help="Bits kept of the scale product, 1 to ws + as.  [default: all]",
        ),
        click.option(
            "--vector-size",
            type=int,
            metavar="V",
            help="Elements of a vector: 4, 8, 16, 32 or 64.  [default: 16]",
        ),
    ):
        gathered = option(gathered)
    return gathered


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

seed_option = click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Seed of everything random.",
)


block_option = click.option(
    "--block",
    type=click.Choice(["vector-mac"]),
    default="vector-mac",
    show_default=True,
    help="Which hardware.",
)


def write_json(path: Path | None, results: Any) -> None:
    """Write results as JSON, whole or not at all; nothing without a path."""
    if path is None:
        return
    with replacing(path) as scratch:
        scratch.write_text(json.dumps(results, indent=2) + "\n")


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
