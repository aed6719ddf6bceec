"""Builds designs with a simulator, each once: a cache keyed by content.

A build is a program. Its key is a hash of everything that goes into it (the design, the options,
the tools), so what is in the cache is never stale and needs no look at time stamps.
"""

import hashlib
import logging
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from scalewright.sim.bench.design import Design
from scalewright.sim.simulators.cache import keep
from scalewright.sim.simulators.icarus import Icarus
from scalewright.sim.simulators.simulator import Options, RefusalError, Simulator
from scalewright.sim.simulators.verilator import Verilator

# Where builds, runs and waves go, unless the environment says otherwise.
BUILD_FOLDER = Path(os.environ.get("SCALEWRIGHT_BUILD", "build")) / "sim"

_LOGGER = logging.getLogger(__name__)

VERILATOR = Verilator()
# By the name that they have on the command line.
SIMULATORS: dict[str, Simulator] = {each.name: each for each in (VERILATOR, Icarus())}


class BuildError(Exception):
    """The simulator or its compiler refused a design; the message names the log."""


@dataclass(frozen=True)
class Build:
    """A built design.

    Attributes:
        folder: Its folder in the cache, which holds the program.
        design: What it simulates.
        waves: Whether it can record waves.
        simulator: What built it, and plays it.
    """

    folder: Path
    design: Design
    waves: bool
    simulator: Simulator


def build(
    design: Design, *, waves: bool = False, lint: bool = True, simulator: Simulator = VERILATOR
) -> Build:
    """Return the program of a design, building it where the cache has none.

    Args:
        design: The design; its Verilog is read only where the cache has no build.
        waves: Whether it can record waves.
        lint: Whether doubtful Verilog is an error. It is where the Verilog is ours.
        simulator: What builds it.

    Raises:
        ToolError: A tool is missing.
        BuildError: The design does not build.
    """
    options = Options(waves=waves, lint=lint)
    found = simulator.find()
    facts = (simulator.name, found, *simulator.ingredients(options), design.module, design.key)
    key = hashlib.sha256("\0".join(facts).encode()).hexdigest()[:16]
    folder = BUILD_FOLDER / f"{design.module}-{key}"
    program = simulator.program(design.module)
    if not (folder / program).exists():
        BUILD_FOLDER.mkdir(parents=True, exist_ok=True)
        _LOGGER.info("building %s with %s", folder.name, simulator.name)
        started = perf_counter()
        # Built aside and moved into place in one step: builds may run side by side, and a build
        # that was interrupted is never taken for a whole one.
        with tempfile.TemporaryDirectory(dir=BUILD_FOLDER, prefix="building-") as name:
            scratch = Path(name).resolve()
            try:
                simulator.compile(design.verilog, design.module, options, scratch, BUILD_FOLDER)
            except RefusalError as refusal:
                kept = BUILD_FOLDER / f"{design.module}-failed.log"
                shutil.copy(scratch / simulator.log_file, kept)
                # The scratch folder is gone when this is read.
                reason = str(refusal).replace(f"{scratch}/", "")
                raise BuildError(f"{design.module} does not build, see {kept}: {reason}") from None
            keep(scratch, folder, [program])
        _LOGGER.info("built %s in %.0f s", folder.name, perf_counter() - started)
    return Build(folder.resolve(), design, waves, simulator)
