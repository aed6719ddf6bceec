"""Scratch folders: they go with their block, with the program, or at a later run.

Whoever works in a scratch folder holds a lock on it, which the system takes back from a process
that was killed: a folder without a lock is nobody's, and removed.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# Begins the name of each, and of nothing else.
PREFIX = "scratch-"

# Those of this process, and where it has looked for those of others.
_held: set[Path] = set()
_swept: set[Path] = set()


@contextmanager
def scratch_folder(parent: Path) -> Iterator[Path]:
    """A folder of one's own in `parent`, by its absolute path; gone after the block.

    Raises:
        OSError: It cannot be made.
    """
    parent = parent.resolve()
    sweep_once(parent)
    folder, lock = _make(parent)
    _held.add(folder)
    try:
        yield folder
    finally:
        _remove(folder)
        _held.discard(folder)
        if lock is not None:
            os.close(lock)


def sweep_once(parent: Path) -> None:
    """`sweep`, but where this process has done so already."""
    parent = parent.resolve()
    if parent not in _swept:
        _swept.add(parent)
        sweep(parent)


def sweep(parent: Path) -> int:
    """Remove what killed processes have left in a folder; returns how many folders."""
    removed = 0
    for folder in parent.glob(f"{PREFIX}*"):
        with suppress(OSError):
            lock = _lock(folder)
            _remove(folder)
            os.close(lock)
            removed += 1
    return removed


def remove_all() -> None:
    """Remove those of this process, as far as it goes: before a hard end."""
    for folder in list(_held):
        _remove(folder)


def _make(parent: Path) -> tuple[Path, int | None]:
    while True:
        folder = Path(tempfile.mkdtemp(dir=parent, prefix=PREFIX))
        try:
            lock = _lock(folder)
        except (BlockingIOError, FileNotFoundError):
            continue  # somebody sweeps, and came in between
        except OSError:
            return folder, None  # a file system without locks, on which nothing is swept either
        if folder.exists():
            return folder, lock
        os.close(lock)


def _lock(folder: Path) -> int:
    """Lock a folder.

    Raises:
        OSError: It is gone, somebody else has the lock (BlockingIOError), or there are no locks.
    """
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise
    return lock


def _remove(folder: Path) -> None:
    # Twice: a program that is about to end may write in between.
    for _ in range(2):
        with suppress(OSError):
            shutil.rmtree(folder)
            return
