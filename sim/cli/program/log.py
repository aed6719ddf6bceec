"""Keeps what is known of a defect, for its report."""

import os
import platform
import sys
import tempfile
import traceback
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


def keep_log(error: BaseException) -> Path | None:
    """Write the command, the versions and the traceback to a file of the user's cache.

    Returns:
        The file; None if neither the cache nor the folder for temporary files can be written.
    """
    text = "\n".join(
        [
            f"command: {sys.argv}",
            f"scalewright {_version()}, Python {sys.version}, {platform.platform()}",
            "".join(traceback.format_exception(error)),
        ]
    )
    for folder in _folders():
        with suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(".log", "defect-", folder)
            with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
                file.write(text)
            return Path(name)
    return None


def _folders() -> list[Path]:
    folders = []
    with suppress(RuntimeError):  # no home
        cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        folders.append(Path(cache) / "scalewright")
    with suppress(OSError):
        folders.append(Path(tempfile.gettempdir()))
    return folders


def _version() -> str:
    try:
        return version("scalewright")
    except PackageNotFoundError:
        return "(not installed)"
