"""Designs on an iCE40."""

from pathlib import Path

import pytest

from scalewright.sim.ppa.fpga import placement
from scalewright.sim.ppa.fpga.cells import FAMILIES, Synthesis, synthesise
from scalewright.sim.ppa.fpga.placement import Placement, place
from tests.tools.ppa import needs_programs

pytestmark = needs_programs("yosys", "nextpnr-ice40")

# 302 ports: more than the device has pins.
_PARITY = """
module parity (input clk, input [299:0] a, output reg y);
  always @(posedge clk) y <= ^a;
endmodule
"""

_LONGER = """
module longer (input clk, input [299:0] a, output reg [15:0] y);
  always @(posedge clk) y <= a[7:0] * a[15:8] * a[23:16] + ^a;
endmodule
"""


def _mapped(verilog: str, top: str, folder: Path) -> Synthesis:
    return synthesise(verilog, top, FAMILIES["ice40"], folder)


def test_logic_cells_are_those_of_the_design_by_itself(tmp_path: Path) -> None:
    synthesis = _mapped(_PARITY, "parity", tmp_path)
    found = place(synthesis, seeds=(1, 2))
    # 4-input XORs in a tree, the last with the flip-flop; two cells more give 0 and 1.
    assert 100 <= synthesis.counts.luts == found.logic_cells - 2 < 110
    assert len(found.frequencies) == 2
    # Five LUTs, and the wires between them.
    assert all(50 < frequency < 300 for frequency in found.frequencies)


def test_longer_paths_are_slower_and_seeds_repeatable(tmp_path: Path) -> None:
    short = place(_mapped(_PARITY, "parity", tmp_path / "short"))
    long = _mapped(_LONGER, "longer", tmp_path / "long")
    first, second = place(long), place(long)
    assert short.frequency is not None
    assert first.frequency is not None
    assert first.frequency < short.frequency / 2
    assert first == second


def test_designs_that_leave_no_room_are_not_routed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(placement, "_ROOM", 300)
    found = place(_mapped(_PARITY, "parity", tmp_path))
    assert found.frequencies == ()
    assert found.frequency is None
    assert found.logic_cells >= 100


def test_clock_of_the_harness_is_not_taken_for_the_designs(tmp_path: Path) -> None:
    wire = "module wire_only (input clk, input a, output reg y); always @(posedge clk) y <= a;"
    with pytest.raises(RuntimeError, match=r"^the slowest path is that of the harness"):
        place(_mapped(f"{wire} endmodule", "wire_only", tmp_path))


def test_frequency_is_the_median() -> None:
    assert Placement("hx8k", 1, (40.0, 90.0, 50.0)).frequency == 50
    assert Placement("hx8k", 1, (40.0, 50.0)).as_dict()["frequency"] == 45
