"""Runs programs that end with this one: however it ends, and all that they have started with them.

Each runs in a process group of its own, which is told to end (SIGTERM), and half a second later is
ended (SIGKILL), when the caller is interrupted or a signal says that this program is to end; and
at once, by a watchdog, if this program is killed.
"""

import multiprocessing
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import monotonic, sleep
from types import FrameType
from typing import IO, Any, NoReturn

from scalewright.sim.simulators import scratch, surroundings, watchdog

# Seconds: between two looks at a program, between the two signals that end it, until this program
# ends whatever it is computing, and until an interrupt that was lost is raised again.
_INTERVAL = 0.05
_GRACE = 0.5
_HARD_END = 1.5
_AGAIN = 0.002

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_COMPLAINT = re.compile(r"error|sorry|assert|No such file", re.IGNORECASE)

_running: set[int] = set()
# The signal that says that this program is to end.
_ending: list[int] = []
# A start is not broken in two: else nobody would know of the program.
_starting = threading.Lock()
_main_starts = threading.Event()


class StoppedError(Exception):
    """This program is to end: no further program is started."""


@dataclass(frozen=True)
class Finished:
    """A program that has ended.

    Attributes:
        status: Its exit status; negative, the number of the signal that ended it.
        printed: What it wrote to stdout and stderr; empty where that went to a file.
    """

    status: int
    printed: str

    @property
    def manner(self) -> str:
        """How it ended, in words."""
        if self.status >= 0:
            return f"ended with exit status {self.status}"
        try:
            return f"was ended by {signal.Signals(-self.status).name}"
        except ValueError:
            return f"was ended by signal {-self.status}"

    @property
    def complaint(self) -> str:
        """The first line that complains, or else the last one, or else how it ended."""
        lines = [line.strip() for line in self.printed.splitlines() if line.strip()]
        complaints = [line for line in lines if _COMPLAINT.search(line)]
        return [*complaints, *reversed(lines), self.manner][0]


def run(
    command: Sequence[str],
    folder: Path | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    log: Path | None = None,
    watch: Callable[[], None] = lambda: None,
) -> Finished:
    """Run a program to its end; it reads nothing from the terminal.

    Args:
        command: The program and its arguments. A name without a folder is looked for on the path,
            as `surroundings.find_command` does.
        folder: Where it runs; the working folder where absent.
        environment: All of its environment; `surroundings.of_program` where absent.
        log: Takes what it prints, after what is there.
        watch: Called again and again while it runs, and at its end.

    Raises:
        OSError: It cannot be started.
        StoppedError: This program is to end.
    """
    with log.open("ab") if log is not None else tempfile.TemporaryFile() as printed:
        process = _start(command, folder, environment, printed)
        try:
            while True:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(_INTERVAL)
                _check()
                watch()
                if process.returncode is not None:
                    break
        finally:
            _end(process)
            _running.discard(process.pid)
            watchdog.forget(process.pid)
        if log is not None:
            return Finished(process.returncode, "")
        printed.seek(0)
        return Finished(process.returncode, printed.read().decode(errors="replace"))


def _start(
    command: Sequence[str],
    folder: Path | None,
    environment: Mapping[str, str] | None,
    printed: IO[bytes],
) -> subprocess.Popen[bytes]:
    program = command[0]
    if os.sep not in program:
        found = surroundings.find_command(program)
        if found is None:
            raise FileNotFoundError(f"{program}: no such command")
        program = found
    with _starting:
        _check()
        in_main = threading.current_thread() is threading.main_thread()
        if in_main:
            _main_starts.set()
        try:
            process = subprocess.Popen(
                command,
                executable=program,
                cwd=folder,
                env=surroundings.of_program() if environment is None else environment,
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            _running.add(process.pid)
            watchdog.watch(process.pid)
        finally:
            if in_main:
                _main_starts.clear()
    return process


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a program and its group; those that have ended already do not mind."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGTERM)
        deadline = monotonic() + _GRACE
        while monotonic() < deadline:
            process.poll()
            os.killpg(process.pid, 0)  # an error once nobody is left
            sleep(_INTERVAL / 5)
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def require_running() -> None:
    """Check that this program is not about to end.

    Raises:
        KeyboardInterrupt, StoppedError: It is.
    """
    _check()


def end_at_once_on_sigterm() -> None:
    """Let SIGTERM end this program, a worker of another one, with all that it has started."""
    signal.signal(signal.SIGTERM, lambda number, _: _end_hard(number))


def _check() -> None:
    """Let nothing go on once this program is to end."""
    if _ending:
        if threading.current_thread() is threading.main_thread():
            raise KeyboardInterrupt
        raise StoppedError("interrupted")


@contextmanager
def ending_on_signals() -> Iterator[None]:
    """Let SIGINT, SIGTERM and SIGHUP end this program with all that it has started.

    The main thread gets a KeyboardInterrupt, and again where the first comes in a finalizer or a
    callback of the collector, from which Python passes nothing on. Whatever it makes of that, and
    whatever else is being computed, the program ends within two seconds with status 130, 143 or
    129. What is ignored already (nohup) stays ignored. In another thread than the main one, nothing
    changes.

    Raises:
        SystemExit: A signal came.
    """
    before: dict[signal.Signals, Any] = {}
    if threading.current_thread() is threading.main_thread():
        for number in _ENDING:
            if signal.getsignal(number) is not signal.SIG_IGN:
                before[number] = signal.signal(number, _on_signal)
        before[signal.SIGALRM] = signal.signal(signal.SIGALRM, _interrupt)
    tell_lost = sys.unraisablehook
    if before:
        sys.unraisablehook = partial(_raise_again, tell_lost)
    try:
        yield
    finally:
        if before:
            signal.setitimer(signal.ITIMER_REAL, 0)
            sys.unraisablehook = tell_lost
        for each, handler in before.items():
            signal.signal(each, handler)
        if before and _ending:
            sys.exit(128 + _ending[0])


def _on_signal(number: int, frame: FrameType | None) -> None:
    del frame
    if _ending:
        _end_hard(number)
    _ending.append(number)
    timer = threading.Timer(_HARD_END, _end_hard, [number])
    timer.daemon = True
    timer.start()
    for worker in multiprocessing.active_children():
        worker.terminate()
    if not _main_starts.is_set():
        raise KeyboardInterrupt


def _interrupt(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise KeyboardInterrupt


def _raise_again(tell_lost: Callable[[Any], object], lost: Any) -> None:
    """Take an exception that Python cannot pass on: an interrupt comes again, others are told."""
    if _ending and isinstance(lost.exc_value, KeyboardInterrupt):
        signal.setitimer(signal.ITIMER_REAL, _AGAIN)
    else:
        tell_lost(lost)


def _end_hard(number: int) -> NoReturn:
    for group in list(_running):
        with suppress(OSError):
            os.killpg(group, signal.SIGKILL)
    for worker in multiprocessing.active_children():
        worker.kill()
    scratch.remove_all()
    os._exit(128 + number)
