"""Designs whose cells are known, counted on three families of FPGAs."""

from pathlib import Path

import pytest

from scalewright.sim.ppa.fpga.cells import FAMILIES, Counts, Synthesis, synthesise
from tests.tools.ppa import needs_programs

_ADDER = """
module adder (input clk, input [7:0] a, b, output reg [7:0] total);
  always @(posedge clk) total <= a + b;
endmodule
"""

_MULTIPLIER = """
module multiplier (input clk, input signed [7:0] a, b, output reg signed [15:0] product);
  always @(posedge clk) product <= a * b;
endmodule
"""

# Two levels of modules, of which nothing may remain.
_HIERARCHY = """
module gate (input a, b, output y); assign y = a & b; endmodule
module pair (input [1:0] a, b, output [1:0] y); gate g[1:0] (a, b, y); endmodule
module hierarchy (input [3:0] a, b, output [3:0] y); pair p[1:0] (a, b, y); endmodule
"""

# A sum of three; Yosys makes one carry chain of it, or two where each `+` is to have its own.
_SUM = """
module sum (input [7:0] a, b, c, output [9:0] total);
  assign total = a + b + c;
endmodule
"""


def _counts(verilog: str, family: str, folder: Path, *options: str) -> Counts:
    top = verilog.split("module ")[-1].split()[0]
    return synthesise(verilog, top, FAMILIES[family], folder, options=options).counts


@needs_programs("yosys")
@pytest.mark.parametrize(
    ("family", "counts"),
    [
        # No carry into the first bit, and none out of the last.
        ("ice40", Counts(luts=8, carry_bits=7, flip_flops=8)),
        ("ecp5", Counts(luts=8, carry_bits=8, flip_flops=8)),
        ("xc7", Counts(luts=8, carry_bits=8, flip_flops=8)),
    ],
)
def test_adder_takes_a_lut_and_a_carry_for_each_bit(
    family: str, counts: Counts, tmp_path: Path
) -> None:
    assert _counts(_ADDER, family, tmp_path) == counts


@needs_programs("yosys")
@pytest.mark.parametrize(
    ("family", "options", "dsps"),
    [
        ("ice40", (), 0),
        ("ice40", ("-dsp",), 1),
        ("ecp5", (), 1),
        ("ecp5", ("-nodsp",), 0),
        ("xc7", (), 1),
    ],
)
def test_multiplier_takes_a_dsp_or_luts(
    family: str, options: tuple[str, ...], dsps: int, tmp_path: Path
) -> None:
    counts = _counts(_MULTIPLIER, family, tmp_path, *options)
    assert counts.dsps == dsps
    assert (counts.luts > 40) == (dsps == 0)


@needs_programs("yosys")
@pytest.mark.parametrize("family", FAMILIES)
def test_modules_dissolve(family: str, tmp_path: Path) -> None:
    assert _counts(_HIERARCHY, family, tmp_path) == Counts(luts=4)


@needs_programs("yosys")
def test_each_addition_can_have_its_carry_chain(tmp_path: Path) -> None:
    merged, kept = (
        synthesise(_SUM, "sum", FAMILIES["ice40"], tmp_path, chains=chains).counts
        for chains in (False, True)
    )
    assert merged.carry_bits < kept.carry_bits


@pytest.mark.parametrize(
    ("family", "cells", "counts"),
    [
        ("ice40", {"SB_LUT4": 5, "SB_CARRY": 3, "SB_DFFNESS": 2}, Counts(5, 3, 2)),
        ("ecp5", {"LUT4": 8, "PFUMX": 4, "L6MUX21": 2, "CCU2C": 3}, Counts(14, 6)),
        (
            "xc7",
            {"LUT1": 1, "LUT6": 4, "INV": 1, "MUXF7": 2, "MUXF8": 1, "CARRY4": 2, "IBUF": 9},
            Counts(6, 8),
        ),
        ("xc7", {"FDRE": 1, "FDSE": 2, "FDCE": 3, "FDPE": 4, "DSP48E1": 5}, Counts(0, 0, 10, 5)),
    ],
)
def test_every_cell_counts_as_documented(
    family: str, cells: dict[str, int], counts: Counts
) -> None:
    synthesis = Synthesis(Path(), "top", FAMILIES[family], cells, {})
    assert synthesis.counts == counts
    assert synthesis.as_dict()["luts"] == counts.luts


def test_unknown_cells_are_refused() -> None:
    cells = {"SB_LUT4": 1, "SB_PLL40_CORE": 1, "SB_RAM40_4K": 2}
    synthesis = Synthesis(Path(), "top", FAMILIES["ice40"], cells, {})
    with pytest.raises(ValueError, match=r"^cannot count SB_PLL40_CORE, SB_RAM40_4K of iCE40$"):
        _ = synthesis.counts


@needs_programs("yosys")
def test_what_yosys_does_not_map_is_refused(tmp_path: Path) -> None:
    latch = "module latch (input e, d, output reg q); always @* if (e) q = d; endmodule"
    with pytest.raises(ValueError, match=r"^cannot count LDCE of 7 series$"):
        _ = _counts(latch, "xc7", tmp_path)


@needs_programs("yosys")
def test_failure_ends_with_the_last_words_of_yosys(tmp_path: Path) -> None:
    with pytest.raises(
        RuntimeError, match=r"^Yosys failed in \S+, see yosys\.log: .*syntax error.*$"
    ):
        synthesise("module top (", "top", FAMILIES["ice40"], tmp_path)
