"""Regressions in Icarus: as in Verilator, and every bit that nothing defines is seen."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from scalewright.golden.config import DatapathConfig
from scalewright.sim.bench.plan import Outcome
from scalewright.sim.blocks import design_of
from scalewright.sim.ppa.tools import require_programs
from scalewright.sim.regression.regress import Regression, regress
from scalewright.sim.simulators.build import PLAYER, SIMULATORS, VERILATOR, BuildError, build
from scalewright.sim.simulators.icarus import compile_verilog, find_icarus, run_program
from scalewright.sim.simulators.simulation import SimulationError, simulate
from scalewright.sim.simulators.simulator import Simulator
from scalewright.sim.simulators.toolchain import ToolError
from tests.benches.stage import WORDS, phases, stage
from tests.tools.command_line import lend_libraries
from tests.tools.ppa import needs_programs

needs_icarus = needs_programs("iverilog", "vvp")

_ICARUS = SIMULATORS["icarus"]
_MISSING = "iverilog is missing: install it, e.g. `apt-get install iverilog`"


def _failure(*replacements: tuple[str, str]) -> Outcome:
    failure = simulate(build(stage(*replacements), simulator=_ICARUS), phases()).failure
    assert failure is not None
    return failure


@needs_icarus
@pytest.mark.parametrize(
    ("notation", "options"),
    [
        ("4/4U/4/6", {"vector_size": 4, "scale_product_bits": 6}),
        ("2/3U/-/-", {"vector_size": 4}),
        ("4/4/4/6", {"vector_size": 16}),
        ("5/5/-/-", {"vector_size": 8, "accumulator_bits": 32}),
        ("3/6/5/-", {"vector_size": 4, "accumulator_bits": 16}),
    ],
)
def test_vector_mac_equals_golden(notation: str, options: dict[str, int]) -> None:
    config = DatapathConfig.parse(notation, **options)
    verdict = regress(Regression("vector-mac", config, 300, 1, simulator="icarus"))
    assert verdict.failure is None, verdict.failure
    assert verdict.results > 500


@needs_icarus
def test_plays_what_verilator_plays() -> None:
    config = DatapathConfig.parse("4/4U/4/6", vector_size=4, scale_product_bits=6)
    icarus, verilator = (
        regress(Regression("vector-mac", config, 300, 5, simulator=name)).as_dict()
        for name in ("icarus", "verilator")
    )
    assert icarus.pop("regression")["simulator"] == "icarus"
    assert verilator.pop("regression")["simulator"] == "verilator"
    assert icarus == verilator


@needs_icarus
def test_unknown_registers_that_are_not_looked_at_are_none_of_its_business() -> None:
    run = simulate(build(stage(), simulator=_ICARUS), phases())
    assert run.failure is None
    assert [outcome.phase for outcome in run.outcomes] == [phase.name for phase in phases()]


@needs_icarus
@pytest.mark.parametrize(
    ("sound", "faulty", "message"),
    [
        pytest.param(
            "o_valid = full", "o_valid = full | never", "o_valid is X", id="valid"
        ),
        pytest.param(
            "assign o_valid = full;", "", "o_valid is Z", id="valid-undriven"
        ),
        pytest.param(
            "if (rst) full <= 0;", "", "o_valid is X", id="no-reset"
        ),
        pytest.param(
            "= !full | o_ready", "= (!full | o_ready) & never", "i_ready is X", id="ready"
        ),
        pytest.param(
            "assign i_ready = !full | o_ready;", "", "i_ready is Z", id="ready-undriven"
        ),
        # While nothing is offered, the payload is unknown.
        pytest.param(
            "full <= i_valid", "full <= i_valid | ^i_payload", "o_valid is X",
            id="valid-from-an-invalid-payload",
        ),
        pytest.param(
            "= !full | o_ready", "= (!full | o_ready) & (^i_payload | 1'b1 & i_valid)",
            "i_ready is X", id="ready-from-an-invalid-payload",
        ),
    ],
)  # fmt: skip
def test_sees_an_unknown_handshake_after_reset(sound: str, faulty: str, message: str) -> None:
    failure = _failure((sound, faulty))
    assert failure.phase == "plain"
    assert re.fullmatch(rf"{message} in cycle \d+ after reset", failure.violations[0])
    assert len(failure.violations) == 1


@needs_icarus
@pytest.mark.parametrize(
    ("payload", "message"),
    [
        ("{data[7:4], never, data[2:0]}", "bit 3 of o_payload is X in cycle 1 after reset"),
        ("data + never", "bits 0 to 7 of o_payload are X in cycle 1 after reset"),
        ("{2'bxx, data[5:2], 1'bz, data[0]}",
         "bits 1, 6 to 7 of o_payload are X or Z in cycle 1 after reset"),
        # 116 is the seventeenth word, one a cycle, after a latency of one.
        ("data == 116 ? {never, data[6:0]} : data",
         "bit 7 of o_payload is X in cycle 17 after reset"),
    ],
)  # fmt: skip
def test_sees_unknown_bits_of_a_payload(payload: str, message: str) -> None:
    failure = _failure(("o_payload = data", f"o_payload = {payload}"))
    assert failure.violations == [message]
    # The results before it count, and none after it.
    arrived = len(failure.results["o"])
    assert failure.results["o"].tolist() == WORDS[:arrived].tolist()
    assert failure.mismatches[0].index == arrived
    assert failure.mismatches[0].got is None


@needs_icarus
def test_sees_unknown_bits_while_stalled() -> None:
    failure = _failure(("o_payload = data", "o_payload = o_ready ? data : {8{never}}"))
    assert failure.phase == "patient"
    assert failure.violations == ["bits 0 to 7 of o_payload are X in cycle 1 after reset"]


@needs_icarus
def test_failure_names_the_simulator_to_replay_with(tmp_path: Path) -> None:
    config = DatapathConfig.parse("2/3U/-/-", vector_size=4)
    good = design_of("vector-mac", config).verilog
    bad, count = re.subn(r"assign i_ready = .*", "assign i_ready = 1'bx;", good)
    assert count == 1
    (tmp_path / "bad.v").write_text(bad)
    regression = Regression(
        "vector-mac", config, 100, 3, verilog=tmp_path / "bad.v", simulator="icarus"
    )
    failure = regress(regression).failure
    assert failure is not None
    assert failure.startswith("phase single: i_ready is X in cycle 0 after reset\n")
    assert failure.endswith("--simulator icarus --waves")


@needs_icarus
def test_waves_are_recorded() -> None:
    config = DatapathConfig.parse("2/3U/-/-", vector_size=4)
    verdict = regress(Regression("vector-mac", config, 60, 0, "random", True, simulator="icarus"))
    assert verdict.failure is None
    assert verdict.waves is not None
    assert verdict.waves.suffix == ".fst"
    assert verdict.waves.stat().st_size > 1000


@needs_icarus
def test_builds_once_for_each_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lend_libraries(tmp_path)
    monkeypatch.setenv("SCALEWRIGHT_BUILD", str(tmp_path))
    first = build(stage(), simulator=_ICARUS)
    stamp = (first.folder / "sim.vvp").stat().st_mtime_ns
    assert build(stage(), simulator=_ICARUS) == first
    assert (first.folder / "sim.vvp").stat().st_mtime_ns == stamp
    others = [
        build(stage(("= data", "= ~data")), simulator=_ICARUS),
        build(stage(), simulator=_ICARUS, waves=True),
        build(stage(), lint=False),
    ]
    assert len({each.folder for each in (first, *others)}) == 4


@needs_icarus
@pytest.mark.parametrize(
    ("sound", "faulty", "message"),
    [
        ("endmodule", "", r"^stage does not build, see \S+failed.log: stage.v:\d+: syntax error$"),
        ("module stage", "module other", r"Unable to find the root module \"stage\""),
        ("never;", "never; missing m();", r"Unknown module type: missing$"),
    ],
)
def test_refusal_is_one_line(
    sound: str, faulty: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCALEWRIGHT_BUILD", str(tmp_path))
    with pytest.raises(BuildError, match=message) as caught:
        build(stage((sound, faulty)), simulator=_ICARUS)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "simulator", [VERILATOR, PLAYER, pytest.param(_ICARUS, marks=needs_icarus)], ids=str
)
@pytest.mark.parametrize(
    ("replacements", "message"),
    [
        ([("input o_ready", "input ready"), ("| o_ready", "| ready")],
         r"^stage has no port o_ready$"),
        ([("input clk", "input clock"), ("posedge clk", "posedge clock")],
         r"^stage has no port clk$"),
        ([("[7:0] i_payload", "[8:0] i_payload"), ("<= i_payload", "<= i_payload[7:0]")],
         r"^stage has 9 bits in port i_payload, not 8$"),
    ],
)  # fmt: skip
def test_missing_port_is_one_line(
    replacements: list[tuple[str, str]], message: str, simulator: Simulator
) -> None:
    built = build(stage(*replacements), lint=False, simulator=simulator)
    with pytest.raises(SimulationError, match=message):
        simulate(built, phases())


def test_missing_icarus_is_one_line_and_status_2(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "scalewright.sim.cli",
            "regress",
            "4/4/4/6",
            "--simulator",
            "icarus",
        ],
        cwd=tmp_path,
        env={"PATH": str(tmp_path), "PYTHONPATH": str(Path.cwd())},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"scalewright: {_MISSING}\n"


def test_an_icarus_that_makes_nothing_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("iverilog", "vvp"):
        (tmp_path / name).write_text("#!/bin/sh\necho 1.0\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    find_icarus.cache_clear()
    (tmp_path / "a.vvp").write_text("of a former run")
    with pytest.raises(ToolError, match=r"^Icarus failed in \S+: 1\.0$"):
        compile_verilog(["a.v"], "a.vvp", tmp_path, [])
    find_icarus.cache_clear()


def test_everything_that_needs_icarus_says_so_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    find_icarus.cache_clear()
    messages = []
    for call in (
        lambda: compile_verilog(["a.v"], "a.vvp", tmp_path, []),
        lambda: run_program("a.vvp", tmp_path),
        lambda: require_programs("iverilog", "vvp"),
        lambda: build(stage(), simulator=_ICARUS),
    ):
        with pytest.raises(ToolError) as caught:
            call()
        messages.append(str(caught.value))
    assert messages == [_MISSING] * 4
