"""`scalewright generate`: Verilog and its description."""

import json
import shlex
from pathlib import Path
from typing import Any

import click

from scalewright.golden.config import DatapathConfig, OctavConfig
from scalewright.hw.verilog import PortStyle
from scalewright.sim.blocks import BLOCKS, design_of
from scalewright.sim.cli.block import BlockOptions, block_option, block_options, choose_config
from scalewright.sim.cli.configuration import DatapathOptions, datapath_options
from scalewright.sim.cli.help import SectionedCommand
from scalewright.sim.cli.notation import notation_argument
from scalewright.sim.cli.options import json_option, output_path
from scalewright.sim.cli.terminal import say_next
from scalewright.sim.files.outputs import replacing, require_writable, write_json


@click.command(cls=SectionedCommand)
@notation_argument("notation")
@block_option
@datapath_options
@block_options
@click.option("--name", metavar="MODULE", help="Name of the module.  [default: the block's]")
@click.option(
    "--ports",
    "style",
    type=click.Choice([style.value for style in PortStyle]),
    default=PortStyle.FIELDS.value,
    show_default=True,
    help="One port for each field of a stream's payload, or one for all of it.",
)
@output_path(
    "-o",
    "--output",
    metavar="FILE.v",
    required=True,
    help="The Verilog file; its description goes next to it, as FILE.json.",
)
@json_option
def generate(
    notation: DatapathConfig | None,
    block: str,
    datapath: DatapathOptions,
    options: BlockOptions,
    name: str | None,
    style: str,
    output: Path,
    json_file: Path | None,
) -> None:
    """Write the Verilog of a block, and a JSON file that says how to drive it.

    NOTATION is W/A/ws/as, such as 4/4U/4/6 or 8/8/-/-, or a preset: chip-5nm, vs-quant-resnet50,
    vs-quant-bert, int8. The block octav has options in its place.

    \b
    Example:
      scalewright generate 4/4/4/6 --vector-size 16 -o build/mac.v
      scalewright generate 4/4U/4/6 --block engine --lanes 16 -o build/engine.v
      scalewright generate --block octav --lanes 8 --depth 64 -o build/octav.v
    """
    if output.suffix != ".v":
        raise ValueError(f"{output}: the Verilog file must end in .v")
    config = choose_config(block, notation, datapath, options)
    if config is None:
        if block != "octav":
            raise ValueError("generate needs a NOTATION, such as 4/4/4/6")
        config = OctavConfig()
    description = output.with_suffix(".json")
    require_writable(output, description, json_file)
    design = design_of(block, config, name=name, style=PortStyle(style))
    # Both files or none.
    with replacing(output) as verilog, replacing(description) as text:
        verilog.write_text(design.verilog)
        text.write_text(json.dumps(design.description, indent=2) + "\n")
    results: dict[str, Any] = {
        "verilog": str(output),
        "description": str(description),
        **design.description,
    }
    write_json(json_file, results)
    click.echo(
        f"{output}: module {design.module}, {config.summary}; ports and timing in {description}"
    )
    words = shlex.join([*BLOCKS[block].words(config), "--block", block])
    say_next(f"scalewright regress {words} compares it with the golden model, bit for bit")
