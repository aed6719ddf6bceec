"""Counts the toggles of every net of a netlist, glitches included, in a simulation with delays."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from scalewright.sim.ppa.netlist import Netlist, split_name
from scalewright.sim.simulators.icarus import compile_verilog, run_program

Bits: TypeAlias = npt.NDArray[np.uint8]

# Inputs change this long after the rising clock edge, in ns.
_HOLD = 0.01

_TESTBENCH = """\
`timescale 1ns/1ps
module testbench;
  reg clk = 0;
  reg [{inputs}-1:0] stimulus [0:{cycles}-1];
  reg [{inputs}-1:0] in;
  wire [{outputs}-1:0] out;
  integer cycle, responses;
  {top} dut (.clk(clk){connections});
  initial begin
    $readmemb("stimulus.txt", stimulus);
    responses = $fopen("responses.txt");
    in = stimulus[0];
    for (cycle = 0; cycle < {cycles}; cycle = cycle + 1) begin
      if (cycle == {skipped}) begin
        $dumpfile("toggles.vcd");
        $dumpvars(1, dut);
      end
      clk = 1;
      #{hold} in = stimulus[cycle];
      #{high} clk = 0;
      #{low} $fdisplay(responses, "%b", out);
    end
    $finish;
  end
endmodule
"""


@dataclass(frozen=True, eq=False)
class Activity:
    """What a simulation at gate level showed.

    Attributes:
        cycles: Clock cycles in which toggles were counted.
        toggles: Transitions of each net in them.
        responses: (T,) bits of each output port at the end of each cycle, 2 where unknown; a port
            of several bits is (T, bits).
    """

    cycles: int
    toggles: Counter[str]
    responses: dict[str, Bits]


def simulate_gates(
    netlist: Netlist,
    models: Path,
    stimulus: Mapping[str, Bits],
    period: float,
    *,
    skipped: int,
) -> Activity:
    """Simulate a netlist with the delays of its cells.

    Args:
        netlist: The netlist.
        models: Verilog of its cells with their delays in ns.
        stimulus: Bits (T, width) of every input port but the clock, for T cycles.
        period: Of the clock, in ns; longer than its critical path.
        skipped: Cycles before toggles are counted, one at least: reset and start-up.

    Raises:
        ToolError: Icarus is missing.
        RuntimeError: Icarus failed.
    """
    folder = netlist.folder
    inputs = [port for port in netlist.inputs if port != "clk"]
    columns = []
    for port in inputs:
        name, bit = split_name(port)
        columns.append(stimulus[name][:, bit])
    bits = np.stack(columns, axis=1)
    # The first port is bit 0, on the right.
    text = np.where(bits[:, ::-1], ord("1"), ord("0")).astype(np.uint8)
    ends = np.full((len(text), 1), ord("\n"), np.uint8)
    (folder / "stimulus.txt").write_bytes(np.concatenate([text, ends], axis=1).tobytes())
    connections = [f", .\\{port} (in[{number}])" for number, port in enumerate(inputs)]
    connections += [f", .\\{port} (out[{n}])" for n, port in enumerate(netlist.outputs)]
    testbench = _TESTBENCH.format(
        inputs=len(inputs),
        outputs=len(netlist.outputs),
        cycles=len(bits),
        top=netlist.top,
        connections="".join(connections),
        hold=_HOLD,
        high=period / 2 - _HOLD,
        low=period / 2,
        skipped=skipped,
    )
    (folder / "testbench.v").write_text(testbench)
    sources = ["testbench.v", "netlist.v", str(models.resolve())]
    compile_verilog(sources, "testbench.vvp", folder, ["-gspecify"])
    run_program("testbench.vvp", folder)
    toggles = _count_toggles(folder / "toggles.vcd")
    (folder / "toggles.vcd").unlink()
    return Activity(
        len(bits) - skipped, toggles, _responses(folder / "responses.txt", netlist.outputs)
    )


def _count_toggles(recording: Path) -> Counter[str]:
    """Changes of each net after the first values, in a recording (VCD) of one-bit nets."""
    names: dict[str, list[str]] = {}
    with recording.open() as file:
        for line in file:
            if line.startswith("$var"):
                _, _, _, identifier, name, *_ = line.split()
                names.setdefault(identifier, []).append(name.removeprefix("\\"))
            if line.startswith("$dumpvars"):
                break
        for line in file:
            if line.startswith("$end"):
                break
        changes = Counter(file)  # of lines: `1!` for the net `!`
    toggles = Counter({name: 0 for same in names.values() for name in same})
    for line, count in changes.items():
        if line[0] in "01":
            for name in names[line[1:].strip()]:
                toggles[name] += count
    return toggles


def _responses(path: Path, outputs: tuple[str, ...]) -> dict[str, Bits]:
    lines = np.frombuffer(path.read_bytes(), np.uint8).reshape(-1, len(outputs) + 1)
    values = np.select([lines == ord("0"), lines == ord("1")], [0, 1], 2)[:, -2::-1]
    widths: dict[str, int] = {}
    for port in outputs:
        name, bit = split_name(port)
        widths[name] = max(widths.get(name, 0), bit + 1)
    responses = {name: np.zeros((len(values), width), np.uint8) for name, width in widths.items()}
    for column, port in enumerate(outputs):
        name, bit = split_name(port)
        responses[name][:, bit] = values[:, column]
    return responses
