"""The start of a program: the working folder is the user's, and nothing there is executed.

Whatever a file there is called, it is taken neither for a module nor for a tool. This goes for what
a program imports and for all that it starts.
"""

import os
import re
import sys
from pathlib import Path


def without_working_folder(path: str) -> str:
    """A search path without its relative entries and without the working folder."""
    return os.pathsep.join(entry for entry in path.split(os.pathsep) if _is_elsewhere(entry))


def leave_working_folder() -> None:
    """Let this program, and what it starts, search anything but the working folder.

    What PYTHONPATH names comes after what is installed, unless this package is installed there: a
    `numpy.py` there is not the library that was installed with it.
    """
    named = without_working_folder(os.environ.pop("PYTHONPATH", ""))
    kept = [entry for entry in sys.path if _is_elsewhere(entry) or _is_hook(entry)]
    here = Path(__file__)
    if any(here.is_relative_to(entry) for entry in named.split(os.pathsep) if entry):
        os.environ["PYTHONPATH"] = named
    else:
        kept.sort(key=named.split(os.pathsep).__contains__)
    sys.path[:] = kept
    os.environ["PATH"] = without_working_folder(os.environ.get("PATH", os.defpath))
    # For interpreters below: no folder of a script, no working folder.
    os.environ["PYTHONSAFEPATH"] = "1"


def is_program() -> bool:
    """Whether this interpreter runs a program of this package, and not one that imports it."""
    if sys.argv[:1] == ["-m"]:
        # The module, which may stand in one word with the option.
        return re.search(r"^(-\w*m)?scalewright\.", sys.orig_argv[-len(sys.argv)]) is not None
    return Path(sys.argv[0]).name == "scalewright" if sys.argv else False


def _is_elsewhere(entry: str) -> bool:
    if not Path(entry).is_absolute():
        return False
    try:
        return not Path(entry).samefile(".")
    except OSError:
        return True  # one of the two does not exist


def _is_hook(entry: str) -> bool:
    """Whether an entry of `sys.path` is no folder, but a word for an importer."""
    return entry.startswith("__") and not Path(entry).exists()
