"""Files that may be overwritten: those that scalewright itself has written."""

from pathlib import Path

from scalewright.sim.datasheet.template import MARK
from scalewright.sim.files.json_text import read_json


def require_own(*paths: Path) -> None:
    """Check that each file is not there yet, is empty, or was written by `scalewright generate`.

    Raises:
        ValueError: One is somebody else's.
    """
    for path in paths:
        if path.is_file() and path.stat().st_size and not _is_own(path):
            raise ValueError(
                f"{path}: is there, and was not written by scalewright: move it away, or give "
                "another -o"
            )


def _is_own(path: Path) -> bool:
    try:
        if path.suffix == ".json":
            return "scalewright" in read_json(path)["tools"]
        text = path.read_text()
    except (UnicodeDecodeError, ValueError, KeyError, TypeError):
        return False
    head = text.partition("\n")[0]
    return MARK in head or (path.suffix == ".v" and head.endswith(" of Scalewright"))
