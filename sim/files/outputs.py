"""Writes files as users expect: whole or not at all, and never over what is still needed.

Regular files are replaced in one step and keep their mode; devices, FIFOs and symlinks are written
through; standard output, by whatever name, gets what is written behind what was printed.
"""

import json
import math
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from scalewright.sim.files.identity import identity, input_files, same_place
from scalewright.sim.files.scratch_file import made, scratch_name


def require_writable(*outputs: Path | None, inputs: Iterable[str | Path | None] = ()) -> None:
    """Check, before the work, the files that a command reads and writes.

    Args:
        outputs: All that it will write, in the order of the messages; None is none.
        inputs: All that it reads: paths, or `PATH:NAME`.

    Raises:
        OSError: An output that cannot be written; the message names it as the user did.
        ValueError: An output that is also an input, or another output, under whatever name.
    """
    wanted = [path for path in outputs if path is not None]
    read = [path for source in inputs if source is not None for path in input_files(source)]
    for path in wanted:
        with _named(path):
            _require(path)
    for index, path in enumerate(wanted):
        for source in read:
            if identity(path) is not None and identity(path) == identity(source):
                raise ValueError(f"{path}: is the input {source}: write to another file")
        for other in wanted[:index]:
            if same_place(path, other):
                raise ValueError(
                    f"{path}: another output goes to {other} already: write to two files"
                )


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A scratch file that becomes `path` once the block ends well; else nothing changes.

    Missing folders are made. What is no regular file gets the scratch file's bytes.

    Raises:
        OSError: It cannot be written; the message names `path`.
    """
    with _named(path):
        _require(path)
        target = _target(path)
        if target is None:
            folder = Path(tempfile.gettempdir())
        else:
            folder = target.parent
            folder.mkdir(parents=True, exist_ok=True)
        scratch = scratch_name(folder)
    with _named(path, scratch), made(scratch):
        yield scratch
        if target is None:
            _write_through(scratch, path)
        else:
            if target.exists():
                scratch.chmod(stat.S_IMODE(target.stat().st_mode))
            scratch.replace(target)


def write_json(path: Path | None, results: Any) -> None:
    """Write results as JSON, whole or not at all; nothing without a path.

    A figure that is infinite or undefined, such as the signal-to-noise ratio without noise, becomes
    null: JSON has no other word for it.
    """
    if path is None:
        return
    with replacing(path) as scratch:
        scratch.write_text(json.dumps(_finite(results), indent=2, allow_nan=False) + "\n")


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _require(path: Path) -> None:
    """Raise an OSError if a path cannot be written; change nothing."""
    if path.is_dir():
        raise IsADirectoryError(f"{path}: is a folder: name a file")
    if _stream(path) is not None:
        return
    target = _target(path)
    if path.exists():
        # Root may write to all files; a file without the permission was not meant to change.
        if not path.stat().st_mode & 0o222 or not os.access(path, os.W_OK):
            raise PermissionError(f"{path}: is read-only: make it writable or name another file")
        if stat.S_ISSOCK(path.stat().st_mode):
            raise OSError(f"{path}: is a socket: name a file")
    if target is None:
        return
    folder = target.parent
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder}: is not a folder, as {path} needs")
    with tempfile.TemporaryFile(dir=folder):
        pass


def _target(path: Path) -> Path | None:
    """The regular file to replace or to make, behind all symlinks; None for what is none."""
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return path.resolve()
    return path.resolve() if stat.S_ISREG(mode) and _stream(path) is None else None


def _stream(path: Path) -> int | None:
    """The descriptor of standard output or standard error, if the path leads there."""
    place = identity(path)
    for descriptor in (1, 2):
        try:
            facts = os.fstat(descriptor)
        except OSError:
            continue
        if place == (facts.st_dev, facts.st_ino):
            return descriptor
    return None


def _write_through(scratch: Path, path: Path) -> None:
    descriptor = _stream(path)
    if descriptor is None:
        target = path.open("wb")
    else:
        # Opened anew, a redirected file would begin again at its first byte.
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
        target = os.fdopen(os.dup(descriptor), "wb")
    with target, scratch.open("rb") as source:
        shutil.copyfileobj(source, target)


@contextmanager
def _named(path: Path, scratch: Path | None = None) -> Iterator[None]:
    """Let errors of the operating system name the user's path, not what was made for it."""
    try:
        yield
    except OSError as error:
        ours = error.filename is None or Path(str(error.filename)) != path
        foreign = scratch is not None and error.filename not in (None, str(scratch))
        if error.strerror is None or not ours or foreign:
            raise
        if isinstance(error, BrokenPipeError):  # click would end in silence, with a status of 1
            raise OSError(f"{path}: its reader has gone") from None
        raise type(error)(error.errno, error.strerror, str(path)) from None
