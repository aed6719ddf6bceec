"""Cells for the tests of ppa: the flow's own, where it is installed, and a library by hand."""

from functools import cache
from pathlib import Path

import pytest

from scalewright.sim.ppa.cells import CellLibrary
from scalewright.sim.ppa.netlist import Netlist, map_to_cells
from scalewright.sim.ppa.tools import CellFiles, require_flow, require_programs
from scalewright.sim.simulators.toolchain import ToolError

FILES = CellFiles()

# Few cells, whose energies can be followed by hand. Numbers of one row are by slew, or by load
# where the template says so first.
TINY = """
library (tiny) {
  time_unit : "1ns"; nom_voltage : 2; leakage_power_unit : "10pW";
  capacitive_load_unit (100, ff);
  power_lut_template (by_slew) { variable_1 : input_transition_time; }
  power_lut_template (by_slew_and_load) {
    variable_1 : input_transition_time; variable_2 : total_output_net_capacitance;
  }
  power_lut_template (by_load_and_slew) {
    variable_1 : total_output_net_capacitance; variable_2 : input_transition_time;
  }
  cell (INV) {
    area : 3; cell_leakage_power : 5;
    pin (A) { direction : input; capacitance : 2; }
    pin (Y) {
      direction : output; function : "(!A)";
      internal_power () {
        related_pin : "A";
        rise_power (by_load_and_slew) {
          index_1 ("1, 3"); index_2 ("0.02, 0.1, 0.5");
          values ("1, 3, 7", \\
                  "5, 7, 11");
        }
        fall_power (scalar) { values ("2"); }
      }
    }
  }
  cell (XOR) {
    area : 8; cell_leakage_power : 1;
    pin (A) { direction : input; capacitance : 1; }
    pin (B) { direction : input; capacitance : 1; }
    pin (Y) {
      direction : output; function : "A^B";
      internal_power () {
        related_pin : "A";
        rise_power (scalar) { values ("2"); }
        fall_power (scalar) { values ("4"); }
      }
      internal_power () {
        related_pin : "B";
        rise_power (scalar) { values ("6"); }
        fall_power (scalar) { values ("8"); }
      }
    }
  }
  cell (DFF) {
    area : 10; cell_leakage_power : 7;
    ff (IQ, IQN) { next_state : "D"; clocked_on : "CLK"; }
    pin (CLK) {
      direction : input; clock : true; capacitance : 4;
      internal_power () {
        rise_power (by_slew) { index_1 ("0.02, 0.1"); values ("1, 2"); }
        fall_power (by_slew) { index_1 ("0.02, 0.1"); values ("3, 4"); }
      }
    }
    pin (D) {
      direction : input; capacitance : 1;
      internal_power () {
        rise_power (by_slew) { index_1 ("0.02, 0.1"); values ("1, 2"); }
        fall_power (scalar) { values ("4"); }
      }
    }
    pin (Q) {
      direction : output; function : "IQ";
      internal_power () {
        related_pin : "CLK";
        rise_power (by_slew_and_load) {
          index_1 ("0.02, 0.1"); index_2 ("1, 3");
          values ("1, 5", "3, 7");
        }
        fall_power (scalar) { values ("2"); }
      }
    }
  }
}
"""


@cache
def missing() -> str:
    """What the flow lacks here, and how to install it; empty where it lacks nothing."""
    try:
        require_flow(FILES)
    except ToolError as error:
        return str(error)
    return ""


needs_flow = pytest.mark.skipif(missing() != "", reason=missing())


def _missing(*programs: str) -> str:
    try:
        require_programs(*programs)
    except ToolError as error:
        return str(error)
    return ""


def needs_programs(*programs: str) -> pytest.MarkDecorator:
    """Skip where one of these is missing."""
    reason = _missing(*programs)
    return pytest.mark.skipif(reason != "", reason=reason)


@cache
def osu_library() -> CellLibrary:
    return CellLibrary.read(FILES.liberty)


def tiny_library(folder: Path, text: str = TINY) -> CellLibrary:
    path = folder / "tiny.lib"
    path.write_text(text)
    return CellLibrary.read(path)


def mapped(body: str, folder: Path, *, ports: str = "input a, output y") -> Netlist:
    """The netlist of a module `top` of a clock and these ports.

    Instances of cells stay what they are: this is how a test says every gate itself.
    """
    verilog = f"module top (input clk, {ports});\n{body}\nendmodule\n"
    return map_to_cells(verilog, "top", folder, FILES, osu_library())


def inverters(count: int) -> str:
    """A chain of inverters from `a` to its last wire, `w[count]`."""
    chain = [f"INVX1 i{n} (.A(w[{n}]), .Y(w[{n + 1}]));" for n in range(count)]
    return f"wire [{count}:0] w; assign w[0] = a;\n" + "\n".join(chain)
