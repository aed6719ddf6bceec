"""Scratch files beside those that they become; what a killed process has left goes at a later run.

Whoever writes one holds a lock on it, which the system takes back from a process that was killed.
"""

import fcntl
import os
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# Short and of our own: one made of the user's name could be too long where that name is not.
_PREFIX = ".scalewright-"
_OURS = re.compile(rf"{re.escape(_PREFIX)}[0-9a-f]{{16}}")
# In seconds. A file of our own that nobody locks and that is younger may be about to be locked.
_AGE = 60


def scratch_name(folder: Path) -> Path:
    """A path in a folder that no file has; those that a killed process left there are removed."""
    _sweep(folder)
    return folder / f"{_PREFIX}{secrets.token_hex(8)}"


@contextmanager
def made(scratch: Path) -> Iterator[None]:
    """Make the file, readable for whom the user's mask says, and lock it; gone after the block.

    Raises:
        OSError: It cannot be made.
    """
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        with suppress(OSError):  # a file system without locks, on which nothing is swept either
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        scratch.unlink(missing_ok=True)
        os.close(descriptor)


def _sweep(folder: Path) -> None:
    with suppress(OSError):
        for path in folder.glob(f"{_PREFIX}*"):
            if _OURS.fullmatch(path.name) and time.time() - path.lstat().st_mtime > _AGE:
                _remove_unless_locked(path)


def _remove_unless_locked(path: Path) -> None:
    with suppress(OSError):
        descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
        finally:
            os.close(descriptor)
