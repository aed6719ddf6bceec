"""Options that complete a notation."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import wraps
from typing import Any

import click

from scalewright.golden.config import DatapathConfig


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


@dataclass(frozen=True)
class DatapathOptions:
    """What the options say beside the notation; None where they say nothing."""

    vector_size: int | None
    scale_product_bits: int | None
    accumulator_bits: int | str | None
    vectors_per_sum: int | None
    pipeline_depth: int | None

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
            "pipeline_depth": self.pipeline_depth,
        }
        changes: dict[str, Any] = {k: value for k, value in given.items() if value is not None}
        config = replace(config, **changes)
        if self.vectors_per_sum is not None:
            config = config.with_exact_accumulator(self.vectors_per_sum)
        return config


# What is said of an option wherever a command takes it.
PIPELINE_HELP = "Clock cycles of the vector MAC, 1 to 3.  [default: 2]"
PRODUCT_HELP = "Bits kept of the scale product, 1 to ws + as.  [default: all]"
SIZE_HELP = "Elements of a vector: 4, 8, 16, 32 or 64.  [default: 16]"

vectors_per_sum_option = click.option(
    "--vectors-per-sum",
    type=click.IntRange(min=1),
    metavar="J",
    help="Vectors that an exact accumulator must hold.",
)
accumulator_bits_option = click.option(
    "--accumulator-bits",
    type=AccumulatorBits(),
    metavar="C",
    help="Accumulator width in bits, 16 to 48, or `exact`.  [default: 24]",
)


def datapath_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that complete a notation; the command gets them as `datapath`."""

    @wraps(command)
    def gathered(**arguments: Any) -> Any:
        names = [field.name for field in fields(DatapathOptions)]
        datapath = DatapathOptions(**{name: arguments.pop(name) for name in names})
        return command(**arguments, datapath=datapath)

    for option in (
        click.option(
            "--pipeline-depth",
            type=int,
            metavar="D",
            help=PIPELINE_HELP,
        ),
        vectors_per_sum_option,
        accumulator_bits_option,
        click.option(
            "--scale-product-bits",
            type=int,
            metavar="P",
            help=PRODUCT_HELP,
        ),
        click.option(
            "--vector-size",
            type=int,
            metavar="V",
            help=SIZE_HELP,
        ),
    ):
        gathered = option(gathered)
    return gathered
