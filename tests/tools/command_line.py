"""Runs the command line in a process of its own."""

import shutil
import subprocess
import sys
from pathlib import Path

from scalewright.sim.simulators.build import VERILATOR, build
from tests.benches.stage import stage


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run `scalewright` in a folder."""
    return subprocess.run(
        [sys.executable, "-m", "scalewright.sim.cli", *arguments],
        cwd=cwd,
        env={
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "PYTHONPATH": str(Path.cwd()),
            # How long builds take is no part of what tests compare.
            "SCALEWRIGHT_QUIET": "1",
        },
        capture_output=True,
        text=True,
    )


def use_build_folder(folder: Path) -> None:
    """Let commands that run in a folder find the simulators that were built in this one."""
    build = Path.cwd() / "build"
    build.mkdir(exist_ok=True)
    (folder / "build").symlink_to(build)


def lend_libraries(folder: Path, *, waves: bool = False) -> None:
    """Copy the run-time library of simulators, ten seconds of compiling, into a build folder."""
    for recording in (False, True) if waves else (False,):
        build(stage(), lint=False, simulator=VERILATOR, waves=recording)
    for library in Path("build/sim").glob("runtime-*"):
        shutil.copytree(library, folder / "sim" / library.name, dirs_exist_ok=True)
