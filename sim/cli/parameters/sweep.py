"""Options that each take several values: `4,16,64`, or the option given again."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import wraps
from itertools import product
from typing import Any

import click

from scalewright.golden.calibration import Clip
from scalewright.golden.config import DatapathConfig
from scalewright.golden.quantize import Scaling
from scalewright.sim.cli.parameters.configuration import (
    PIPELINE_HELP,
    PRODUCT_HELP,
    SIZE_HELP,
    DatapathOptions,
    accumulator_bits_option,
    vectors_per_sum_option,
)
from scalewright.sim.cli.parameters.notation import NotationOrPreset, require_one
from scalewright.sim.cli.parameters.options import ClipType
from scalewright.sim.research.choice import Choice, sweep


class Listed(click.ParamType[tuple[Any, ...]]):
    """Values of another type with commas between them."""

    def __init__(self, inner: click.ParamType[Any]) -> None:
        self._inner = inner
        self.name = f"{inner.name}, ..."

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[Any, ...]:
        """Turn the text of the option into its values."""
        if isinstance(value, tuple):
            return value
        return tuple(self._inner.convert(each, param, ctx) for each in value.split(","))


@dataclass(frozen=True)
class Sweep:
    """What the options say, each with the values that were given, in their order."""

    config: tuple[DatapathConfig, ...]
    vector_size: tuple[int, ...]
    scale_product_bits: tuple[int, ...]
    accumulator_bits: int | str | None
    vectors_per_sum: int | None
    pipeline_depth: int | None
    clip: tuple[Clip, ...]
    scaling: tuple[str, ...]

    def choices(self, *, every_vector_size: bool) -> list[Choice]:
        """Every combination, each once.

        Where a notation has no per-vector scale, a vector size changes neither what is stored nor
        how it is rounded, and bits of the scale product do not exist.

        Args:
            every_vector_size: Take all vector sizes there as well: they are different hardware.

        Raises:
            ValueError: A value out of range; the message names the notation of several.
        """
        return sweep(
            [self._variants(config, every_vector_size) for config in self.config],
            self.clip,
            [Scaling(name) for name in self.scaling],
        )

    def _variants(self, config: DatapathConfig, every_vector_size: bool) -> list[DatapathConfig]:
        sizes: Sequence[int | None] = self.vector_size or (None,)
        bits: Sequence[int | None] = self.scale_product_bits or (None,)
        if not config.full_scale_product_bits:
            sizes = sizes if every_vector_size else sizes[:1]
            # One notation alone cannot take them: the user is told so.
            bits = bits if len(self.config) == 1 else (None,)
        variants = []
        for size, kept in product(sizes, bits):
            options = DatapathOptions(
                vector_size=size,
                scale_product_bits=kept,
                accumulator_bits=self.accumulator_bits,
                vectors_per_sum=self.vectors_per_sum,
                pipeline_depth=self.pipeline_depth,
            )
            try:
                variants.append(options.apply(config))
            except ValueError as error:
                name = f"{config}: " if len(self.config) > 1 else ""
                raise ValueError(f"{name}{error}") from None
        return variants


def sweep_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of a sweep; the command gets them as `swept`."""
    several = {"config", "vector_size", "scale_product_bits", "clip", "scaling"}

    @wraps(command)
    def gathered(**arguments: Any) -> Any:
        values = {field.name: arguments.pop(field.name) for field in fields(Sweep)}
        notations = arguments.pop("notations")
        require_one(notations, values["config"], required=True)
        values["config"] = (*values["config"], notations)
        for name in several:
            values[name] = tuple(each for listed in values[name] for each in listed)
        return command(**arguments, swept=Sweep(**values))

    for option in (
        click.option(
            "--scaling",
            type=Listed(click.Choice([scaling.value for scaling in Scaling])),
            multiple=True,
            default=[Scaling.NEAREST.value],
            metavar="ROUNDING,...",
            help="How per-vector scales are rounded: nearest, ceil or paper.  [default: nearest]",
        ),
        click.option(
            "--clip",
            type=Listed(ClipType()),
            multiple=True,
            default=["max"],
            metavar="METHOD,...",
            help="Clipping thresholds: max, percentile:P, octav or mse. One for each vector where "
            "the notation has a per-vector scale; else one for each weight row and for all "
            "activations.  [default: max]",
        ),
        click.option(
            "--pipeline-depth",
            type=int,
            metavar="D",
            help=f"With --rtl: {PIPELINE_HELP}",
        ),
        vectors_per_sum_option,
        accumulator_bits_option,
        click.option(
            "--scale-product-bits",
            type=Listed(click.INT),
            multiple=True,
            metavar="P,...",
            help=PRODUCT_HELP,
        ),
        click.option(
            "--vector-size",
            type=Listed(click.INT),
            multiple=True,
            metavar="V,...",
            help=SIZE_HELP,
        ),
        click.option(
            "--config",
            type=Listed(NotationOrPreset()),
            multiple=True,
            metavar="NOTATION,...",
            help="W/A/ws/as, such as 4/4U/4/6, or a preset.",
        ),
    ):
        gathered = option(gathered)
    return click.argument("notations", metavar="[NOTATION]...", type=NotationOrPreset(), nargs=-1)(
        gathered
    )
