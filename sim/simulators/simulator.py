"""What a simulator must offer.

All else is the same for all: build.py keeps what they build, simulation.py has them play plans, and
the testbench runs in each.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from cocotb_tools.runner import get_runner

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
    """

    name: ClassVar[str]
    four_state: ClassVar[bool]
    waves_file: ClassVar[str]
    log_file: ClassVar[str] = "build.log"

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
        build: Path,
        module: str,
        test_module: str,
        folder: Path,
        *,
        waves: bool,
        environment: Mapping[str, str],
    ) -> None:
        """Run a cocotb test module on a program.

        Args:
            build: The folder that holds the program.
            module: The top-level module.
            test_module: The Python module with the tests.
            folder: Where the run leaves `results.xml`, `simulation.log` and its waves.
            waves: Whether to record waves; the build must allow for it.
            environment: What the test module finds in its environment.

        Raises:
            RuntimeError, SystemExit: A test failed, or the simulator crashed.
        """
        get_runner(self.name).test(
            test_module=test_module,
            hdl_toplevel=module,
            hdl_toplevel_lang="verilog",
            build_dir=build,
            test_dir=folder,
            results_xml=str(folder / "results.xml"),
            log_file=folder / "simulation.log",
            waves=waves,
            plusargs=self._plusargs(folder),
            extra_env=environment,
        )

    def _plusargs(self, folder: Path) -> list[str]:
        """Arguments of a run in this folder."""
        del folder
        return []
