"""What a simulator must offer.

All else is the same for all: build.py keeps what they build, simulation.py has them play plans, and
the testbench runs in each.
"""

import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import cocotb_tools.config
import find_libpython

from scalewright.sim.simulators import process, surroundings
from scalewright.sim.simulators.process import Finished
from scalewright.sim.working_folder import without_working_folder

# What a Verilog file without a timescale gets, from every simulator.
TIMESCALE = ("1ns", "1ps")


class RefusalError(Exception):
    """A simulator or its compiler refused a design; the message is its first complaint."""


@dataclass(frozen=True)
class Options:
    """How a design is built.

    Attributes:
        waves: Whether the program can record waves.
        lint: Whether doubtful Verilog is refused, as far as the simulator has an eye for it.
    """

    waves: bool
    lint: bool


class Simulator(ABC):
    """A simulator that cocotb knows.

    Attributes:
        name: Its name, for cocotb and on the command line.
        four_state: Whether it knows X and Z beside 0 and 1.
        waves_file: The recording in the folder of a run; the suffix is its format.
        log_file: In the folder of a build, what the tools said.
        companions: Files beside the program that it needs.
        settings: What cocotb must know of it.
    """

    name: ClassVar[str]
    four_state: ClassVar[bool]
    waves_file: ClassVar[str]
    log_file: ClassVar[str] = "build.log"
    companions: ClassVar[tuple[str, ...]] = ()
    settings: ClassVar[Mapping[str, str]] = {}

    @abstractmethod
    def find(self) -> str:
        """Find the tools, and return their version.

        Raises:
            ToolError: Something is missing or too old; one line says what to install.
        """

    @abstractmethod
    def ingredients(self, options: Options) -> tuple[str, ...]:
        """What goes into a build beside the design, and the simulator's name and version.

        Builds with the same ingredients are the same. Call `find` first.
        """

    @abstractmethod
    def program(self, module: str) -> str:
        """Name of the file that a build of this top-level module is."""

    @abstractmethod
    def compile(
        self, verilog: str, module: str, options: Options, folder: Path, cache: Path
    ) -> None:
        """Build a design.

        Args:
            verilog: Its source text.
            module: Its top-level module.
            options: How to build it.
            folder: Where the program goes, with everything that is left over.
            cache: Where parts may be kept that other builds share.

        Raises:
            RefusalError: It does not build; the folder has the log.
        """

    def run(
        self,
        program: Path,
        module: str,
        test_module: str,
        folder: Path,
        *,
        waves: bool,
        environment: Mapping[str, str],
        watch: Callable[[], None],
    ) -> Finished:
        """Run a cocotb test module on a program.

        Args:
            program: What was built.
            module: The top-level module.
            test_module: The Python module with the tests.
            folder: Where the run leaves `results.xml`, `simulation.log` and its waves.
            waves: Whether to record waves; the build must allow for it.
            environment: What the test module finds in its environment, beside the usual.
            watch: Called again and again while it runs.

        Raises:
            OSError: The program cannot be started.
        """
        return process.run(
            self._command(program, waves),
            folder,
            environment={
                **surroundings.of_program(),
                **_coupling(module, test_module, folder),
                **self.settings,
                **environment,
            },
            log=folder / "simulation.log",
            watch=watch,
        )

    @abstractmethod
    def _command(self, program: Path, waves: bool) -> list[str]:
        """The command that runs a program."""


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
