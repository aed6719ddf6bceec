"""Where builds, runs and waves go: a folder that can be written, whatever the working folder is."""

import os
import re
import tempfile
from pathlib import Path

import platformdirs

# Names the folder; without it, builds go to `build`, and from a working folder that cannot be
# written to the user's cache.
BUILD_VARIABLE = "SCALEWRIGHT_BUILD"
_DEFAULT = Path("build")
_PLAIN = re.compile(r"[\w./+@%=:,-]+", re.ASCII)


def build_folder(room: str) -> Path:
    """The folder of one kind of results (`sim`, `ppa`, ...) in the build folder; made if need be.

    Raises:
        OSError: It cannot be written; one line says what to do.
    """
    folder = _base() / room
    reason = _reason_against(folder)
    if reason is not None:
        raise OSError(f"{folder} cannot be written: {reason}; set {BUILD_VARIABLE} to another one")
    return folder


def plain_build_folder(room: str) -> Path:
    """Like `build_folder`, but where no path of Yosys can trip over a space, `#`, `$` or a quote.

    It passes absolute paths through a shell and through scripts, unquoted.

    Raises:
        OSError: None can be written.
    """
    folder = build_folder(room)
    if _PLAIN.fullmatch(str(folder.resolve())):
        return folder
    folder = _private() / room
    if not _PLAIN.fullmatch(str(folder)):
        raise OSError(f"{folder}: Yosys takes no such path; set {BUILD_VARIABLE} to a plain one")
    folder.mkdir(exist_ok=True)
    return folder


def _base() -> Path:
    named = os.environ.get(BUILD_VARIABLE)
    if named:
        return Path(named)
    if _reason_against(_DEFAULT) is None:
        return _DEFAULT
    # Without a home, this path is not absolute.
    cache = platformdirs.user_cache_path("scalewright", appauthor=False)
    return cache if is_writable(cache) else _private()


def _private() -> Path:
    """A folder among the temporary ones, of this user alone: what lies there is executed.

    Raises:
        OSError: It is somebody else's.
    """
    folder = Path(tempfile.gettempdir()) / f"scalewright-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    facts = folder.lstat()
    if folder.is_symlink() or facts.st_uid != os.getuid() or facts.st_mode & 0o022:
        raise OSError(f"{folder} is open to other users: set {BUILD_VARIABLE} to a folder of yours")
    return folder


def is_writable(folder: Path) -> bool:
    """Whether files can be written to a folder, which is made if need be."""
    return folder.is_absolute() and _reason_against(folder) is None


def _reason_against(folder: Path) -> str | None:
    """Why nothing can be written to a folder, which is made if need be; None where it can."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        return error.strerror or str(error)
    return None if os.access(folder, os.W_OK | os.X_OK) else "permission denied"
