"""Folders that appear whole: what several processes build side by side, each may keep."""

import shutil
import tempfile
from pathlib import Path


def keep(scratch: Path, folder: Path, names: list[str]) -> None:
    """Copy files into a folder that appears with all of them at once."""
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="keeping-") as aside:
        whole = Path(aside) / folder.name
        whole.mkdir()
        for name in names:
            shutil.copy(scratch / name, whole)
        try:
            whole.rename(folder)
        except OSError:
            # Somebody else was faster, with the same content.
            if not folder.exists():
                raise
