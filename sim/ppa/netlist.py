"""Maps Verilog onto the cells of a technology with Yosys."""

import json
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from scalewright.sim.ppa import tools
from scalewright.sim.ppa.cells import CellLibrary
from scalewright.sim.ppa.tools import CellFiles

# abc's default script does not come to an end on these designs. This one merges what is equal,
# maps for delay and recovers area, buffers and sizes, in seconds. Restructuring before mapping
# (dc2, dch) makes compressors larger.
ABC_SCRIPT = """\
strash
ifraig
scorr
&get -n
&nf
&put
topo
buffer -c
upsize
dnsize
"""

# Nets that never toggle.
CONSTANTS = ("0", "1", "x")

# What Verilator says of netlists: names, widths and unused outputs are the cells' affair.
QUIET = "/* verilator lint_off WIDTH */\n/* verilator lint_off UNUSED */\n"


@dataclass(frozen=True, eq=False)
class Instance:
    """A cell of a netlist: its type, and the net on each connected pin."""

    cell: str
    pins: dict[str, str]


@dataclass(frozen=True, eq=False)
class Netlist:
    """A mapped design; every port and net is one bit.

    Attributes:
        folder: Where its files are: `netlist.v`, `netlist.json`, and with the ports of the
            original `module.v`, which brings along the functions of its cells.
        top: Name of its module.
        inputs: Names of its input ports.
        outputs: Names of its output ports.
        instances: By name.
    """

    folder: Path
    top: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    instances: dict[str, Instance]

    @property
    def cells(self) -> Counter[str]:
        """How many there are of each cell."""
        return Counter(instance.cell for instance in self.instances.values())

    def area(self, library: CellLibrary, *, sequential: bool | None = None) -> float:
        """Cell area, in the library's unit; of flip-flops or of the rest only, where asked."""
        return sum(
            library.cells[cell].area * count
            for cell, count in self.cells.items()
            if sequential in (None, library.cells[cell].sequential)
        )


def map_to_cells(
    verilog: str,
    top: str,
    folder: Path,
    files: CellFiles,
    library: CellLibrary,
    *,
    full_adders: bool = True,
    booth: bool = False,
    yosys: str = "yosys",
) -> Netlist:
    """Map a design, and write its netlist to a folder.

    Args:
        verilog: Its source.
        top: Its module.
        folder: For the files; made if need be.
        files: The cells.
        library: The same, read.
        full_adders: The library's full adder, if it has one, takes the place of the compressors';
            else they are mapped like everything.
        booth: Let Yosys make Booth multipliers of every `*`; needs a recent Yosys.
        yosys: The command.

    Raises:
        RuntimeError: Yosys failed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "design.v").write_text(verilog)
    # Copied: the Yosys of the Python package sees the files of this folder only.
    (folder / "cells.lib").write_text(files.liberty.read_text())
    (folder / "abc.script").write_text(ABC_SCRIPT)
    (folder / "full_adders.v").write_text(_full_adders(verilog, library) if full_adders else "")
    script = f"""
read_liberty -lib cells.lib
read_verilog design.v
techmap -map full_adders.v
synth -flatten -top {top} {"-booth" if booth else ""}
dfflibmap -liberty cells.lib
abc -liberty cells.lib -script abc.script
opt_clean -purge
rename -enumerate -pattern n% {top}/*
design -save mapped
read_liberty -overwrite cells.lib
write_verilog -noattr module.v
design -load mapped
splitnets -ports
opt_clean -purge
write_verilog -noattr -noexpr netlist.v
write_json netlist.json
"""
    (folder / "map.ys").write_text(script)
    written = ("module.v", "netlist.v", "netlist.json")
    tools.run([yosys, "-q", "map.ys"], folder, "Yosys", gives=written)
    text = (folder / "module.v").read_text()
    (folder / "module.v").write_text(QUIET + text)
    return read_netlist(folder, top)


def _full_adders(verilog: str, library: CellLibrary) -> str:
    """What puts the library's full adders in the place of the compressors'."""
    cell = library.full_adder()
    if cell is None:
        return ""
    modules = []
    for module, size in sorted(set(re.findall(r"module (\w+_full_adders_(\d+))\b", verilog))):
        ports = ", ".join(
            f".{pin}({port}[bit])"
            for pin, port in zip(
                (*cell.inputs, cell.sum, cell.carry), ("a", "b", "c", "sum", "carry"), strict=True
            )
        )
        vector = f"[{int(size) - 1}:0]"
        modules.append(
            f'(* techmap_celltype = "{module}" *)\n'
            f"module map_{module} (a, b, c, sum, carry);\n"
            f"  input {vector} a, b, c; output {vector} sum, carry; genvar bit;\n"
            f"  generate for (bit = 0; bit < {size}; bit = bit + 1) begin : cells\n"
            f"    {cell.name} adder ({ports});\n"
            f"  end endgenerate\nendmodule\n"
        )
    return "".join(modules)


def read_netlist(folder: Path, top: str) -> Netlist:
    """Read what `map_to_cells` wrote."""
    module = json.loads((folder / "netlist.json").read_text())["modules"][top]
    names: dict[int | str, str] = {}
    for escaped, net in module["netnames"].items():
        # Yosys keeps the backslash of a name such as `\\$1`.
        name = escaped.removeprefix("\\")
        for number, bit in enumerate(net["bits"]):
            # A port's name goes before others of the same net.
            if bit not in names or escaped in module["ports"]:
                names[bit] = name if len(net["bits"]) == 1 else f"{name}[{number}]"
    ports: dict[str, list[str]] = {"input": [], "output": []}
    for name, port in module["ports"].items():
        ports[port["direction"]].append(name)
    instances = {
        name: Instance(
            cell["type"],
            {pin: names.get(bits[0], str(bits[0])) for pin, bits in cell["connections"].items()},
        )
        for name, cell in module["cells"].items()
    }
    return Netlist(folder, top, tuple(ports["input"]), tuple(ports["output"]), instances)


def split_name(port: str) -> tuple[str, int]:
    """A bit of a port: the port's name and the bit's number."""
    match = re.fullmatch(r"(.*?)(?:\[(\d+)\])?", port)
    assert match is not None
    return match[1], int(match[2] or 0)
