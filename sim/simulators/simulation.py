"""Runs a plan on a built simulator, in a process of its own."""

import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from scalewright.sim.bench import testbench
from scalewright.sim.bench.plan import Outcome, Phase, Plan, load_outcome
from scalewright.sim.simulators.build import BUILD_FOLDER, Build

# Seconds between two looks at the progress of a simulation.
_INTERVAL = 0.1


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
    test_module: str = testbench.__name__,
) -> Run:
    """Play phases on a simulator, in order, until one fails.

    Args:
        built: The simulator.
        phases: What to play.
        progress: Called now and then with the number of words sent since the last call.
        waves: Where to put a recording, in the simulator's format; the build must allow for it.
        test_module: What plays the plan.

    Raises:
        SimulationError: The design lacks a port, in one line; or the simulation broke off, and the
            message ends with its last words.
    """
    design, simulator = built.design, built.simulator
    runs = BUILD_FOLDER / "runs"
    runs.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=runs, prefix=f"{design.module}-") as name:
        folder = Path(name).resolve()
        Plan(
            inputs={name: design.codec(name).width for name in design.ports("input")},
            outputs={name: design.codec(name).width for name in design.ports("output")},
            phases=tuple(phases),
            four_state=simulator.four_state,
        ).save(folder)
        sent = np.memmap(folder / testbench.PROGRESS_FILE, np.uint64, mode="w+", shape=1)
        reported = 0
        with ThreadPoolExecutor(1) as executor:
            running = executor.submit(_run, built, folder, test_module, waves is not None)
            while True:
                ended = wait([running], _INTERVAL).done
                total = int(sent[0])
                if progress is not None:
                    progress(total - reported)
                reported = total
                if ended:
                    break
            running.result()
        complaint = folder / testbench.COMPLAINT_FILE
        if complaint.exists():
            raise SimulationError(f"{design.module} {complaint.read_text()}")
        outcomes = []
        for number in range(len(phases)):
            outcome = load_outcome(folder, number)
            if outcome is None:
                break
            outcomes.append(outcome)
        run = Run(outcomes, waves)
        if not outcomes or (run.failure is None and len(outcomes) < len(phases)):
            raise SimulationError(_last_words(folder))
        if run.failure is None and not _passed(folder):
            raise SimulationError(_last_words(folder))
        if waves is not None:
            waves.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(folder / simulator.waves_file, waves)
        return run


def _run(built: Build, folder: Path, test_module: str, waves: bool) -> None:
    """Run the simulator; what came of it stands in the folder."""
    try:
        built.simulator.run(
            built.folder,
            built.design.module,
            test_module,
            folder,
            waves=waves,
            environment={
                testbench.RUN_FOLDER: str(folder),
                # Inside the simulator too, a warning is an error.
                "PYTHONWARNINGS": "error",
            },
        )
    except (RuntimeError, SystemExit):
        # A failed test or a crash: the outcomes and results.xml tell which.
        return


def _passed(folder: Path) -> bool:
    path = folder / "results.xml"
    if not path.exists():
        return False
    suites = ElementTree.parse(path).getroot()
    return not suites.findall(".//failure") and not suites.findall(".//error")


def _last_words(folder: Path) -> str:
    log = folder / "simulation.log"
    lines = log.read_text().splitlines()[-25:] if log.exists() else []
    return "\n".join(["the simulation broke off:", *lines])
