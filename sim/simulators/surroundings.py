"""What programs see of the environment: nothing that is in the way of what they are to do."""

import os
import shutil
from collections.abc import Mapping

from scalewright.sim.working_folder import without_working_folder

# All that a build sees: flags, compilers and search paths (CXXFLAGS, MAKEFLAGS, CPATH, ...) would
# change what it makes without being in its key. Nix's compilers need its own variables.
_OF_BUILDS = ("HOME", "USER", "LOGNAME", "LD_LIBRARY_PATH", "SOURCE_DATE_EPOCH")
_PREFIXES_OF_BUILDS = ("NIX_",)
# Settings of interpreters that change nothing of what a program computes.
_OF_INTERPRETERS = ("PYTHONHOME", "PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX", "PYTHONUTF8")
# Would choose other tests, other libraries, or another log.
_COUPLING = ("COCOTB_", "GPI_", "PYGPI_")
# Compilers run in scratch folders: their temporary files go with these, and have names without
# anything that they would trip over.
TEMPORARY_FILES_HERE = dict.fromkeys(("TMP", "TMPDIR", "TEMP"), ".")


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
    ours = {"PATH": search_path(), "LC_ALL": "C.UTF-8", "PYTHONSAFEPATH": "1"}
    return {**kept, **TEMPORARY_FILES_HERE, **ours}


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
