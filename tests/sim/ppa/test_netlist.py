"""Netlists: Yosys maps onto the cells, and what it writes is read back."""

import json
import re
from pathlib import Path

import pytest

from scalewright.sim.ppa.cells import CellLibrary
from scalewright.sim.ppa.netlist import Netlist, map_to_cells, read_netlist, split_name
from scalewright.sim.ppa.tools import CellFiles
from tests.tools.ppa import FILES, inverters, mapped, needs_flow, osu_library, tiny_library

_ADDER = """
module adder (input clk, input [1:0] a, input [1:0] b, output reg [2:0] sum);
  always @(posedge clk) sum <= a + b;
endmodule
"""

_FULL_ADDERS = """
module top_sub_full_adders_3 (input [2:0] a, b, c, output [2:0] sum, carry);
  assign sum = a ^ b ^ c;
  assign carry = (a & b) | ((a ^ b) & c);
endmodule
module top (input clk, input [2:0] a, b, c, output reg [2:0] sum, carry);
  wire [2:0] s, t;
  top_sub_full_adders_3 adders (.a(a), .b(b), .c(c), .sum(s), .carry(t));
  always @(posedge clk) begin sum <= s; carry <= t; end
endmodule
"""


@pytest.fixture(scope="module")
def adder(tmp_path_factory: pytest.TempPathFactory) -> Netlist:
    return map_to_cells(_ADDER, "adder", tmp_path_factory.mktemp("a"), FILES, osu_library())


@needs_flow
def test_area_is_that_of_its_cells(adder: Netlist) -> None:
    library = osu_library()
    areas = [library.cells[instance.cell].area for instance in adder.instances.values()]
    # Whole numbers in this library, hence exact.
    assert adder.area(library) == sum(areas)
    assert adder.cells["DFFPOSX1"] == 3
    assert adder.area(library, sequential=True) == 3 * library.cells["DFFPOSX1"].area
    parts = [adder.area(library, sequential=part) for part in (True, False)]
    assert sum(parts) == adder.area(library)


@needs_flow
def test_every_port_is_one_bit(adder: Netlist) -> None:
    assert (adder.top, adder.inputs) == ("adder", ("clk", "a[0]", "a[1]", "b[0]", "b[1]"))
    assert adder.outputs == ("sum[0]", "sum[1]", "sum[2]")
    flip_flops = [each.pins for each in adder.instances.values() if each.cell == "DFFPOSX1"]
    assert {pins["CLK"] for pins in flip_flops} == {"clk"}
    assert {pins["Q"] for pins in flip_flops} == set(adder.outputs)
    # Nothing hangs in the air: what a pin reads is a port, or another cell drives it.
    cells = osu_library().cells
    driven = {*adder.inputs}
    read: set[str] = set()
    for instance in adder.instances.values():
        for pin, net in instance.pins.items():
            (driven if cells[instance.cell].pins[pin].output else read).add(net)
    assert read <= driven


@needs_flow
def test_module_with_the_ports_of_the_original_is_there_too(adder: Netlist) -> None:
    text = (adder.folder / "module.v").read_text()
    assert re.search(r"^module adder\(", text, re.MULTILINE)
    for port in ("input [1:0] a;", "input [1:0] b;", "output [2:0] sum;"):
        assert port in text
    # The functions of its cells come along.
    assert all(f"module {cell}(" in text for cell in adder.cells)


@needs_flow
def test_instances_of_cells_stay_what_they_are(tmp_path: Path) -> None:
    netlist = mapped(f"{inverters(3)} assign y = w[3];", tmp_path)
    assert netlist.cells == {"INVX1": 3}
    assert netlist.instances["i0"].pins == {"A": "a", "Y": "w[1]"}
    # The name of a port goes before that of a wire.
    assert netlist.instances["i2"].pins == {"A": "w[2]", "Y": "y"}


@needs_flow
def test_full_adders_of_the_library_take_the_place_of_the_compressors(tmp_path: Path) -> None:
    netlist = map_to_cells(_FULL_ADDERS, "top", tmp_path, FILES, osu_library())
    assert netlist.cells == {"FAX1": 3, "DFFPOSX1": 6}
    flip_flops = {
        each.pins["D"]: each.pins["Q"] for each in netlist.instances.values() if "D" in each.pins
    }
    for instance in netlist.instances.values():
        if instance.cell == "FAX1":
            bit = split_name(instance.pins["A"])[1]
            assert {instance.pins[pin] for pin in "ABC"} == {f"{port}[{bit}]" for port in "abc"}
            assert flip_flops[instance.pins["YS"]] == f"sum[{bit}]"
            assert flip_flops[instance.pins["YC"]] == f"carry[{bit}]"


@needs_flow
def test_library_without_full_adders_serves(tmp_path: Path) -> None:
    path = tmp_path / "cells.lib"
    text = FILES.liberty.read_text()
    # HAX1 comes next.
    path.write_text(text[: text.index("cell (FAX1)")] + text[text.index("cell (HAX1)") :])
    library = CellLibrary.read(path)
    assert library.full_adder() is None
    files = CellFiles(liberty=path, models=FILES.models)
    netlist = map_to_cells(_FULL_ADDERS, "top", tmp_path, files, library)
    assert netlist.cells["DFFPOSX1"] == 6
    # More than one gate for each full adder
    assert len(netlist.instances) > 6 + 3


@needs_flow
def test_failure_ends_with_the_last_words_of_yosys(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"(?s)^Yosys failed in .*syntax error"):
        mapped("assign y = ;", tmp_path)


def test_reads_constants_vectors_and_wires_of_one_net(tmp_path: Path) -> None:
    cell = {"type": "XOR", "connections": {"A": [3], "B": ["1"], "Y": [5]}}
    module = {
        "ports": {
            "clk": {"direction": "input", "bits": [2]},
            "a[0]": {"direction": "input", "bits": [3]},
            "y": {"direction": "output", "bits": [5]},
        },
        "cells": {
            "x": cell,
            "i": {"type": "INV", "connections": {"A": [5], "Y": [7]}},
            "r": {"type": "DFF", "connections": {"CLK": [2], "D": [6], "Q": [8]}},
        },
        "netnames": {
            "first": {"bits": [5]},
            "y": {"bits": [5]},
            "last": {"bits": [5]},
            "clk": {"bits": [2]},
            "a[0]": {"bits": [3]},
            "w": {"bits": [6, 7]},
            "q": {"bits": [8]},
        },
    }
    (tmp_path / "netlist.json").write_text(json.dumps({"modules": {"top": module}}))
    netlist = read_netlist(tmp_path, "top")
    assert (netlist.inputs, netlist.outputs) == (("clk", "a[0]"), ("y",))
    assert netlist.instances["x"].pins == {"A": "a[0]", "B": "1", "Y": "y"}
    assert netlist.instances["i"].pins == {"A": "y", "Y": "w[1]"}
    assert netlist.instances["r"].pins == {"CLK": "clk", "D": "w[0]", "Q": "q"}
    assert netlist.cells == {"XOR": 1, "INV": 1, "DFF": 1}
    assert netlist.area(tiny_library(tmp_path)) == 8 + 3 + 10


@pytest.mark.parametrize(
    ("port", "split"),
    [
        ("clk", ("clk", 0)),
        ("a[0]", ("a", 0)),
        ("i_payload[123]", ("i_payload", 123)),
        ("cells[1].a[20]", ("cells[1].a", 20)),
    ],
)
def test_name_of_a_bit_is_its_port_and_number(port: str, split: tuple[str, int]) -> None:
    assert split_name(port) == split
