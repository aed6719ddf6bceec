"""Verilator's part of a build: a design becomes C++, and with a main program a program.

The main program is cocotb's (verilator.py) or the compiled player's (compiled.py).
"""

import hashlib
import os
import re
import shlex
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from scalewright.sim.simulators import process, surroundings
from scalewright.sim.simulators.cache import discard_damaged, first, keep
from scalewright.sim.simulators.simulator import TIMESCALE, Options, RefusalError
from scalewright.sim.simulators.toolchain import Toolchain, find_toolchain

PREFIX = "Vtop"
# --assert: a design's own assertions end the simulation.
# No splitting: a file for each module keeps all cores busy, and each file costs the headers anew.
# Not public, as it is in cocotb's flow: every signal of the design visible to the testbench keeps
# Verilator from optimising and makes the C++ several times as long. Ours needs the ports only.
# No list of what the C++ depends on: it would name the command by its absolute path.
_OPTIONS = ("--assert", "--output-split", "0", "--no-MMD")
# The generated Verilog has no warnings; what it waives, it says itself.
_LINT = ("-Wall",)
# What Verilator warns of by itself is no reason to refuse a file either; and delays, which models
# of cells have, are none of a testbench that looks once in a cycle.
_NO_LINT = ("-Wno-fatal", "--no-timing")

# Verilator's run-time library: 10 s to compile, the same for every design, as is most of a player.
_RUNTIME_OBJECTS = "verilated*.o"

# A link in the folder of a build to Verilator. Thus all that make and the compiler read are names
# in this folder: in paths they would trip over spaces, `#`, `$` and quotes.
_ROOT = ".verilator"

# Verilator's and the compiler's.
_ERROR = re.compile(r"^%Error|error:|Error \d+$|not found$")
_COMPLAINT = re.compile(rf"^%Warning|{_ERROR.pattern}")


@dataclass(frozen=True)
class Main:
    """The main program around a design.

    Attributes:
        source: Its C++ file, in the folder of the build, or of its part that knows the design.
        arguments: Further arguments of Verilator.
        shared: The C++ file of the part that is the same for every design; none where empty.
        shared_sources: All that goes into that part.
    """

    source: str
    arguments: tuple[str, ...] = ()
    shared: str = ""
    shared_sources: tuple[str, ...] = ()


def ingredients(main: Main, options: Options) -> tuple[str, ...]:
    """What goes into a build beside the design and the main program's sources."""
    return (*_tools(main, options), *_arguments(options), *_optimisation(options))


def compile_design(
    module: str,
    main: Main,
    options: Options,
    folder: Path,
    cache: Path,
    *,
    translated: Callable[[], None] = lambda: None,
) -> None:
    """Build the design in a folder, `MODULE.v`, with its main program.

    Args:
        module: The top-level module, and the name of the program.
        main: The main program.
        options: How to build it.
        folder: Where everything is and goes.
        cache: Where the run-time library is kept.
        translated: Called between Verilator and the compiler.

    Raises:
        RefusalError: It does not build; the folder has the log.
    """
    digest = hashlib.sha256("\0".join(_tools(main, options)).encode()).hexdigest()
    runtime = cache / f"runtime-{digest[:16]}"
    with first(runtime):
        _compile(module, main, options, folder, runtime, translated)


def _compile(
    module: str,
    main: Main,
    options: Options,
    folder: Path,
    runtime: Path,
    translated: Callable[[], None],
) -> None:
    if runtime.exists():
        discard_damaged(runtime)
    for compiled in runtime.glob("*.o"):
        copied = shutil.copy(compiled, folder)
        # Newer than the makefile that Verilator is about to write: make leaves it as it is.
        os.utime(copied, times=(time.time() + 3600,) * 2)
    toolchain = find_toolchain()
    environment = toolchain.environment(surroundings.of_build())
    command = str(toolchain.verilator / "verilator")
    if toolchain.verilator_root is not None:
        (folder / _ROOT).symlink_to(toolchain.verilator_root)
        environment["VERILATOR_ROOT"] = _ROOT
        # The script around it would write the absolute path into the makefiles.
        command = str(toolchain.verilator / "verilator_bin")
    _run([command, *_to_cpp(module, main, options)], folder, environment, options)
    # In one file with the design: it includes the same headers, most of what a small one costs.
    with (folder / f"{PREFIX}_classes.mk").open("a") as classes:
        classes.write(f"VM_CLASSES_FAST += {Path(main.source).stem}\n")
        classes.write(f"VM_GLOBAL_FAST += {Path(main.shared).stem}\n")
    translated()
    _run(_make(toolchain, options), folder, environment, options)
    if not runtime.exists():
        names = [path.name for path in folder.glob(_RUNTIME_OBJECTS)]
        keep(folder, runtime, [*names, f"{Path(main.shared).stem}.o"] if main.shared else names)


def _run(words: Sequence[str], folder: Path, environment: dict[str, str], options: Options) -> None:
    log = folder / "build.log"
    done = process.run(words, folder, environment=environment, log=log)
    if done.status != 0:
        complaint = _COMPLAINT if options.lint else _ERROR
        lines = log.read_text(errors="replace").splitlines()
        found = [line for line in lines if complaint.search(line)]
        raise RefusalError(found[0] if found else f"{Path(words[0]).name} {done.manner}")


def _tools(main: Main, options: Options) -> tuple[str, ...]:
    """What the compiled run-time library depends on."""
    toolchain = find_toolchain()
    return (
        *toolchain.versions,
        *toolchain.compiler,
        str(toolchain.verilator),
        *_OPTIONS,
        *main.arguments,
        main.shared,
        *main.shared_sources,
        *TIMESCALE,
        str(options.waves),
    )


def _arguments(options: Options) -> tuple[str, ...]:
    return (*(_LINT if options.lint else _NO_LINT), *_OPTIONS)


def _optimisation(options: Options) -> tuple[str, ...]:
    """How hard the compiler tries: for the design, for what runs once, for the run-time library."""
    fast = "-O1" if options.optimised else "-O0"
    return (f"OPT_FAST={fast}", "OPT_SLOW=-O0", "OPT_GLOBAL=-O2")


def _to_cpp(module: str, main: Main, options: Options) -> list[str]:
    return [
        *("--cc", "--exe", "-Mdir", ".", "--prefix", PREFIX),
        *("--top-module", module, "-o", module),
        *(("--trace",) if options.waves else ()),
        *_arguments(options),
        *main.arguments,
        *("--timescale", "/".join(TIMESCALE)),
        f"{module}.v",
    ]


def _make(toolchain: Toolchain, options: Options) -> list[str]:
    """The command that compiles; with the compiler that was checked, whatever makefiles say."""
    compiler = shlex.join(toolchain.compiler).replace("$", "$$").replace("#", "\\#")
    return [
        *("make", "-j", str(os.cpu_count() or 1), "-f", f"{PREFIX}.mk"),
        f"VM_TRACE={int(options.waves)}",
        *_optimisation(options),
        # The makefiles of the wheel name a precompiled header without it.
        "CFG_CXXFLAGS_PCH_I=-include",
        f"CXX={compiler}",
        f"LINK={compiler}",
        # Verilator's makefiles refuse a folder with spaces; here nothing names it.
        "CURDIR=.",
    ]
