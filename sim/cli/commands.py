"""The group of all commands."""

import importlib
from difflib import get_close_matches

import click

from scalewright.sim.cli import COMMANDS


class _Commands(click.Group):
    """Commands whose modules, and all that they import, are loaded only when called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = getattr(importlib.import_module(f"scalewright.sim.cli.{cmd_name}"), cmd_name)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or name one that is called alike."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            near = get_close_matches(args[0], COMMANDS, n=1)
            if not near:
                raise
            raise click.UsageError(f"{error.message} Did you mean '{near[0]}'?", ctx) from None


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="scalewright")
def cli() -> None:
    """Generate verified hardware for per-vector-scaled, quantized neural networks.

    \b
    Example:
      scalewright generate 4/4/4/6 --vector-size 16 -o build/mac.v

    \b
    Exit status:
      0    done
      1    hardware and golden differ
      2    bad input, or a missing tool
      3    a defect of Scalewright
      4    `ppa`: larger than its --baseline
      130  interrupted
    """
