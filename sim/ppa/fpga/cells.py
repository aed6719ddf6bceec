"""Counts the cells of an FPGA that a design takes, mapped by Yosys.

Of every family, the netlist is what its `synth_` command makes by default, flattened; more options
are an argument. Counted are what a place-and-route tool has to find room for:

- LUTs: iCE40's SB_LUT4; ECP5's LUT4, and two for each CCU2C, which takes both LUTs of its slice;
  LUT1 to LUT6 and INV of the 7 series, each a whole 6-input LUT (a tool may put two small ones into
  one). Larger functions are made of these LUTs and of multiplexers that slices have beside them
  (PFUMX, L6MUX21, MUXF7, MUXF8): those are not counted, their LUTs are.
- Carry bits: SB_CARRY, one; CCU2C, two; CARRY4, four, whether used or not.
- Flip-flops, of any kind of reset and enable.
- DSPs: SB_MAC16, MULT18X18D, DSP48E1. By default Yosys uses none on iCE40.

Pads and clock buffers are no part of it. Any other cell is an error.
"""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

from scalewright.sim.ppa import tools


@dataclass(frozen=True)
class Counts:
    """What a cell or a design takes."""

    luts: int = 0
    carry_bits: int = 0
    flip_flops: int = 0
    dsps: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        mine, theirs = asdict(self), asdict(other)
        return Counts(**{name: mine[name] + theirs[name] for name in mine})

    def __mul__(self, times: int) -> "Counts":
        return Counts(**{name: times * count for name, count in asdict(self).items()})


@dataclass(frozen=True, eq=False)
class Family:
    """A family of FPGAs.

    Attributes:
        name: Its name.
        command: What maps to it.
        cells: What each of its cells takes.
        models: Where Yosys has the Verilog that says what its cells do.
    """

    name: str
    command: str
    cells: Mapping[str, Counts]
    models: str


_LUT, _FLIP_FLOP, _DSP = Counts(luts=1), Counts(flip_flops=1), Counts(dsps=1)

FAMILIES = {
    "ice40": Family(
        "iCE40",
        "synth_ice40",
        {
            "SB_LUT4": _LUT,
            "SB_CARRY": Counts(carry_bits=1),
            **{
                f"SB_DFF{edge}{enable}{reset}": _FLIP_FLOP
                for edge, enable, reset in product(("", "N"), ("", "E"), ("", "SR", "R", "SS", "S"))
            },
            "SB_MAC16": _DSP,
        },
        "+/ice40/cells_sim.v",
    ),
    "ecp5": Family(
        "ECP5",
        "synth_ecp5",
        {
            "LUT4": _LUT,
            "PFUMX": Counts(),
            "L6MUX21": Counts(),
            "CCU2C": Counts(luts=2, carry_bits=2),
            "TRELLIS_FF": _FLIP_FLOP,
            "MULT18X18D": _DSP,
        },
        "+/ecp5/cells_sim.v",
    ),
    "xc7": Family(
        "7 series",
        "synth_xilinx -family xc7",
        {
            **{f"LUT{inputs}": _LUT for inputs in range(1, 7)},
            "INV": _LUT,
            "MUXF7": Counts(),
            "MUXF8": Counts(),
            "CARRY4": Counts(carry_bits=4),
            **dict.fromkeys(("FDRE", "FDSE", "FDCE", "FDPE"), _FLIP_FLOP),
            "DSP48E1": _DSP,
            **{name: Counts() for name in ("IBUF", "OBUF", "BUFG")},
        },
        "+/xilinx/cells_sim.v",
    ),
}

# Yosys merges a tree of `+` with the products behind it into one sum, whose bits it reduces with
# LUTs down to one carry chain. This keeps a chain of its own for each `+`.
_CHAINS = """\
(* techmap_celltype = "$add" *)
module chain (A, B, Y);
  parameter A_SIGNED = 0, B_SIGNED = 0, A_WIDTH = 1, B_WIDTH = 1, Y_WIDTH = 1;
  input [A_WIDTH-1:0] A; input [B_WIDTH-1:0] B; output [Y_WIDTH-1:0] Y;
  wire [Y_WIDTH-1:0] X, CO;
  \\$alu #(.A_SIGNED(A_SIGNED), .B_SIGNED(B_SIGNED), .A_WIDTH(A_WIDTH), .B_WIDTH(B_WIDTH),
    .Y_WIDTH(Y_WIDTH)) _TECHMAP_REPLACE_
    (.A(A), .B(B), .Y(Y), .X(X), .CO(CO), .CI(1'b0), .BI(1'b0));
endmodule
"""
_KEEP_CHAINS = "proc; flatten; opt; wreduce; techmap -map chains.v"


@dataclass(frozen=True, eq=False)
class Synthesis:
    """A design, mapped.

    Attributes:
        folder: Where its files are: `netlist.json` is the netlist.
        top: Its module.
        family: What it is mapped to.
        cells: How many there are of each cell.
        ports: Bits of each port, by direction: `input`, `output`.
    """

    folder: Path
    top: str
    family: Family
    cells: dict[str, int]
    ports: dict[str, dict[str, int]]

    @property
    def counts(self) -> Counts:
        """What it takes.

        Raises:
            ValueError: A cell that nobody said how to count.
        """
        unknown = sorted(self.cells.keys() - self.family.cells.keys())
        if unknown:
            raise ValueError(f"cannot count {', '.join(unknown)} of {self.family.name}")
        return sum((self.family.cells[cell] * n for cell, n in self.cells.items()), Counts())

    def as_dict(self) -> dict[str, Any]:
        """The counts, ready for JSON."""
        return {"family": self.family.name, **asdict(self.counts), "cells": self.cells}


def synthesise(
    verilog: str,
    top: str,
    family: Family,
    folder: Path,
    *,
    options: tuple[str, ...] = (),
    chains: bool = False,
) -> Synthesis:
    """Map a design.

    Args:
        verilog: Its source.
        top: Its module.
        family: To what.
        folder: For the files; made if need be.
        options: More options of the family's command, such as `-nodsp`.
        chains: Every `+` is a carry chain; else Yosys merges them.

    Raises:
        RuntimeError: Yosys failed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "design.v").write_text(verilog)
    (folder / "chains.v").write_text(_CHAINS)
    # Names are shortened: those that Yosys makes are of hundreds of characters, and cost minutes.
    script = f"""
read_verilog design.v
hierarchy -check -top {top}
{_KEEP_CHAINS if chains else ""}
{family.command} -top {top} {"" if family.command == "synth_ice40" else "-flatten"} \
{" ".join(options)}
rename -hide {top}/*
rename -enumerate -pattern n% {top}/*
write_json netlist.json
"""
    (folder / "synthesis.ys").write_text(script)
    tools.run(["yosys", "-q", "synthesis.ys"], folder, "Yosys", gives=["netlist.json"])
    module = json.loads((folder / "netlist.json").read_text())["modules"][top]
    cells = Counter(cell["type"] for cell in module["cells"].values())
    ports: dict[str, dict[str, int]] = {"input": {}, "output": {}}
    for name, port in module["ports"].items():
        ports[port["direction"]][name] = len(port["bits"])
    return Synthesis(folder, top, family, dict(sorted(cells.items())), ports)
