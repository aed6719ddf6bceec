"""Runs a plan on a built simulator, in a process of its own."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scalewright.sim.bench import testbench
from scalewright.sim.bench.exchange import load_outcome, save_plan
from scalewright.sim.bench.plan import Outcome, Phase, Plan
from scalewright.sim.simulators.build import Build
from scalewright.sim.simulators.place import build_folder
from scalewright.sim.simulators.process import Finished
from scalewright.sim.simulators.scratch import scratch_folder

# Cycles of reset, at the start and before a phase.
_RESET_CYCLES = 3
# Of what a simulator that broke off has printed, lines that are shown.
_LAST_WORDS = 25


class SimulationError(Exception):
    """The simulation ended without an outcome: the testbench or the simulator failed."""


@dataclass(frozen=True)
class Run:
    """What a simulation gave.

    Attributes:
        outcomes: One for each phase, up to the first that failed.
        waves: The recorded waves, where asked for.
    """

    outcomes: list[Outcome]
    waves: Path | None

    @property
    def failure(self) -> Outcome | None:
        """The outcome of the phase that failed, if one did."""
        last = self.outcomes[-1]
        return last if last.failed else None


def simulate(
    built: Build,
    phases: list[Phase],
    *,
    progress: Callable[[int], None] | None = None,
    waves: Path | None = None,
    waves_from: int = 0,
) -> Run:
    """Play phases on a simulator, in order, until one fails.

    Args:
        built: The simulator.
        phases: What to play.
        progress: Called now and then with the number of words sent since the last call.
        waves: Where to put a recording, in the simulator's format; the build must allow for it.
        waves_from: The cycle after the reset of the first phase from which on it records.

    Raises:
        SimulationError: The design lacks a port, in one line; or the simulation broke off, and the
            message ends with its last words.
    """
    design, simulator = built.design, built.simulator
    with scratch_folder(build_folder("sim/runs")) as folder:
        plan = Plan(
            inputs={name: design.codec(name).width for name in design.ports("input")},
            outputs={name: design.codec(name).width for name in design.ports("output")},
            phases=tuple(phases),
            four_state=simulator.four_state,
        )
        save_plan(folder, plan)
        sent = np.memmap(folder / testbench.PROGRESS_FILE, np.uint64, mode="w+", shape=1)
        reported = 0

        def watch() -> None:
            nonlocal reported
            total = int(sent[0])
            if progress is not None:
                progress(total - reported)
            reported = total

        began = None if waves is None else _time(phases[0], waves_from)
        finished = _run(built, folder, began, watch)
        complaint = folder / testbench.COMPLAINT_FILE
        if complaint.exists():
            raise SimulationError(f"{design.module} {complaint.read_text()}")
        outcomes = []
        for number, phase in enumerate(phases):
            outcome = load_outcome(folder, number, phase)
            if outcome is None:
                break
            outcomes.append(outcome)
        run = Run(outcomes, waves)
        if not outcomes or (run.failure is None and len(outcomes) < len(phases)):
            raise SimulationError(_last_words(built, finished, folder))
        if run.failure is None and not simulator.passed(folder, finished):
            raise SimulationError(_last_words(built, finished, folder))
        if waves is not None:
            waves.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(folder / simulator.waves_file, waves)
        return run


def _time(phase: Phase, cycle: int) -> int:
    """When a cycle of the first phase begins, in simulated ns; 0 where that is before all."""
    before = (phase.reset_after or 0) + _RESET_CYCLES
    return max(0, before + cycle) * testbench.PERIOD_NS


def _run(built: Build, folder: Path, waves_from: int | None, watch: Callable[[], None]) -> Finished:
    """Run the simulator; what came of it stands in the folder."""
    try:
        return built.simulator.run(
            built.program,
            built.design.module,
            folder,
            waves_from=waves_from,
            watch=watch,
        )
    except OSError as error:
        raise SimulationError(f"{built.program} cannot be started: {error.strerror}") from None


def _last_words(built: Build, finished: Finished, folder: Path) -> str:
    log = folder / "simulation.log"
    lines = log.read_text(errors="replace").splitlines()[-_LAST_WORDS:] if log.exists() else []
    return "\n".join(
        [f"the simulation broke off: {built.program} {finished.manner}, and printed:", *lines]
    )
