"""The command line, `scalewright`: one module for each command, imported when it is called."""

import importlib
import os
import sys

import click

from scalewright.sim.simulators.build import BuildError
from scalewright.sim.simulators.process import ending_on_signals
from scalewright.sim.simulators.simulation import SimulationError
from scalewright.sim.simulators.toolchain import ToolError

# In the order of a user's first day.
COMMANDS = (
    "generate",
    "regress",
    "compare",
    "calibrate",
    "quantize",
    "run",
    "vectors",
    "ppa",
    "demo",
    "doctor",
)

# Exit statuses: 0 success, 1 hardware and golden differ, 2 bad input or a missing tool.
DIFFERENT = 1
BAD_INPUT = 2
INTERRUPTED = 130


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


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="scalewright")
def cli() -> None:
    """Generate verified hardware for per-vector-scaled, quantized neural networks.

    \b
    Example:
      scalewright generate 4/4/4/6 --vector-size 16 -o build/mac.v

    Simulators and their builds go to the folder that SCALEWRIGHT_BUILD names, by default build; to
    the user's cache where the working folder cannot be written. CXX names the C++ compiler.
    """


def main() -> None:
    """Run the command line; bad input is one line on stderr and exit status 2."""
    with ending_on_signals():
        _main()


def _main() -> None:
    try:
        status = cli.main(standalone_mode=False)
    except click.Abort:
        _fail("interrupted", INTERRUPTED)
    except click.ClickException as error:
        _fail(error.format_message(), BAD_INPUT)
    except (ValueError, TypeError, OSError, ToolError, BuildError, SimulationError) as error:
        if "SCALEWRIGHT_DEBUG" in os.environ:
            raise
        _fail(_message(error), BAD_INPUT)
    sys.exit(status if isinstance(status, int) else 0)


def _message(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return str(error)


def _fail(message: str, status: int) -> None:
    print(f"scalewright: {message}", file=sys.stderr)
    sys.exit(status)
