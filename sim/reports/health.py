"""What is installed, what is missing and what it is for; and the state of the cache."""

import shutil
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from scalewright.sim.ppa import tools
from scalewright.sim.simulators.cache import fault
from scalewright.sim.simulators.icarus import find_icarus
from scalewright.sim.simulators.scratch import sweep
from scalewright.sim.simulators.toolchain import ToolError, find_toolchain

_LIBRARIES = ("scalewright", "amaranth", "cocotb", "numpy", "onnx")


@dataclass(frozen=True)
class Finding:
    """Whether what something needs is there.

    Attributes:
        name: Of what is needed.
        purpose: What it is for.
        required: Whether hardware cannot be simulated at all without it.
        version: The versions found; None where something is missing.
        advice: What to install; empty where nothing is missing.
    """

    name: str
    purpose: str
    required: bool
    version: str | None
    advice: str


@dataclass(frozen=True)
class Cache:
    """The cache of simulators.

    Attributes:
        folder: Where it is.
        size: Of all that is in it, in bytes.
        builds: How many simulators and libraries it holds.
        damaged: Names of those that are to be built again.
    """

    folder: Path
    size: int
    builds: int
    damaged: list[str]

    def as_dict(self) -> dict[str, Any]:
        """The cache, ready for JSON."""
        return {**asdict(self), "folder": str(self.folder.resolve())}


def library_versions() -> dict[str, str]:
    """Versions of Python and of the libraries that results depend on."""
    return {"python": sys.version.split()[0], **{name: version(name) for name in _LIBRARIES}}


def findings() -> list[Finding]:
    """Look for everything that a command may need."""
    return [
        _look("Verilator", "simulation", True, lambda: ", ".join(find_toolchain().versions)),
        _look("Icarus", "regress --simulator icarus, ppa", False, find_icarus),
        _look("Yosys, OpenSTA and cells", "ppa", False, _flow),
        _look("nextpnr", "ppa --fpga ice40", False, lambda: _program("nextpnr-ice40")),
        _library("matplotlib", "plot", "calibrate --plot"),
        _library("torch", "train", "training"),
    ]


def examine(folder: Path) -> Cache:
    """Look at all that is in the cache; what killed processes have left is cleared."""
    sweep(folder)
    sweep(folder / "runs")
    kept = _kept(folder)
    damaged = [path.name for path in kept if fault(path) is not None]
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return Cache(folder, sum(path.stat().st_size for path in files), len(kept), damaged)


def empty(folder: Path) -> None:
    """Remove the simulators, the libraries and the logs of builds; recorded waves stay."""
    for path in _kept(folder):
        shutil.rmtree(path, ignore_errors=True)
    for path in folder.glob("*-failed.log"):
        path.unlink(missing_ok=True)


def _kept(folder: Path) -> list[Path]:
    """Folders of the cache that hold what was built: their names end in a key."""
    return sorted(path for path in folder.glob(f"*-{'[0-9a-f]' * 16}") if path.is_dir())


def _look(name: str, purpose: str, required: bool, find: Callable[[], str]) -> Finding:
    try:
        return Finding(name, purpose, required, find(), "")
    except ToolError as error:
        return Finding(name, purpose, required, None, str(error))


def _flow() -> str:
    tools.require_flow(tools.CellFiles())
    return ", ".join(f"{name} {number}" for name, number in tools.flow_versions().items())


def _program(name: str) -> str:
    tools.require_programs(name)
    return tools.version_of(name)


def _library(name: str, extra: str, purpose: str) -> Finding:
    try:
        return Finding(name, purpose, False, version(name), "")
    except PackageNotFoundError:
        advice = f"{name} is missing: `pip install 'scalewright[{extra}]'`"
        return Finding(name, purpose, False, None, advice)
