"""Which file a path means, whatever it is called."""

import stat
from pathlib import Path


def identity(path: Path) -> tuple[int, int] | None:
    """Device and inode of what a path leads to; None if it leads to nothing yet."""
    try:
        facts = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return facts.st_dev, facts.st_ino


def input_files(source: str | Path) -> list[Path]:
    """The files that a source may mean: a path, or the file of `PATH:NAME`."""
    paths = [Path(source)]
    head, colon, _ = str(source).rpartition(":")
    if colon and head:
        paths.append(Path(head))
    return [path for path in paths if path.is_file()]


def same_place(one: Path, other: Path) -> bool:
    """Whether of two outputs the later would destroy the earlier.

    Devices, such as /dev/null, keep nothing, hence never. A file cannot be the folder of another.
    """
    places = identity(one), identity(other)
    if None not in places:
        return places[0] == places[1] and not stat.S_ISCHR(one.stat().st_mode)
    first, second = one.resolve(), other.resolve()
    return first == second or first in second.parents or second in first.parents
