"""Places and routes a design on an iCE40 with nextpnr, for its logic cells and its clock."""

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from scalewright.sim.ppa import tools
from scalewright.sim.ppa.fpga.cells import FAMILIES, Synthesis, synthesise

DEVICE = "hx8k"
_PACKAGE = "ct256"

# Logic cells of the device that a design and its harness may take: nine tenths, so that they can
# be routed.
_ROOM = 7680 * 9 // 10

# A design has more ports than the device has pins. Registers, filled bit by bit from one pin, drive
# its inputs; others hold its outputs, and shift them out: its own paths start and end at registers.
_HARNESS = """\

module harness (input clk, input shift_in, input hold, output shift_out);
  reg [{inputs}-1:0] in;
  reg [{outputs}-1:0] out;
  wire [{outputs}-1:0] results;
  always @(posedge clk) begin
    in <= {{in, shift_in}};
    out <= hold ? results : {{out, 1'b0}};
  end
  assign shift_out = out[{outputs}-1];
  {top} dut (.clk(clk){connections});
endmodule
"""


@dataclass(frozen=True)
class Placement:
    """A design on a device.

    Attributes:
        device: Which.
        logic_cells: That the design takes by itself, as nextpnr packs it: each has a LUT, a carry
            and a flip-flop; two that give 0 and 1 are among them.
        frequencies: Of the clock, in MHz, by the slowest path, one for each seed; none where the
            design is too large.
    """

    device: str
    logic_cells: int
    frequencies: tuple[float, ...]

    @property
    def frequency(self) -> float | None:
        """The median."""
        return median(self.frequencies) if self.frequencies else None

    def as_dict(self) -> dict[str, Any]:
        """The placement, ready for JSON."""
        return {**asdict(self), "frequency": self.frequency}


def place(
    synthesis: Synthesis, *, chains: bool = False, seeds: tuple[int, ...] = (1,)
) -> Placement:
    """Place and route a design that is mapped to iCE40.

    Args:
        synthesis: The design; its clock is `clk`.
        chains: As it was for `synthesise`.
        seeds: Of the placement, one after the other; the clock varies with it by several percent.

    Raises:
        RuntimeError: A program failed.
    """
    logic_cells = _pack(synthesis.folder)
    inputs = {name: bits for name, bits in synthesis.ports["input"].items() if name != "clk"}
    outputs = synthesis.ports["output"]
    if logic_cells + sum(inputs.values()) + sum(outputs.values()) > _ROOM:
        return Placement(DEVICE, logic_cells, ())
    harness = _HARNESS.format(
        inputs=sum(inputs.values()),
        outputs=sum(outputs.values()),
        top=synthesis.top,
        connections=_slices(inputs, "in") + _slices(outputs, "results"),
    )
    folder = synthesis.folder / "harness"
    verilog = (synthesis.folder / "design.v").read_text() + harness
    synthesise(verilog, "harness", FAMILIES["ice40"], folder, chains=chains)
    return Placement(DEVICE, logic_cells, tuple(_route(folder, seed) for seed in seeds))


def _slices(ports: dict[str, int], vector: str) -> str:
    """Connections of ports to bits of a vector, one behind the other."""
    connections, at = [], 0
    for name, bits in ports.items():
        connections.append(f", .{name}({vector}[{at + bits - 1}:{at}])")
        at += bits
    return "".join(connections)


def _pack(folder: Path) -> int:
    """Logic cells of a netlist by itself; pins do not matter yet."""
    printed = _nextpnr(folder, "--pack-only")
    match = re.search(r"ICESTORM_LC:\s*(\d+)/", printed)
    if match is None:
        raise RuntimeError(f"nextpnr-ice40 does not say how many logic cells, in {folder}")
    return int(match[1])


def _route(folder: Path, seed: int) -> float:
    """The clock of a netlist in its harness, in MHz."""
    report = f"report_{seed}.json"
    options = ("--seed", str(seed), "--timing-allow-fail", "--report", report)
    _nextpnr(folder, *options, gives=[report])
    results = json.loads((folder / report).read_text())
    ((clock, frequency),) = results["fmax"].items()
    edge = f"posedge {clock}"
    (path,) = (
        each["path"]
        for each in results["critical_paths"]
        if (each["from"], each["to"]) == (edge, edge)
    )
    # Between the registers of the harness there is none.
    if not any(step["type"] == "logic" for step in path):
        raise RuntimeError(f"the slowest path is that of the harness, in {folder}")
    return float(frequency["achieved"])


def _nextpnr(folder: Path, *options: str, gives: Sequence[str] = ()) -> str:
    device = (f"--{DEVICE}", "--package", _PACKAGE, "--pcf-allow-unconstrained")
    command = ["nextpnr-ice40", *device, "--json", "netlist.json", *options]
    return tools.run(command, folder, "nextpnr-ice40", gives=gives)
