"""The command `regress` on files of the user's, in both simulators."""

import json
import re
from pathlib import Path

import pytest

from scalewright.golden.config import DatapathConfig
from scalewright.sim.blocks import design_of
from tests.tools.command_line import run, use_build_folder
from tests.tools.ppa import needs_programs
from tests.tools.yosys import run_yosys

_COMMAND = ("regress", "2/3U/-/-", "--vector-size", "4", "--vectors", "300", "--verilog")
_SIMULATORS = [
    "verilator",
    pytest.param("icarus", marks=needs_programs("iverilog", "vvp")),
]


@pytest.fixture
def verilog() -> str:
    return design_of("vector-mac", DatapathConfig.parse("2/3U/-/-", vector_size=4)).verilog


@pytest.mark.parametrize("simulator", _SIMULATORS)
def test_plays_a_synthesised_netlist(simulator: str, verilog: str, tmp_path: Path) -> None:
    use_build_folder(tmp_path)
    (tmp_path / "mac.v").write_text(verilog)
    script = "read_verilog mac.v; synth -flatten -top vector_mac; write_verilog netlist.v"
    run_yosys(script, tmp_path, "-q")
    options = ("--simulator", simulator, "--json", "good.json")
    done = run(*_COMMAND, "netlist.v", *options, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (verdict,) = json.loads((tmp_path / "good.json").read_text())
    assert verdict["mismatches"] == 0
    assert verdict["results"] > 500
    assert verdict["regression"]["simulator"] == simulator

    # A gate of another kind: the output's lowest bit is stored inverted.
    text = (tmp_path / "netlist.v").read_text()
    bad, count = re.subn(r"(\\?o_payload\S* ?\[0\] <= )([^;]+);", r"\1~(\2);", text)
    assert count >= 1, text
    (tmp_path / "bad.v").write_text(bad)
    done = run(*_COMMAND, "bad.v", *options, cwd=tmp_path)
    assert done.returncode == 1
    assert "result 0 of stream o, cycle " in done.stderr


@pytest.mark.parametrize("simulator", _SIMULATORS)
@pytest.mark.parametrize(
    ("pattern", "replacement", "message"),
    [
        (r"module vector_mac\b", "module mac",
         r"^scalewright: vector_mac does not build, see \S+: .*vector_mac.*$"),
        (r"\bo_ready\b", "ready", r"^scalewright: vector_mac has no port o_ready$"),
        (r"\bendmodule\b", "",
         r"^scalewright: vector_mac does not build, see \S+: .*vector_mac\.v:\d+:.*syntax error"),
    ],
    ids=["no-module", "no-port", "no-end"],
)  # fmt: skip
def test_unfit_file_is_one_line_and_status_2(
    pattern: str, replacement: str, message: str, simulator: str, verilog: str, tmp_path: Path
) -> None:
    unfit, count = re.subn(pattern, replacement, verilog)
    assert count >= 1
    use_build_folder(tmp_path)
    (tmp_path / "unfit.v").write_text(unfit)
    done = run(*_COMMAND, "unfit.v", "--simulator", simulator, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert re.search(message, line), line


def test_only_known_simulators_are_taken(tmp_path: Path) -> None:
    done = run("regress", "4/4/4/6", "--simulator", "vcs", cwd=tmp_path)
    assert done.returncode == 2
    assert "'vcs' is not one of 'verilator', 'icarus'" in done.stderr
