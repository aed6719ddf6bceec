"""Folders that appear whole: what several processes build side by side, each may keep.

Each has a list of its files and their hashes, so that what was damaged since is seen before it is
used.
"""

import fcntl
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from scalewright.sim.simulators.place import build_folder
from scalewright.sim.simulators.scratch import scratch_folder, sweep_once

_CONTENTS = "contents.json"
_TEXT = "design.v"


def keep(scratch: Path, folder: Path, names: Sequence[str]) -> None:
    """Copy files into a folder that appears with all of them at once; links stay links."""
    with scratch_folder(folder.parent) as aside:
        whole = aside / folder.name
        whole.mkdir()
        for name in names:
            shutil.copy(scratch / name, whole, follow_symlinks=False)
        contents = {name: _facts(whole / name) for name in names}
        (whole / _CONTENTS).write_text(json.dumps(contents))
        try:
            whole.rename(folder)
        except OSError:
            # Somebody else was faster, with the same content.
            if not folder.exists():
                raise


@contextmanager
def first(folder: Path) -> Iterator[None]:
    """While a folder is missing, let one process at a time make it, and the others wait for it."""
    parent = None
    with suppress(OSError):  # a file system without locks: all make it
        if not folder.exists():
            parent = os.open(folder.parent, os.O_RDONLY | os.O_DIRECTORY)
            fcntl.flock(parent, fcntl.LOCK_EX)
            if folder.exists():
                os.close(parent)
                parent = None
    try:
        yield
    finally:
        if parent is not None:
            os.close(parent)


def written_text(key: str, write: Callable[[], str]) -> str:
    """The text of a key, written and not kept."""
    del key
    return write()


def kept_text(key: str, write: Callable[[], str]) -> str:
    """The text of a key from the cache; written, and kept, where it is not there.

    Elaborating a large engine takes seconds, and many processes ask for the same.
    """
    try:
        cache = build_folder("verilog")
    except OSError:
        return write()  # nowhere to keep anything
    sweep_once(cache)
    folder = cache / f"design-{key[:16]}"
    if folder.exists() and fault(folder) is None:
        return (folder / _TEXT).read_text()
    if folder.exists():
        discard_damaged(folder)
    text = write()
    with scratch_folder(cache) as scratch:
        (scratch / _TEXT).write_text(text)
        keep(scratch, folder, [_TEXT])
    return text


def fault(folder: Path) -> str | None:
    """What is wrong with a folder that was kept, in words that follow its name; None if nothing."""
    try:
        contents = json.loads((folder / _CONTENTS).read_text())
        for name, facts in contents.items():
            found = _facts(folder / name)
            if found == facts:
                continue
            if found["size"] != facts["size"]:
                return f"has {found['size']} bytes in {name}, not {facts['size']}"
            if found["executable"] != facts["executable"]:
                return f"has {name}, which may not be executed"
            return f"has another {name} than was built"
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return "is incomplete"
    return None


def discard_damaged(folder: Path) -> None:
    """Take a folder that was kept out of the cache if it is damaged, and say so."""
    damage = fault(folder)
    if damage is not None:
        print(f"scalewright: {folder} {damage}: building it again", file=sys.stderr)
        discard(folder)


def discard(folder: Path) -> None:
    """Take a folder away at once, then remove it."""
    with scratch_folder(folder.parent) as aside:
        try:
            folder.rename(aside / folder.name)
        except FileNotFoundError:
            return  # somebody else was faster


def _facts(path: Path) -> dict[str, object]:
    if path.is_symlink():
        return {"size": 0, "link": str(path.readlink()), "executable": path.exists()}
    content = path.read_bytes()
    return {
        "size": len(content),
        "hash": hashlib.sha256(content).hexdigest(),
        "executable": os.access(path, os.X_OK),
    }
