"""Runs the command line in this process: as a user's, but for the start of Python."""

import pytest

from scalewright.sim.cli.program.launch import launch


def call(
    *arguments: str, module: str = "scalewright.sim.cli.commands", command: str = "cli"
) -> int:
    """Run `scalewright`, or another program; its exit status."""
    with pytest.raises(SystemExit) as end:
        launch(module, command, arguments)
    assert isinstance(end.value.code, int)
    return end.value.code
