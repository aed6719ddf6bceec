"""The compiled player: a plan in C++ around the Verilated design, without cocotb.

It plays what the cocotb testbench plays, cycle by cycle and with the same outcome, ten times as
fast and more.
"""

import re
import shutil
from collections.abc import Callable, Mapping
from functools import cache as cached
from pathlib import Path

from scalewright.sim import player
from scalewright.sim.simulators import process, surroundings, verilated
from scalewright.sim.simulators.process import Finished
from scalewright.sim.simulators.simulator import Options, Simulator
from scalewright.sim.simulators.toolchain import find_toolchain
from scalewright.sim.simulators.verilated import PREFIX, Main

_FOLDER = Path(player.__file__).parent
_DESIGN = "design.cpp"
_PORT = re.compile(r"VL_(?:IN|OUT)(?:8|16|64|W)?\(&(\w+),(\d+),(\d+)(?:,\d+)?\);")


class CompiledPlayer(Simulator):
    """Verilator with a main program of ours.

    Args:
        main: Its source in sim/player, which says what it plays.
    """

    name = "player"
    four_state = False
    waves_file = "dump.vcd"

    def __init__(self, main: str = "player.cpp") -> None:
        self._main = Main(_DESIGN, shared=main, shared_sources=tuple(_sources().values()))

    def find(self) -> str:
        """Find the tools, and return their version."""
        return find_toolchain().versions[0]

    def ingredients(self, options: Options) -> tuple[str, ...]:
        """What goes into a build beside the design."""
        return verilated.ingredients(self._main, options)

    def program(self, module: str) -> str:
        """Name of the file that a build of this top-level module is."""
        return module

    def compile(
        self, verilog: str, module: str, options: Options, folder: Path, cache: Path
    ) -> None:
        """Build a design."""
        (folder / f"{module}.v").write_text(verilog)
        for name in _sources():
            shutil.copy(_FOLDER / name, folder)

        def write_ports() -> None:
            (folder / "ports.h").write_text(_ports((folder / f"{PREFIX}.h").read_text()))

        verilated.compile_design(module, self._main, options, folder, cache, translated=write_ports)

    def run(
        self,
        program: Path,
        module: str,
        folder: Path,
        *,
        waves_from: int | None,
        watch: Callable[[], None],
    ) -> Finished:
        """Play the plan in a folder."""
        del module
        words = [str(program), str(folder), *([] if waves_from is None else [str(waves_from)])]
        return process.run(
            words,
            folder,
            environment=surroundings.of_program(),
            log=folder / "simulation.log",
            watch=watch,
        )

    def passed(self, folder: Path, finished: Finished) -> bool:
        """Whether it came to its end."""
        del folder
        return finished.status == 0


@cached
def _sources() -> Mapping[str, str]:
    """The C++ files, by name."""
    files = sorted(path for path in _FOLDER.iterdir() if path.suffix in (".cpp", ".h"))
    return {path.name: path.read_text() for path in files}


def _ports(header: str) -> str:
    """The ports of a Verilated design, by name, from its header."""
    rows = [
        f'    {{"{name}", {int(high) - int(low) + 1}, &(top).{name}}}, \\'
        for name, high, low in _PORT.findall(header)
    ]
    count = f"#define PORT_COUNT {len(rows)}"
    return "\n".join(["#pragma once", count, "#define PORTS(top) { \\", *rows, "}", ""])
