"""What a terminal is told beside the results: colours, progress, what to do next."""

import logging
import os
import shlex
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from time import monotonic
from typing import IO

import click
from rich.console import Console

from scalewright.sim.files.names import printable

# In seconds: between lines of progress where there is no terminal, and what is worth a last line.
INTERVAL = 10.0
NOTICEABLE = 2.0

_LOGGER = logging.getLogger("scalewright")


def console(stream: IO[str], *, width: int | None = None) -> Console:
    """A console that styles text on terminals alone, and nowhere with NO_COLOR."""
    styled = stream.isatty() and not os.environ.get("NO_COLOR")
    styled = styled and os.environ.get("TERM") != "dumb"
    return Console(
        file=stream,
        width=width,
        force_terminal=stream.isatty(),
        color_system="auto" if styled else None,
        highlight=False,
    )


def quiet() -> bool:
    """Whether SCALEWRIGHT_QUIET asks for results alone: no progress, nothing on what to do next."""
    return bool(os.environ.get("SCALEWRIGHT_QUIET"))


def say_next(command: Sequence[str] | str, purpose: str = "") -> None:
    """Say in the last line, on stderr, what to do next; not with SCALEWRIGHT_QUIET.

    Args:
        command: A command, word by word, quoted where a shell needs it; or what a shell takes.
        purpose: What it is for.
    """
    if not quiet():
        line = command if isinstance(command, str) else shlex.join(command)
        say(f"Next: {printable(line)}{f'   ({purpose})' if purpose else ''}")


def say(text: str) -> None:
    """Print a line on stderr."""
    click.echo(text, err=True)


@contextmanager
def progress_bar(label: str, total: int) -> Iterator[Callable[[int], None]]:
    """Progress on stderr; yields the function that advances it.

    A bar on a terminal; elsewhere a line every ten seconds, and one at the end of what took more
    than two. What the package logs, such as builds of simulators, is printed between.
    """
    if quiet():
        yield lambda _: None
    elif sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        with _bar(label, total) as advance:
            yield advance
    else:
        with _lines(label, total) as advance:
            yield advance


@contextmanager
def logged(write: Callable[[str], None]) -> Iterator[None]:
    """Pass on what the package logs to `write` alone, until the block ends."""
    before = _LOGGER.handlers, _LOGGER.level
    _LOGGER.handlers = [] if quiet() else [_Writer(write)]
    _LOGGER.setLevel(logging.INFO)
    try:
        yield
    finally:
        _LOGGER.handlers, _LOGGER.level = before


class _Writer(logging.Handler):
    def __init__(self, write: Callable[[str], None]) -> None:
        super().__init__()
        self._write = write

    def emit(self, record: logging.LogRecord) -> None:
        self._write(record.getMessage())


@contextmanager
def _bar(label: str, total: int) -> Iterator[Callable[[int], None]]:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    output = console(sys.stderr)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    times = (TimeElapsedColumn(), TimeRemainingColumn())
    with (
        Progress(*columns, *times, console=output, transient=True) as bar,
        logged(lambda text: output.print(text, markup=False)),
    ):
        task = bar.add_task(label, total=total)
        yield lambda amount: bar.advance(task, amount)


@contextmanager
def _lines(label: str, total: int) -> Iterator[Callable[[int], None]]:
    started = monotonic()
    done = 0
    over = threading.Event()
    lock = threading.Lock()

    def advance(amount: int) -> None:
        nonlocal done
        with lock:
            done += amount

    def report() -> None:
        while not over.wait(INTERVAL):
            say(f"{label}: {done:,} of {total:,} after {monotonic() - started:.0f} s")

    reporter = threading.Thread(target=report, daemon=True)
    reporter.start()
    try:
        with logged(say):
            yield advance
    finally:
        over.set()
        reporter.join()
    if monotonic() - started > NOTICEABLE:
        say(f"{label}: {done:,} of {total:,} in {monotonic() - started:.0f} s")
