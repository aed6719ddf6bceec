"""Combinational logic on every input there is: what holds there is proven."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from scalewright.hw.verilog import convert
from tests.benches.faults import Fault
from tests.tools.yosys import YOSYS, run_yosys

# A register is a wire here: an output shows what it is after the next clock edge.
_NO_REGISTERS = """
(* techmap_celltype = "$dff" *)
module no_register #(parameter WIDTH = 0, CLK_POLARITY = 1) (CLK, D, Q);
  input CLK; input [WIDTH-1:0] D; output [WIDTH-1:0] Q; assign Q = D;
endmodule
"""
_SCRIPT = (
    "read_verilog top.v; hierarchy -top top; proc; flatten; techmap -map no_registers.v; techmap; "
    "opt; aigmap; opt_clean; write_aiger -ascii -symbols top.aag"
)

# A word of the program holds 2^8 inputs: those whose other bits are alike.
_WORD_BITS = 8
_PROGRAM = """
#include <cstdio>
typedef unsigned long long word __attribute__((vector_size(32)));
int main() {{
  const word n0 = {{0, 0, 0, 0}};
  {low}
  for (unsigned long long high = 0; high < 1ull << {high_count}; ++high) {{
    {high}
    {ands}
    const word bad = ~({output});
    for (int i = 0; i < 4; ++i)
      if (bad[i]) {{
        std::printf("%llu", high << 8 | i << 6 | __builtin_ctzll(bad[i]));
        return 0;
      }}
  }}
}}
"""


@dataclass(frozen=True)
class Gates:
    """AND gates and inverters, numbered like those of AIGER.

    A literal is twice a node's number, and one more where it is inverted; node 0 is false.

    Attributes:
        inputs: Node of each bit of an input, by port and bit.
        outputs: Literal of each bit of an output, likewise.
        ands: Node and literals of each gate, none before those that it needs.
    """

    inputs: dict[tuple[str, int], int]
    outputs: dict[tuple[str, int], int]
    ands: list[tuple[int, int, int]]

    @classmethod
    def of(cls, component: Any, folder: Path, fault: Fault | None = None) -> "Gates":
        """The Verilog of a component, without reset, as gates; with a fault in it, if any."""
        verilog = convert(component, name="top")
        (folder / "top.v").write_text(verilog if fault is None else fault.insert(verilog))
        (folder / "no_registers.v").write_text(_NO_REGISTERS)
        run_yosys(_SCRIPT, folder, "-q", program=YOSYS)
        header, *lines = (folder / "top.aag").read_text().splitlines()
        inputs, latches, outputs, ands = (int(count) for count in header.split()[2:])
        assert latches == 0
        literals = [int(line) for line in lines[: inputs + outputs]]
        ports: dict[str, dict[tuple[str, int], int]] = {"i": {}, "o": {}}
        low = set()  # neither clocked nor reset
        symbols = r"^([io])(\d+) (\w+)(?:\[(\d+)\])?$"
        for kind, number, port, bit in re.findall(symbols, "\n".join(lines), re.MULTILINE):
            literal = literals[int(number) + (inputs if kind == "o" else 0)]
            if port in ("clk", "rst"):
                low.add(literal)
            else:
                ports[kind][port, int(bit or 0)] = literal
        gates = [
            tuple(int(n) & 1 if int(n) & ~1 in low else int(n) for n in line.split())
            for line in lines[inputs + outputs :][:ands]
        ]
        return cls(
            {at: literal >> 1 for at, literal in ports["i"].items()},
            ports["o"],
            [(node >> 1, left, right) for node, left, right in gates],
        )

    def evaluate(self) -> dict[str, npt.NDArray[np.int64]]:
        """The numbers at all ports, unsigned, for every input."""
        every = np.arange(1 << len(self.inputs))
        nodes = {0: np.zeros(len(every), bool)}
        for number, node in enumerate(self.inputs.values()):
            nodes[node] = (every >> number & 1).astype(bool)
        for node, left, right in self.ands:
            nodes[node] = (nodes[left >> 1] ^ (left & 1)) & (nodes[right >> 1] ^ (right & 1))
        numbers: dict[str, npt.NDArray[np.int64]] = {}
        literals = {at: node << 1 for at, node in self.inputs.items()} | self.outputs
        for (port, bit), literal in literals.items():
            value = (nodes[literal >> 1] ^ (literal & 1)).astype(np.int64) << bit
            numbers[port] = numbers.get(port, 0) + value
        return numbers

    def find_failure(self, output: str, folder: Path) -> dict[str, int] | None:
        """Find an input for which an output of one bit is 0; None if there is none.

        A compiled program tries them all, some billions per second.
        """
        nodes = list(self.inputs.values())
        low = [_constant(number) for number in range(_WORD_BITS)]
        program = _PROGRAM.format(
            low="\n".join(
                f"const word n{node} = {w};" for node, w in zip(nodes, low, strict=False)
            ),
            high="\n".join(
                f"const word n{node} = n0 - (high >> {number} & 1);"
                for number, node in enumerate(nodes[_WORD_BITS:])
            ),
            high_count=len(nodes[_WORD_BITS:]),
            ands="\n".join(
                f"const word n{node} = {_literal(left)} & {_literal(right)};"
                for node, left, right in self.ands
            ),
            output=_literal(self.outputs[output, 0]),
        )
        (folder / "every.cc").write_text(program)
        command = ["g++", "-O1", "-march=native", "every.cc", "-o", "every"]
        subprocess.run(command, cwd=folder, check=True)
        done = subprocess.run([folder / "every"], capture_output=True, text=True, check=True)
        if not done.stdout:
            return None
        failure: dict[str, int] = {}
        for number, (port, bit) in enumerate(self.inputs):
            failure[port] = failure.get(port, 0) + ((int(done.stdout) >> number & 1) << bit)
        return failure


def _literal(literal: int) -> str:
    return f"{'~' * (literal & 1)}n{literal >> 1}"


def _constant(number: int) -> str:
    """Bit `number` of every input of a word."""
    bits = sum((every >> number & 1) << every for every in range(1 << _WORD_BITS))
    return f"{{{', '.join(f'{bits >> at & (1 << 64) - 1:#x}ull' for at in range(0, 256, 64))}}}"
