"""What simulators that cocotb knows have in common: the testbench runs in each."""

import os
import sys
from abc import abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import ClassVar
from xml.etree import ElementTree

import cocotb_tools.config
import find_libpython

from scalewright.sim.bench import testbench
from scalewright.sim.simulators import process, surroundings
from scalewright.sim.simulators.process import Finished
from scalewright.sim.simulators.simulator import Simulator
from scalewright.sim.working_folder import without_working_folder

# Tells the program from when on to record waves, in simulated ns.
WAVES_VARIABLE = "SCALEWRIGHT_WAVES_FROM"


class CocotbSimulator(Simulator):
    """A simulator that cocotb knows.

    Args:
        test_module: The Python module that plays the plan.

    Attributes:
        settings: What cocotb must know of it.
    """

    settings: ClassVar[Mapping[str, str]] = {}

    def __init__(self, test_module: str = testbench.__name__) -> None:
        self._test_module = test_module

    def run(
        self,
        program: Path,
        module: str,
        folder: Path,
        *,
        waves_from: int | None,
        watch: Callable[[], None],
    ) -> Finished:
        """Play the plan in a folder, which also gets `results.xml`."""
        return process.run(
            self._command(program, waves_from),
            folder,
            environment={
                **surroundings.of_program(),
                **_coupling(module, self._test_module, folder),
                **self.settings,
                **({} if waves_from is None else {WAVES_VARIABLE: str(waves_from)}),
                testbench.RUN_FOLDER: str(folder),
                # Inside the simulator too, a warning is an error.
                "PYTHONWARNINGS": "error",
            },
            log=folder / "simulation.log",
            watch=watch,
        )

    def passed(self, folder: Path, finished: Finished) -> bool:
        """Whether cocotb is content."""
        del finished
        path = folder / "results.xml"
        if not path.exists():
            return False
        suites = ElementTree.parse(path).getroot()
        return not suites.findall(".//failure") and not suites.findall(".//error")

    @abstractmethod
    def _command(self, program: Path, waves_from: int | None) -> list[str]:
        """The command that runs a program, and records waves from a time on (ns)."""


def _coupling(module: str, test_module: str, folder: Path) -> dict[str, str]:
    """What cocotb reads in the environment of a simulator, as for any custom flow."""
    libpython = os.environ.get("LIBPYTHON_LOC") or find_libpython.find_libpython()
    return {
        "PYTHONPATH": without_working_folder(os.pathsep.join(sys.path)),
        "PYGPI_PYTHON_BIN": sys.executable,
        "GPI_USERS": f"{libpython};{cocotb_tools.config.pygpi_entry_point()}",
        "COCOTB_TOPLEVEL": module,
        "COCOTB_TEST_MODULES": test_module,
        "COCOTB_RESULTS_FILE": str(folder / "results.xml"),
        "TOPLEVEL_LANG": "verilog",
    }
