"""What programs see of the environment: nothing of the working folder, nothing that they misread.

A file in the working folder is the user's, whatever it is called: neither `make` nor `numpy.py`
there is ever taken for a tool or a module.
"""

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

# All that a build sees: flags, compilers and search paths (CXXFLAGS, MAKEFLAGS, CPATH, ...) would
# change what it makes without being in its key. Nix's compilers need its own variables.
_OF_BUILDS = ("HOME", "TMPDIR", "USER", "LOGNAME", "LD_LIBRARY_PATH", "SOURCE_DATE_EPOCH")
_PREFIXES_OF_BUILDS = ("NIX_",)
# Settings of interpreters that change nothing of what a program computes.
_OF_INTERPRETERS = ("PYTHONHOME", "PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX", "PYTHONUTF8")
# Would choose other tests, other libraries, or another log.
_COUPLING = ("COCOTB_", "GPI_", "PYGPI_")


def without_working_folder(path: str) -> str:
    """A search path without its relative entries and without the working folder."""
    return os.pathsep.join(entry for entry in path.split(os.pathsep) if _is_safe(entry))


def search_path() -> str:
    """Where commands are looked for."""
    return without_working_folder(os.environ.get("PATH", os.defpath))


def find_command(name: str) -> str | None:
    """The absolute path of a command; None where there is none."""
    return shutil.which(name, path=search_path())


def of_build() -> dict[str, str]:
    """The environment of a build."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in _OF_BUILDS or name.startswith(_PREFIXES_OF_BUILDS)
    }
    return {**kept, "PATH": search_path(), "LC_ALL": "C.UTF-8", "PYTHONSAFEPATH": "1"}


def of_program() -> dict[str, str]:
    """The environment of any other program."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith((*_COUPLING, "PYTHON")) or name in _OF_INTERPRETERS
    }
    path = without_working_folder(os.environ.get("PYTHONPATH", ""))
    modules: Mapping[str, str] = {"PYTHONPATH": path} if path else {}
    return {**kept, **modules, "PATH": search_path(), "PYTHONSAFEPATH": "1"}


def leave_working_folder() -> None:
    """Let this program import nothing from the working folder: for the start of a program."""
    sys.path[:] = [entry for entry in sys.path if _is_safe(entry) or not _is_folder(entry)]


def _is_folder(entry: str) -> bool:
    """Whether an entry of `sys.path` is a folder, and not a hook's own word for something."""
    return entry == "" or Path(entry).is_dir()


def _is_safe(entry: str) -> bool:
    if not Path(entry).is_absolute():
        return False
    try:
        return not Path(entry).samefile(".")
    except OSError:
        # One of the two does not exist.
        return True
