"""Help pages whose options stand in sections: of the datapath, of each block, of what is written.

The sections follow from what the options are. Packages for this, such as cloup, want every option
declared with a section of its own.
"""

from dataclasses import fields

import click

from scalewright.sim.cli.parameters.configuration import DatapathOptions
from scalewright.sim.cli.parameters.options import OutputPath

_DATAPATH = {field.name for field in fields(DatapathOptions)} | {"notation_option"}


class SectionedCommand(click.Command):
    """A command whose help has sections."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, those of one section together."""
        sections: dict[str, list[tuple[str, str]]] = {"Options": []}
        takers = _takers() if any(each.name == "block" for each in self.params) else {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None and isinstance(parameter, click.Option):
                sections.setdefault(_section(parameter, takers), []).append(record)
        for title, records in sections.items():
            with formatter.section(title):
                formatter.write_dl(records)


def _section(parameter: click.Parameter, takers: dict[str, list[str]]) -> str:
    name = parameter.name or ""
    if isinstance(parameter.type, OutputPath):
        return "Output"
    if name in _DATAPATH:
        return "Datapath"
    return f"With --block {', '.join(takers[name])}" if name in takers else "Options"


def _takers() -> dict[str, list[str]]:
    """The blocks that take each option."""
    from scalewright.sim.blocks import BLOCKS

    found: dict[str, list[str]] = {}
    for block in BLOCKS.values():
        for option in block.options:
            found.setdefault(option, []).append(block.name)
    return found
