"""Options that say which block of hardware, and in which configuration."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import wraps
from typing import Any

import click

from scalewright.golden.config import DatapathConfig
from scalewright.sim.blocks import BLOCKS, Config
from scalewright.sim.cli.parameters.configuration import DatapathOptions

_HELPS = {
    "--result-bits": "engine: bits of a rescaled result, 8 to 32.  [default: 18]",
    "--post-lanes": "engine: results post-processed per cycle.  [default: 4]",
    "--max-iterations": "octav: limit of the passes, 1 to 63.  [default: 10]",
    "--fraction-bits": "octav: fraction bits of the threshold, 0 to 16.  [default: 4]",
    "--sample-bits": "octav: bits of a signed sample, 2 to 24.  [default: 12]",
    "--depth": "engine: rows of the weight buffer.  [default: 256]  octav: samples of the largest "
    "tensor.  [default: 4096]",
    "--lanes": "engine: output channels at a time, a power of two to 64.  [default: 16]  octav: "
    "samples per cycle.  [default: 8]",
}

block_option = click.option(
    "--block",
    type=click.Choice(list(BLOCKS)),
    default="vector-mac",
    show_default=True,
    help="Which hardware.",
)


@dataclass(frozen=True)
class BlockOptions:
    """What the options say of a block beside its datapath; None where they say nothing."""

    sample_bits: int | None
    lanes: int | None
    depth: int | None
    fraction_bits: int | None
    max_iterations: int | None
    resident: bool | None
    post_lanes: int | None
    result_bits: int | None
    dsp_multipliers: bool | None

    @property
    def given(self) -> dict[str, Any]:
        """The options that were given."""
        return {name: value for name, value in vars(self).items() if value is not None}


def block_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of all blocks; the command gets them as `options`."""

    @wraps(command)
    def gathered(**arguments: Any) -> Any:
        names = [field.name for field in fields(BlockOptions)]
        options = BlockOptions(**{name: arguments.pop(name) for name in names})
        return command(**arguments, options=options)

    gathered = click.option(
        "--dsp-multipliers",
        is_flag=True,
        default=None,
        help="engine: write the rescaler's multipliers as `*`, for the DSPs of an FPGA.",
    )(gathered)
    gathered = click.option(
        "--resident/--streaming",
        default=None,
        help="octav: keep the samples on chip, or stream them for each pass.  [default: resident]",
    )(gathered)
    for name, text in _HELPS.items():
        gathered = click.option(name, type=int, metavar="N", help=text)(gathered)
    return gathered


def choose_config(
    block: str, notation: DatapathConfig | None, datapath: DatapathOptions, options: BlockOptions
) -> Config | None:
    """The configuration of a block; None where nothing says one.

    Raises:
        ValueError: Options of another block, or a value out of range.
    """
    record = BLOCKS[block]
    foreign = options.given.keys() - set(record.options)
    if foreign:
        name = min(foreign)
        takers = [taker.name for taker in BLOCKS.values() if name in taker.options]
        raise ValueError(
            f"only --block {' or '.join(takers)} takes --{name.replace('_', '-')}, not {block}"
        )
    if record.configure is not None:
        others = [name for name, value in vars(datapath).items() if value is not None]
        if notation is not None or others:
            raise ValueError(f"--block {block} takes neither a NOTATION nor options of a datapath")
        return record.configure(options.given) if options.given else None
    if notation is None or record.complete is None:
        return None
    return record.complete(datapath.apply(notation), options.given)
