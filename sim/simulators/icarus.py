"""Icarus Verilog: interprets a design, four-state, at once and slowly."""

import re
from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path

import cocotb_tools.config

from scalewright.sim.simulators import process
from scalewright.sim.simulators.coupling import CocotbSimulator
from scalewright.sim.simulators.process import Finished
from scalewright.sim.simulators.simulator import TIMESCALE, Options, RefusalError
from scalewright.sim.simulators.surroundings import (
    TEMPORARY_FILES_HERE,
    find_command,
    of_program,
)
from scalewright.sim.simulators.toolchain import ProgramError, require_commands, require_libpython

# Registers start unknown, as they do in an ASIC; only a reset defines them.
_OPTIONS = ("-g2012", "-DSCALEWRIGHT_NO_INITIAL")
_RECORDER = """\
module cocotb_recorder;
  reg [8191:0] path;
  reg [63:0] start;
  initial if ($value$plusargs("dumpfile_path=%s", path) && $value$plusargs("from=%d", start)) begin
    $dumpfile(path);
    #(start) $dumpvars(0, {module});
  end
endmodule
"""
_PROGRAM = "sim.vvp"


class IcarusError(ProgramError):
    """Icarus failed; the message ends with its first complaint.

    Attributes:
        done: How it ended, and all that it printed.
    """

    def __init__(self, folder: Path, done: Finished) -> None:
        super().__init__(f"Icarus failed in {folder}: {done.complaint}")
        self.done = done


class Icarus(CocotbSimulator):
    """Icarus Verilog, from the path."""

    name = "icarus"
    four_state = True
    waves_file = "dump.fst"

    def find(self) -> str:
        """Find the tools, and return their version."""
        release = find_icarus()
        require_libpython()
        return release

    def ingredients(self, options: Options) -> tuple[str, ...]:
        """What goes into a build beside the design."""
        return (
            # Where the modules are that a program names.
            str(find_command("iverilog")),
            version("cocotb"),
            *_OPTIONS,
            *TIMESCALE,
            _RECORDER if options.waves else "",
        )

    def program(self, module: str) -> str:
        """Name of the file that a build of this top-level module is."""
        del module
        return _PROGRAM

    def compile(
        self, verilog: str, module: str, options: Options, folder: Path, cache: Path
    ) -> None:
        """Build a design."""
        del cache
        (folder / f"{module}.v").write_text(verilog)
        (folder / "commands.f").write_text(f"+timescale+{'/'.join(TIMESCALE)}\n")
        arguments = [*_OPTIONS, "-f", "commands.f", "-s", module]
        sources = [f"{module}.v"]
        if options.waves:
            (folder / "recorder.v").write_text(_RECORDER.format(module=module))
            arguments += ["-s", "cocotb_recorder"]
            sources.append("recorder.v")
        try:
            compile_verilog(sources, _PROGRAM, folder, arguments)
        except IcarusError as error:
            (folder / self.log_file).write_text(error.done.printed)
            raise RefusalError(error.done.complaint) from None

    def _command(self, program: Path, waves_from: int | None) -> list[str]:
        command = ["vvp", "-m", cocotb_tools.config.lib_entry("vpi", "icarus"), str(program)]
        if waves_from is None:
            return [*command, "-none"]
        return [*command, f"+dumpfile_path={self.waves_file}", f"+from={waves_from}", "-fst"]


@cache
def find_icarus() -> str:
    """Find Icarus, and return its version.

    Raises:
        ToolError: It is missing; one line says what to install.
    """
    require_commands({"iverilog": "iverilog", "vvp": "iverilog"})
    match = re.search(r"\d+\.\d+[\w.+-]*", process.run(["iverilog", "-V"]).printed)
    return match[0] if match else "unknown"


def compile_verilog(
    sources: Sequence[str], program: str, folder: Path, arguments: Sequence[str]
) -> None:
    """Compile sources to a program, all in a folder.

    Raises:
        ToolError: Icarus is missing.
        IcarusError: It refuses them, or makes no program of them.
    """
    written = folder / program
    written.unlink(missing_ok=True)
    done = _run(["iverilog", *arguments, "-o", program, *sources], folder)
    if not written.is_file() or not written.stat().st_size:
        raise IcarusError(folder, done)


def run_program(program: str, folder: Path) -> None:
    """Run a program whose testbench is in Verilog, in a folder.

    Raises:
        ToolError: Icarus is missing.
        IcarusError: It broke off.
    """
    _run(["vvp", "-n", program], folder)


def _run(command: list[str], folder: Path) -> Finished:
    find_icarus()
    environment = {**of_program(), **TEMPORARY_FILES_HERE}
    done = process.run(command, folder, environment=environment)
    if done.status != 0:
        raise IcarusError(folder, done)
    return done
