"""Builds designs with a simulator, each once: a cache keyed by content.

A build is a program. Its key is a hash of everything that goes into it (the design, the options,
the tools), so what is in the cache is never stale and needs no look at time stamps. What was
damaged there is built anew.
"""

import hashlib
import logging
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from time import perf_counter

from scalewright.sim.bench.design import Design
from scalewright.sim.simulators.cache import discard_damaged, fault, keep
from scalewright.sim.simulators.compiled import CompiledPlayer
from scalewright.sim.simulators.icarus import Icarus
from scalewright.sim.simulators.place import build_folder
from scalewright.sim.simulators.scratch import scratch_folder, sweep_once
from scalewright.sim.simulators.simulator import Options, RefusalError, Simulator
from scalewright.sim.simulators.verilator import Verilator

_LOGGER = logging.getLogger(__name__)

VERILATOR = Verilator()
PLAYER = CompiledPlayer()
# By the names that they have on the command line.
SIMULATORS: dict[str, Simulator] = {each.name: each for each in (VERILATOR, Icarus())}
COCOTB, COMPILED = "cocotb", "compiled"
PLAYERS = (COCOTB, COMPILED)

# Words from which on an optimised program is worth its build: some ten seconds of playing.
_LONG_RUN = 200_000


# Of threads that ask for the same, one builds it.
_locks: dict[Path, Lock] = {}


def _lock_of(folder: Path) -> Lock:
    return _locks.setdefault(folder, Lock())


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

    @property
    def program(self) -> Path:
        """What was built."""
        return self.folder / self.simulator.program(self.design.module)


def simulator_of(simulator: str, player: str) -> Simulator:
    """What plays plans, by its names.

    Raises:
        ValueError: There is no such simulator or player.
    """
    for what, name, known in (("simulator", simulator, SIMULATORS), ("player", player, PLAYERS)):
        if name not in known:
            raise ValueError(f"{what} must be {' or '.join(known)}, not {name}")
    if player == COCOTB:
        return SIMULATORS[simulator]
    if simulator != VERILATOR.name:
        raise ValueError(f"player {player} is a program of {VERILATOR.name}, not of {simulator}")
    return PLAYER


def build_player(design: Design, words: int) -> Build:
    """The compiled player of a design, optimised if it is to play many words.

    Raises:
        ToolError, BuildError, OSError: As `build`.
    """
    return build(design, simulator=PLAYER, optimised=words >= _LONG_RUN)


def build(
    design: Design,
    *,
    waves: bool = False,
    lint: bool = True,
    optimised: bool = False,
    simulator: Simulator = VERILATOR,
) -> Build:
    """Return the program of a design, building it where the cache has none that is sound.

    Args:
        design: The design; its Verilog is read only where the cache has no build.
        waves: Whether it can record waves.
        lint: Whether doubtful Verilog is an error. It is where the Verilog is ours.
        optimised: Whether it is for a long run. A build for long runs serves short ones as well.
        simulator: What builds it.

    Raises:
        ToolError: A tool is missing.
        BuildError: The design does not build.
        OSError: The build folder cannot be written.
    """
    found = simulator.find()
    cache = build_folder("sim")
    sweep_once(cache)

    def place(options: Options) -> Path:
        facts = (simulator.name, found, *simulator.ingredients(options), design.module, design.key)
        key = hashlib.sha256("\0".join(facts).encode()).hexdigest()[:16]
        return cache / f"{design.module}-{key}"

    options = Options(waves=waves, lint=lint, optimised=True)
    folder = place(options)
    if not optimised and not folder.exists():
        options = replace(options, optimised=False)
        folder = place(options)
    with _lock_of(folder):
        if folder.exists():
            discard_damaged(folder)
        if not folder.exists():
            _build(design, options, simulator, cache, folder)
            damage = fault(folder)
            if damage is not None:
                raise BuildError(
                    f"{folder} {damage}, though it has just been built: is the disk full?"
                )
    return Build(folder.resolve(), design, waves, simulator)


def _build(
    design: Design, options: Options, simulator: Simulator, cache: Path, folder: Path
) -> None:
    # Built aside and moved into place in one step: builds may run side by side, and a build that
    # was interrupted is never taken for a whole one.
    _LOGGER.info("building %s with %s", folder.name, simulator.name)
    started = perf_counter()
    with scratch_folder(cache) as scratch:
        program = simulator.program(design.module)
        try:
            simulator.compile(design.verilog, design.module, options, scratch, cache)
            if not (scratch / program).exists() or not (scratch / program).stat().st_size:
                raise RefusalError("the tools gave no program")
        except RefusalError as refusal:
            kept = cache / f"{design.module}-failed.log"
            log = scratch / simulator.log_file
            log.touch()
            shutil.copy(log, kept)
            # The scratch folder is gone when this is read.
            reason = str(refusal).replace(f"{scratch}/", "")
            raise BuildError(f"{design.module} does not build, see {kept}: {reason}") from None
        keep(scratch, folder, [program, *simulator.companions])
    _LOGGER.info("built %s in %.0f s", folder.name, perf_counter() - started)
