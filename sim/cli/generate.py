"""`scalewright generate`: Verilog and its description."""

import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from scalewright.golden.config import DatapathConfig, OctavConfig
from scalewright.hw.verilog import PortStyle
from scalewright.sim.blocks import BLOCKS, design_of
from scalewright.sim.cli.parameters.block import (
    BlockOptions,
    block_option,
    block_options,
    choose_config,
)
from scalewright.sim.cli.parameters.configuration import DatapathOptions, datapath_options
from scalewright.sim.cli.parameters.notation import notation_argument
from scalewright.sim.cli.parameters.options import json_option, output_path
from scalewright.sim.cli.program.help import SectionedCommand
from scalewright.sim.cli.program.terminal import say_next
from scalewright.sim.datasheet.area import find_area
from scalewright.sim.datasheet.ownership import require_own
from scalewright.sim.datasheet.page import datasheet
from scalewright.sim.datasheet.template import template
from scalewright.sim.files.names import printable
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
    help="The Verilog file; next to it go FILE.json, FILE_template.vh and FILE.md.",
)
@click.option(
    "--area",
    "area_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="What `scalewright ppa --json` has measured of this design, for the datasheet.  [default: "
    "the presets' measurements]",
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
    area_file: Path | None,
    json_file: Path | None,
) -> None:
    """Write the Verilog of a block, and what says how to use it.

    `-o mac.v` gives mac.v; mac.json, every port and field for programs; mac_template.vh, an
    instantiation with a signal for each field; and mac.md, the datasheet. Files that scalewright
    has not written are not overwritten.

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
    # It leaves nothing but what it was told to write.
    design = design_of(block, config, name=name, style=PortStyle(style), kept=False)
    area = find_area(block, config, area_file)
    description = output.with_suffix(".json")
    instance = output.with_name(f"{output.stem}_template.vh")
    page = output.with_suffix(".md")
    written = (output, description, instance, page)
    require_writable(*written, json_file, inputs=[area_file])
    require_own(*written[1:])  # that one was named by the user
    files = {
        "the module": printable(output.name),
        "its ports and fields, for programs": printable(description.name),
        "an instantiation to copy": printable(instance.name),
    }
    texts = (
        design.verilog,
        json.dumps(design.description, indent=2) + "\n",
        template(design.description, instance.name),
        datasheet(design, block, config, area, files),
    )
    # All files or none.
    with ExitStack() as stack:
        for path, text in zip(written, texts, strict=True):
            stack.enter_context(replacing(path)).write_text(text)
    results: dict[str, Any] = {
        "verilog": str(output),
        "description": str(description),
        "template": str(instance),
        "datasheet": str(page),
        "summary": config.summary,
        **design.description,
    }
    write_json(json_file, results)
    click.echo(
        f"{output}: module {design.module}, {config.summary}; ports and timing in {description}, "
        f"an instantiation in {instance}, the datasheet in {page}"
    )
    words = [] if block == "vector-mac" else ["--block", block]
    say_next(
        ["scalewright", "regress", *BLOCKS[block].words(config), *words],
        "plays it against the golden model",
    )
