"""Builds simulators with Verilator, each once: a cache keyed by content.

A build is a program. Its key is a hash of everything that goes into it (the Verilog, the waivers,
the options, the tools), so what is in the cache is never stale and needs no look at time stamps.
"""

import hashlib
import os
import re
import shutil
import tempfile
import time
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path

import cocotb_tools.config
from cocotb_tools.runner import get_runner

from sim.design import Design
from sim.toolchain import Toolchain, find_toolchain

LINT_WAIVERS = Path(__file__).with_name("lint.vlt")

# Where builds, runs and waves go, unless the environment says otherwise.
BUILD_FOLDER = Path(os.environ.get("SCALEWRIGHT_BUILD", "build")) / "sim"

# -Wall: the generated Verilog has no warnings but the waived ones. --assert: a design's own
# assertions end the simulation.
# One C++ file: for several, the makefiles of the wheel name a precompiled header without saying
# -include, and the compiler takes it for an object.
# Not public: cocotb's runner makes every signal of the design visible to the testbench, which keeps
# Verilator from optimising and makes the C++ several times as long. Ours needs the ports only.
_OPTIONS = ("-Wall", "--assert", "--output-split", "0", "--no-public-flat-rw")
_PUBLIC_PORTS = '`verilator_config\npublic_flat_rw -module "{module}" -port "*"\n'
_TIMESCALE = ("1ns", "1ps")

# Verilator's run-time library: 10 s to compile, the same for every design.
_RUNTIME_OBJECTS = "verilated*.o"


# Verilator's and the compiler's.
_COMPLAINT = re.compile(r"^%(Error|Warning)|error:|Error \d+$|not found$")


class BuildError(Exception):
    """Verilator or the compiler refused a design; the message names the log."""


@dataclass(frozen=True)
class Build:
    """A built simulator.

    Attributes:
        folder: Its folder in the cache, which holds the program.
        design: What it simulates.
        waves: Whether it can record waves.
    """

    folder: Path
    design: Design
    waves: bool


def build(design: Design, *, waves: bool = False) -> Build:
    """Return the simulator of a design, building it where the cache has none.

    Raises:
        ToolError: A tool is missing.
        BuildError: The design does not build.
    """
    toolchain = find_toolchain()
    folder = BUILD_FOLDER / f"{design.module}-{_key(toolchain, design.key, str(waves))}"
    if not (folder / design.module).exists():
        BUILD_FOLDER.mkdir(parents=True, exist_ok=True)
        # Built aside and moved into place in one step: builds may run side by side, and a build
        # that was interrupted is never taken for a whole one.
        with tempfile.TemporaryDirectory(dir=BUILD_FOLDER, prefix="building-") as scratch:
            _compile(design, waves, toolchain, Path(scratch).resolve())
            _keep(Path(scratch), folder, [design.module])
    return Build(folder.resolve(), design, waves)


def _key(toolchain: Toolchain, *contents: str) -> str:
    facts = (
        *toolchain.versions,
        str(toolchain.verilator),
        version("cocotb"),
        # The program's run path.
        str(cocotb_tools.config.libs_dir),
        LINT_WAIVERS.read_text(),
        *_OPTIONS,
        _PUBLIC_PORTS,
        *_TIMESCALE,
        *contents,
    )
    return hashlib.sha256("\0".join(facts).encode()).hexdigest()[:16]


def _compile(design: Design, waves: bool, toolchain: Toolchain, folder: Path) -> None:
    source = folder / f"{design.module}.v"
    source.write_text(design.verilog)
    public = folder / "public.vlt"
    public.write_text(_PUBLIC_PORTS.format(module=design.module))
    log = folder / "build.log"
    runtime = BUILD_FOLDER / f"runtime-{_key(toolchain, str(waves))}"
    for compiled in runtime.glob(_RUNTIME_OBJECTS):
        copied = shutil.copy(compiled, folder)
        # Newer than the makefile that Verilator is about to write: make leaves it as it is.
        os.utime(copied, times=(time.time() + 3600,) * 2)
    _put_on_path(toolchain)
    try:
        get_runner("verilator").build(
            sources=[LINT_WAIVERS, public, source],
            hdl_toplevel=design.module,
            build_dir=folder,
            build_args=list(_OPTIONS),
            timescale=_TIMESCALE,
            waves=waves,
            log_file=log,
        )
    except RuntimeError:
        kept = BUILD_FOLDER / f"{design.module}-failed.log"
        shutil.copy(log, kept)
        complaints = [line for line in log.read_text().splitlines() if _COMPLAINT.search(line)]
        reason = complaints[0] if complaints else "no reason given"
        raise BuildError(f"{design.module} does not build, see {kept}: {reason}") from None
    if not runtime.exists():
        _keep(folder, runtime, [path.name for path in folder.glob(_RUNTIME_OBJECTS)])


def _keep(scratch: Path, folder: Path, names: list[str]) -> None:
    """Move files into a folder that appears with all of them at once."""
    with tempfile.TemporaryDirectory(dir=BUILD_FOLDER, prefix="keeping-") as aside:
        whole = Path(aside) / folder.name
        whole.mkdir()
        for name in names:
            shutil.copy(scratch / name, whole)
        try:
            whole.rename(folder)
        except OSError:
            # Somebody else was faster, with the same content.
            if not folder.exists():
                raise


@cache
def _put_on_path(toolchain: Toolchain) -> None:
    """Let cocotb's runner find Verilator: by the environment of this process, and only so."""
    os.environ.update(toolchain.environment(dict(os.environ)))
