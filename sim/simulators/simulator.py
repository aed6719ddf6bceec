"""What a simulator must offer.

All else is the same for all: build.py keeps what they build, and simulation.py has them play plans.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from scalewright.sim.simulators.process import Finished

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
        optimised: Whether the compiler may take several times as long for a program that is two to
            three times as fast: for long runs.
    """

    waves: bool
    lint: bool
    optimised: bool


class Simulator(ABC):
    """A simulator, and what plays plans on it.

    Attributes:
        name: Its name.
        four_state: Whether it knows X and Z beside 0 and 1.
        waves_file: The recording in the folder of a run; the suffix is its format.
        log_file: In the folder of a build, what the tools said.
        companions: Files beside the program that it needs.
    """

    name: ClassVar[str]
    four_state: ClassVar[bool]
    waves_file: ClassVar[str]
    log_file: ClassVar[str] = "build.log"
    companions: ClassVar[tuple[str, ...]] = ()

    def __str__(self) -> str:
        return self.name

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

    @abstractmethod
    def run(
        self,
        program: Path,
        module: str,
        folder: Path,
        *,
        waves_from: int | None,
        watch: Callable[[], None],
    ) -> Finished:
        """Play the plan in a folder, which takes the outcomes, `simulation.log` and waves.

        Args:
            program: What was built.
            module: The top-level module.
            folder: The folder.
            waves_from: From when on to record waves, in simulated ns; None where not. The build
                must allow for it.
            watch: Called again and again while it runs.

        Raises:
            OSError: The program cannot be started.
        """

    @abstractmethod
    def passed(self, folder: Path, finished: Finished) -> bool:
        """Whether the simulation came to its end, without an error of its own."""
