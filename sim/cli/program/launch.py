"""Runs a command as a program: its exit status, and one line of what went wrong.

All programs start here: `scalewright`, and `python -m` of the reports and of the evidence.
"""

import importlib
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from scalewright.sim.cli import BAD_INPUT, DEFECT, INTERRUPTED
from scalewright.sim.cli.program.failures import is_defect, message_of
from scalewright.sim.cli.program.log import keep_log
from scalewright.sim.cli.program.standard_streams import flush, prepare

_PROGRAM = "scalewright"
# A message that repeats what it was given goes no further.
_CHARACTERS = 2000


def launch(module: str, command: str, arguments: Sequence[str] | None = None) -> NoReturn:
    """Import a click command, run it and exit.

    Args:
        module: Where it is; the import is part of what may fail.
        command: Its name there. It returns its exit status, or None for 0.
        arguments: Of the command line; those of the process by default.

    Raises:
        SystemExit: Always.
    """
    try:
        status = _status(module, command, arguments)
    except KeyboardInterrupt:
        status = INTERRUPTED
    sys.exit(status)


def _status(module: str, command: str, arguments: Sequence[str] | None) -> int:
    prepare()
    try:
        status = _run(module, command, arguments)
        flush()
    except BaseException as error:
        return _failed(error)
    return status


def _run(module: str, command: str, arguments: Sequence[str] | None) -> int:
    from scalewright.sim.cli.program.terminal import logged, say

    function = getattr(importlib.import_module(module), command)
    name = _PROGRAM if module.startswith("scalewright.sim.cli.") else f"python -m {module}"
    try:
        with logged(say):
            status = function.main(args=arguments, prog_name=name, standalone_mode=False)
    except SystemExit as end:
        if end.code in (0, None):
            return 0
        # Of click's own, which keeps the error to itself.
        raise OSError("what it wrote to was closed by its reader") from None
    return status if isinstance(status, int) else 0


def _failed(error: BaseException) -> int:
    """Say what went wrong; the exit status that goes with it."""
    import click

    interrupted = isinstance(error, KeyboardInterrupt)
    if isinstance(error, click.Abort):
        cause = error.__cause__
        interrupted = not isinstance(cause, EOFError)
        error = cause or error
    if interrupted:
        _say("interrupted")
        return INTERRUPTED
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        print(error.format_message(), file=sys.stderr)
        return BAD_INPUT
    if "SCALEWRIGHT_DEBUG" in os.environ and not isinstance(error, click.ClickException):
        raise error
    if not is_defect(error):
        _say(message_of(error))
        return BAD_INPUT
    log = keep_log(error)
    where = f"please report it with {log}" if log else "and its log could not be written anywhere"
    _say(f"this is a defect of Scalewright: {message_of(error)}; {where}")
    return DEFECT


def _say(message: str) -> None:
    """Print what went wrong in one line of what a terminal shows, however it was worded."""
    from scalewright.sim.files.names import abridged

    print(f"{_PROGRAM}: {abridged(message, _CHARACTERS)}", file=sys.stderr, flush=True)
