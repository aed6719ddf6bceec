"""Ends what this program has started, should it be killed (SIGKILL), which nobody can notice.

A process of its own reads from a pipe which process groups run. The system closes the pipe with
this program, however that ends; then the groups that still run are killed.
"""

import atexit
import multiprocessing
import os
import subprocess
import sys
import threading
from contextlib import suppress

# It reads `+PID` and `-PID`, a line each.
_WATCH = """
import os, signal, sys
groups = set()
for line in sys.stdin:
    (groups.add if line[0] == "+" else groups.discard)(int(line[1:]))
for group in groups:
    try:
        os.killpg(group, signal.SIGKILL)
    except OSError:
        pass
"""

_lock = threading.Lock()
# With its pipe, by process, lest one that was forked writes to its parent's.
_watchdogs: dict[int, tuple[subprocess.Popen[bytes], int]] = {}


def watch(group: int) -> None:
    """Have a process group killed if this program is killed before `forget`."""
    _tell(f"+{group}\n")


def forget(group: int) -> None:
    """The process group has ended."""
    _tell(f"-{group}\n")


def end_with_parent() -> None:
    """End this worker of a pool as soon as the process that has started it is gone."""
    parent = multiprocessing.parent_process()
    if parent is not None:

        def wait() -> None:
            parent.join()
            os._exit(1)

        threading.Thread(target=wait, daemon=True).start()


def _tell(line: str) -> None:
    # Nothing depends on it: where it cannot be started, or has been killed, programs run unwatched.
    with _lock, suppress(OSError):
        if os.getpid() not in _watchdogs:
            _watchdogs[os.getpid()] = _start()
            atexit.register(_stop, os.getpid())
        os.write(_watchdogs[os.getpid()][1], line.encode())


def _start() -> tuple[subprocess.Popen[bytes], int]:
    """Start it; and what to write to."""
    reading, writing = os.pipe()
    try:
        watchdog = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _WATCH],
            cwd="/",
            stdin=reading,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            # Signals from a terminal do not reach it.
            start_new_session=True,
        )
    finally:
        os.close(reading)
    return watchdog, writing


def _stop(process: int) -> None:
    """Let it go at the end of the program that has started it."""
    if process == os.getpid():
        watchdog, writing = _watchdogs.pop(process)
        os.close(writing)
        watchdog.wait()
