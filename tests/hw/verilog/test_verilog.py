import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from amaranth.hdl import Fragment, Module
from amaranth.lib import wiring

from scalewright.golden.config import DatapathConfig, EngineConfig
from scalewright.hw.verilog import PortStyle, check_name, describe
from scalewright.sim.blocks import BLOCKS, Config, design_of
from tests.benches.designs import DESIGNS, few
from tests.tools.linters import LINTERS, complaints
from tests.tools.yosys import run_yosys

_CONFIG = DatapathConfig.parse("4/4U/4/6", scale_product_bits=6)


def test_same_bytes_every_time() -> None:
    assert design_of("vector-mac", _CONFIG) == design_of("vector-mac", _CONFIG)


def test_same_bytes_from_another_process_and_folder(tmp_path: Path) -> None:
    for name, hash_seed in (("a", "1"), ("b", "2")):
        (tmp_path / name).mkdir()
        subprocess.run(
            [
                sys.executable,
                "-c",
                "from scalewright.sim.cli import main; main()",
                "generate",
                "4/4U/4/6",
                "-o",
                "mac.v",
            ],
            cwd=tmp_path / name,
            env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(Path.cwd())},
            check=True,
        )
    for file in ("mac.v", "mac.json"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


@pytest.mark.parametrize(
    ("number", "block", "config"),
    [(number, *design) for number, design in enumerate(DESIGNS)],
    ids=lambda part: getattr(part, "slug", ""),
)
def test_clean_in_every_tool(number: int, block: str, config: Config, tmp_path: Path) -> None:
    style = list(PortStyle)[number % 2]
    file = tmp_path / "design.v"
    file.write_text(design_of(block, config, name="top", style=style).verilog)
    assert complaints(file, "top") == {}


def test_tools_would_complain(tmp_path: Path) -> None:
    file = tmp_path / "design.v"
    good = design_of("vector-mac", _CONFIG, name="top").verilog
    # A latch, a register of three bits that loads four, and a submodule that nobody defines.
    bad = "reg latch; always @* if (rst) latch = clk; reg [2:0] s; always @(posedge clk) s <= 4'd9;"
    file.write_text(good.replace("endmodule", f"{bad} nobody n (.a(latch), .b(s)); endmodule", 1))
    assert complaints(file, "top").keys() == LINTERS.keys()


def test_engine_of_16_lanes_synthesises(tmp_path: Path) -> None:
    config = EngineConfig(datapath=DatapathConfig.parse("4/4U/4/6"), lanes=16, depth=4)
    (tmp_path / "engine.v").write_text(design_of("engine", config).verilog)
    # To gates and flip-flops; abc would only make it smaller, in minutes.
    script = "read_verilog engine.v; synth -top engine -noabc; check -assert; stat"
    printed = run_yosys(script, tmp_path)
    assert "Warning" not in printed
    cells = set(
        re.findall(r" (\$\w+)$", printed.rpartition("Printing statistics")[2], re.MULTILINE)
    )
    assert {"$_AND_", "$_XOR_", "$_DFFE_PP_"} <= cells
    assert all(cell.startswith("$_") for cell in cells), cells


def test_description_is_complete_and_true() -> None:
    design = design_of("vector-mac", _CONFIG, name="mac16", style=PortStyle.FIELDS)
    description = json.loads(json.dumps(design.description))
    assert description["module"] == "mac16"
    assert description["port_style"] == "fields"
    assert description["configuration"]["notation"] == "4/4U/4/6"
    assert description["timing"]["latency"].startswith(f"{_CONFIG.pipeline_depth} cycles ")
    assert set(description["tools"]) == {"scalewright", "amaranth"}
    assert {
        "name": "i_weights",
        "direction": "input",
        "width": 64,
        "role": "weights of stream i",
    } in description["ports"]


@pytest.mark.parametrize(
    ("block", "config"), DESIGNS[::4], ids=lambda part: getattr(part, "slug", "")
)
def test_described_fields_fill_their_payload(block: str, config: Config) -> None:
    for stream in design_of(block, config).description["streams"].values():
        at = 0
        for field in stream["fields"]:
            assert field["offset"] == at
            at += field["width"] * (field["elements"] or 1)
        assert at == stream["width"]


def test_header_tells_the_configuration_and_the_fields() -> None:
    header = design_of("vector-mac", _CONFIG).verilog.partition("module")[0]
    assert "4/4U/4/6" in header
    assert "[63:0] weights: 16 x 4 bits signed" in header
    assert "[127:64] activations: 16 x 4 bits unsigned" in header
    assert "[23:0] accumulator: 24 bits signed" in header


@pytest.mark.parametrize("style", PortStyle)
@pytest.mark.parametrize("block", BLOCKS)
def test_ports_are_those_described(block: str, style: PortStyle) -> None:
    design = design_of(block, few(block)[-1], name="top", style=style)
    header = design.verilog.partition("\nmodule top (")[2].partition(");")[0]
    ports = re.findall(r"^  (input|output)(?: reg)?(?: \[(\d+):0\])? (\w+)", header, re.MULTILINE)
    declared = {(name, direction, int(high or 0) + 1) for direction, high, name in ports}
    described = {
        (port["name"], port["direction"], port["width"]) for port in design.description["ports"]
    }
    assert declared == described
    assert len(ports) == len(declared)
    fields = [f for s in design.description["streams"].values() for f in s["fields"]]
    assert all(("port" in field) == (style is PortStyle.FIELDS) for field in fields)


@pytest.mark.parametrize("block", BLOCKS)
def test_names_are_plain_and_of_the_file(block: str) -> None:
    for name in ("top", "a1"):
        verilog = design_of(block, few(block)[-1], name=name).verilog
        modules = re.findall(r"^module (.+?) \($", verilog, re.MULTILINE)
        assert len(modules) == len(set(modules))
        assert modules[0] == name
        assert all(module.startswith(f"{name}_sub_") for module in modules[1:])
        code = re.sub(r"//.*|/\*.*?\*/", "", verilog)
        assert set(re.findall(r"\$\w+", code)) <= {"$signed", "$unsigned"}
        assert "\\" not in code
        assert "__" not in code


@pytest.mark.parametrize("style", PortStyle)
def test_refuses_the_name_of_a_port(style: PortStyle) -> None:
    with pytest.raises(ValueError, match=r"^name must not be that of a port: i_valid$"):
        _ = design_of("vector-mac", _CONFIG, name="i_valid", style=style).verilog


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "be an identifier"),
        ("1st", "be an identifier"),
        ("not a name", "be an identifier"),
        ("größe", "be an identifier"),
        ("top_", "not end in _"),
        ("a$b", "be an identifier"),
        ("module", "not be a keyword"),
        ("logic", "not be a keyword"),
        ("final", "not be a keyword"),
        ("template", "not be a keyword"),
        ("x" * 201, "have at most 200 characters, not 201"),
        ("my__mac", "not contain __"),
        ("engine_sub_vector_mac", "not contain _sub_"),
    ],
)
def test_refuses_names_that_some_tool_would_not_take(name: str, reason: str) -> None:
    with pytest.raises(ValueError, match=f"^name must {reason}"):
        check_name(name)


@pytest.mark.parametrize(
    "name", ["full_adders_1", "mac", "Engine2", "load", "a", "sum", "s2", "a_sub", "_top"]
)
def test_takes_all_other_names(name: str, tmp_path: Path) -> None:
    file = tmp_path / "design.v"
    file.write_text(design_of("vector-mac", _CONFIG, name=name).verilog)
    assert complaints(file, name) == {}


def test_describes_streams_only() -> None:
    class Wire(wiring.Component):
        a: wiring.In(1)  # type: ignore[valid-type]  # a port is no type

        def elaborate(self, _: object) -> Module:
            return Module()

    wire = Wire()
    Fragment.get(wire, None)  # Amaranth warns of components that are never elaborated
    with pytest.raises(TypeError, match=r"^port a must be a stream"):
        describe(wire, name="wire")
