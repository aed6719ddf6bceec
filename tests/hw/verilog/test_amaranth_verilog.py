"""Every block through Amaranth's own back ends: they take our components like any others.

Amaranth's RTLIL is what the proofs hold our Verilog against, for Yosys need not read Verilog for
it. Its Verilog must be complete, and is simulated in Icarus Verilog where that is installed.
"""

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from amaranth.back import rtlil, verilog
from amaranth.hdl import Value
from amaranth.lib.wiring import Component

from scalewright.golden.config import DatapathConfig, EngineConfig, OctavConfig, Output
from scalewright.hw.arithmetic.divider import Divider
from scalewright.hw.arithmetic.quantization import ElementQuotient, Magnitude, PeakScale
from scalewright.hw.engine import Engine
from scalewright.hw.engine.sequencer import Sequencer
from scalewright.hw.engine.weight_buffer import WeightBuffer
from scalewright.hw.mac import VectorMac
from scalewright.hw.mac.dot_product import DotProduct
from scalewright.hw.octav import OctavUnit
from scalewright.hw.octav.sample_memory import SampleMemory
from scalewright.hw.post_processor import PostProcessor
from scalewright.hw.post_processor.parameter_buffer import ParameterBuffer
from scalewright.hw.post_processor.rescaler import Rescaler
from scalewright.hw.post_processor.rescaler_lane import RescalerLane
from scalewright.hw.post_processor.vector_quantizer import VectorQuantizer
from scalewright.hw.verilog import convert
from scalewright.hw.verilog.names import Names
from scalewright.sim.bench.design import Design
from scalewright.sim.bench.plan import Phase
from scalewright.sim.blocks import BLOCKS, design_of
from scalewright.sim.execution.vectors import hexadecimal
from scalewright.sim.stimulus import tensors as octav_stimulus
from scalewright.sim.stimulus import vector_pairs as stimulus
from scalewright.sim.stimulus.layers import random_layer
from scalewright.sim.testbenches import octav as tb_octav
from scalewright.sim.testbenches import vector_mac as tb_vector_mac
from scalewright.sim.testbenches.engine import engine_phase
from tests.tools.yosys import YOSYS, run_yosys

_PLAIN = DatapathConfig.parse("2/2/-/-", vector_size=4, accumulator_bits=16)
_SCALED = DatapathConfig.parse("2/2U/2/2", vector_size=4, scale_product_bits=2, accumulator_bits=16)
_EITHER_SIGN = DatapathConfig.parse("2/2X/2/2", vector_size=4, accumulator_bits=16)
_ENGINE = EngineConfig(
    datapath=_SCALED, lanes=2, depth=2, post_lanes=1, result_bits=8, dsp_multipliers=True
)
_ENGINE_OF_EITHER_SIGN = replace(_ENGINE, datapath=_EITHER_SIGN)
_RESIDENT = OctavConfig(sample_bits=3, lanes=2, depth=4)
_STREAMING = OctavConfig(sample_bits=3, lanes=2, depth=4, resident=False)

_COMPONENTS: dict[str, Callable[[], Component]] = {
    "vector-mac": lambda: VectorMac(_PLAIN),
    "vector-mac-with-scales": lambda: VectorMac(_SCALED),
    "vector-mac-of-either-sign": lambda: VectorMac(_EITHER_SIGN),
    "dot-product": lambda: DotProduct(_SCALED),
    "dot-product-of-either-sign": lambda: DotProduct(_EITHER_SIGN),
    "divider": lambda: Divider(dividend_width=6, divisor_width=3, quotient_width=4),
    "magnitude": lambda: Magnitude(_ENGINE),
    "peak-scale": lambda: PeakScale(_ENGINE),
    "element-quotient": lambda: ElementQuotient(_ENGINE),
    "peak-scale-of-either-sign": lambda: PeakScale(_ENGINE_OF_EITHER_SIGN),
    "element-quotient-of-either-sign": lambda: ElementQuotient(_ENGINE_OF_EITHER_SIGN),
    "rescaler-lane": lambda: RescalerLane(_ENGINE),
    "rescaler": lambda: Rescaler(_ENGINE),
    "vector-quantizer": lambda: VectorQuantizer(_ENGINE),
    "weight-buffer": lambda: WeightBuffer(_ENGINE),
    "parameter-buffer": lambda: ParameterBuffer(_ENGINE),
    "sequencer": lambda: Sequencer(_ENGINE),
    "post-processor": lambda: PostProcessor(_ENGINE),
    "engine": lambda: Engine(_ENGINE),
    "sample-memory": lambda: SampleMemory(_RESIDENT),
    "octav-resident": lambda: OctavUnit(_RESIDENT),
    "octav-streaming": lambda: OctavUnit(_STREAMING),
}
_EACH_COMPONENT = pytest.mark.parametrize("make", _COMPONENTS.values(), ids=_COMPONENTS)


@_EACH_COMPONENT
def test_verilog_of_amaranth_is_complete(make: Callable[[], Component], tmp_path: Path) -> None:
    (tmp_path / "block.v").write_text(verilog.convert(make(), name="block", emit_src=False))
    script = "read_verilog block.v; hierarchy -check -top block; proc; check -assert"
    run_yosys(script, tmp_path, "-q")


def _prove(make: Callable[[], Component], check: str, folder: Path, *, fault: Any = ()) -> None:
    """Prove our Verilog equal to Amaranth's RTLIL, from reset on, in all outputs."""
    component = make()
    names = Names()
    for name in ("clk", "rst"):
        names.add(name)
    ports = {
        names.add("_".join(map(str, path))): (Value.cast(value), None)
        for path, _, value in component.signature.flatten(component)
    }
    gold = rtlil.convert(component, name="gold", ports=ports, emit_src=False)
    (folder / "gold.il").write_text(gold)
    gate = convert(make(), name="gate")
    if fault:
        assert gate.count(fault[0]) == 1
        gate = gate.replace(*fault)
    (folder / "gate.v").write_text(gate)
    run_yosys(
        "read_rtlil gold.il; setattr -mod -unset top gold; read_verilog gate.v; proc; opt_clean; "
        "miter -equiv -flatten -make_assert -make_outputs gold gate miter; hierarchy -top miter; "
        f"memory_map; opt; sat -verify -prove-asserts -set-init-zero -seq 1 {check} miter",
        folder,
        "-q",
        program=YOSYS,
    )


@pytest.mark.parametrize(
    "name",
    [
        "vector-mac",
        "vector-mac-with-scales",
        "dot-product",
        "dot-product-of-either-sign",
        "peak-scale-of-either-sign",
        "element-quotient-of-either-sign",
        "divider",
        "magnitude",
        "peak-scale",
        "element-quotient",
    ],
)
def test_our_verilog_means_the_same(name: str, tmp_path: Path) -> None:
    _prove(_COMPONENTS[name], "-tempinduct", tmp_path)


# What keeps more state than induction sees through, for so many cycles from reset.
@pytest.mark.parametrize(
    ("name", "cycles"),
    [
        ("rescaler", 4),
        ("vector-quantizer", 10),
        ("weight-buffer", 12),
        ("parameter-buffer", 6),
        ("sequencer", 12),
        ("engine", 7),
        ("sample-memory", 10),
        ("octav-resident", 9),
        ("octav-streaming", 9),
    ],
)
def test_our_verilog_means_the_same_for_some_cycles(name: str, cycles: int, tmp_path: Path) -> None:
    check = f"-tempinduct -tempinduct-baseonly -maxsteps {cycles}"
    _prove(_COMPONENTS[name], check, tmp_path)


def test_proofs_refuse_a_fault(tmp_path: Path) -> None:
    held = ("if (write_enable) storage", "if (1) storage")
    with pytest.raises(AssertionError, match="proof did fail"):
        _prove(
            _COMPONENTS["weight-buffer"],
            "-tempinduct -tempinduct-baseonly -maxsteps 12",
            tmp_path,
            fault=held,
        )


_BENCH = """\
`timescale 1ns / 1ps
module bench;
  reg clk = 0;
  reg rst = 1;
  always #5 clk = ~clk;
  integer idle = 0, received = 0, wrong = 0;
{declarations}
  block dut (.clk(clk), .rst(rst){connections});
  initial begin
{reads}
    #22 rst = 0;
  end
  // Between two rising edges: what is driven now transfers at the next, if it is ready then.
  always @(negedge clk) if (!rst) begin
{drives}
  end
  always @(posedge clk) if (!rst) begin
    idle <= idle + 1;
{transfers}
    if (idle == 200) begin
      $display("received %0d wrong %0d", received, wrong);
      $finish;
    end
  end
endmodule
"""
_SOURCE = {
    "declarations": (
        "reg [{high}:0] {port}_words [0:{last}]; reg [{high}:0] {port}_payload; "
        "reg {port}_valid = 0; wire {port}_ready; integer {port}_sent = 0;"
    ),
    "connections": (
        ", .{port}__payload({port}_payload), .{port}__valid({port}_valid), "
        ".{port}__ready({port}_ready)"
    ),
    "reads": '$readmemh("{port}.hex", {port}_words);',
    "drives": (
        "{port}_valid <= {port}_sent <= {last}; {port}_payload <= {port}_words[{port}_sent];"
    ),
    "transfers": (
        "if ({port}_valid && {port}_ready) begin {port}_sent <= {port}_sent + 1; idle <= 0; end"
    ),
}
_SINK = {
    "declarations": (
        "reg [{high}:0] {port}_words [0:{last}]; wire [{high}:0] {port}_payload; wire {port}_valid;"
    ),
    "connections": (
        ", .{port}__payload({port}_payload), .{port}__valid({port}_valid), .{port}__ready(1'b1)"
    ),
    "reads": '$readmemh("{port}.hex", {port}_words);',
    "drives": "",
    "transfers": (
        "if ({port}_valid) begin received <= received + 1; idle <= 0; "
        "if ({port}_payload !== {port}_words[received]) wrong <= wrong + 1; end"
    ),
}


def _icarus(design: Design, phase: Phase, text: str, folder: Path) -> str:
    """Play a phase in Icarus Verilog on a module `block` with Amaranth's port names."""
    parts: dict[str, list[str]] = {name: [] for name in _SOURCE}
    for form, words in ((_SOURCE, phase.inputs), (_SINK, phase.expected)):
        for port, each in words.items():
            width = design.codec(port).width
            (folder / f"{port}.hex").write_bytes(hexadecimal(each, width))
            for name, line in form.items():
                parts[name].append(line.format(port=port, high=width - 1, last=len(each) - 1))
    joined = {name: "\n".join(lines) for name, lines in parts.items()}
    (folder / "bench.v").write_text(_BENCH.format(**joined))
    (folder / "block.v").write_text(text)
    # As Verilog-2005: Yosys's way to have every `always @*` run once at the start counts on it.
    command = ["iverilog", "-g2005", "-s", "bench", "-o", "bench.vvp", "block.v", "bench.v"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    played = subprocess.run(["vvp", "bench.vvp"], cwd=folder, check=True, capture_output=True)
    return played.stdout.decode().strip()


def _vector_mac_phase(design: Design, config: DatapathConfig) -> Phase:
    pairs = stimulus.random(config, 300, np.random.default_rng(0))
    result, _ = tb_vector_mac.golden(pairs, config)
    return Phase(
        name="random",
        inputs={"i": design.codec("i").pack(pairs)},
        expected={"o": tb_vector_mac.pack_results(design.codec("o"), result)},
    )


def _octav_phase(design: Design, config: OctavConfig) -> Phase:
    tensors = octav_stimulus.corner_tensors(config)
    return tb_octav.case(design, config, "corners", tensors).phase


def _engine_phase(design: Design, config: EngineConfig) -> Phase:
    rng = np.random.default_rng(0)
    outputs = (Output.QUANTIZED, Output.ACCUMULATOR, Output.RESCALED)
    layers = [
        random_layer(config, rng, rows=3, channels=5, vectors=config.depth + 1, output=output)
        for output in outputs
    ]
    return engine_phase("layers", design, config, layers)[0]


_NEEDS_ICARUS = pytest.mark.skipif(
    shutil.which("iverilog") is None, reason="needs Icarus Verilog: apt-get install iverilog"
)


@_NEEDS_ICARUS
@pytest.mark.parametrize(
    ("block", "config", "phase_of"),
    [
        ("vector-mac", DatapathConfig.parse("4/4U/4/6", vector_size=4), _vector_mac_phase),
        ("octav", OctavConfig(sample_bits=6, lanes=2, depth=32), _octav_phase),
        ("engine", _ENGINE, _engine_phase),
    ],
    ids=["vector-mac", "octav", "engine"],
)
def test_verilog_of_amaranth_computes_golden(
    block: str, config: Any, phase_of: Callable[[Design, Any], Phase], tmp_path: Path
) -> None:
    design = design_of(block, config)
    phase = phase_of(design, config)
    text = verilog.convert(BLOCKS[block].component(config), name="block", emit_src=False)
    results = sum(len(words) for words in phase.expected.values())
    assert _icarus(design, phase, text, tmp_path) == f"received {results} wrong 0"


@_NEEDS_ICARUS
def test_simulation_sees_a_wrong_result(tmp_path: Path) -> None:
    design = design_of("vector-mac", _PLAIN)
    phase = _vector_mac_phase(design, _PLAIN)
    phase.expected["o"][7, 0] ^= 1
    text = verilog.convert(VectorMac(_PLAIN), name="block", emit_src=False)
    assert _icarus(design, phase, text, tmp_path).endswith("wrong 1")
