"""What the cells of an FPGA compute, as Verilog of no technology: a mapped design, to simulate."""

from scalewright.sim.ppa import tools
from scalewright.sim.ppa.fpga.cells import Synthesis
from scalewright.sim.ppa.netlist import QUIET, Netlist, read_netlist


def _bits(name: str, count: int, direction: str) -> str:
    """One-bit ports, or what stands for them as a number."""
    return ", ".join(f"{direction}{name}{bit}" for bit in reversed(range(count)))


# Yosys has no model of it, and connects these ports only: a multiplier without registers.
_MULT18X18D = f"""\
module MULT18X18D (
  {", ".join(_bits(name, 18, "input ") for name in "ABC")},
  input SIGNEDA, SIGNEDB, SOURCEA, SOURCEB,
  {_bits("P", 36, "output ")}
);
  wire signed [18:0] a = {{SIGNEDA & A17, {_bits("A", 18, "")}}};
  wire signed [18:0] b = {{SIGNEDB & B17, {_bits("B", 18, "")}}};
  wire signed [37:0] product = a * b;
  assign {{{_bits("P", 36, "")}}} = product[35:0];
endmodule
"""


def functions(synthesis: Synthesis) -> Netlist:
    """What the netlist computes, by Yosys's models of its cells, for simulation without delays.

    Its `module.v` has the ports of the design.

    Raises:
        RuntimeError: Yosys failed.
    """
    folder = synthesis.folder / "functions"
    folder.mkdir(exist_ok=True)
    (folder / "multiplier.v").write_text(_MULT18X18D)
    # -defer: models of cells that the design has not, such as memories, take half a minute.
    script = f"""
read_json ../netlist.json
delete =A:blackbox =A:whitebox
read_verilog -defer {synthesis.family.models} multiplier.v
hierarchy -check -top {synthesis.top}
proc
flatten
opt_clean -purge
write_verilog -noattr module.v
splitnets -ports
write_verilog -noattr netlist.v
write_json netlist.json
"""
    (folder / "functions.ys").write_text(script)
    written = ("module.v", "netlist.v", "netlist.json")
    tools.run(["yosys", "-q", "functions.ys"], folder, "Yosys", gives=written)
    text = (folder / "module.v").read_text()
    (folder / "module.v").write_text(QUIET + text)
    return read_netlist(folder, synthesis.top)
