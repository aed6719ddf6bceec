"""The command `ppa`, and its baseline."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tools.command_line import run
from tests.tools.ppa import needs_flow

_COMMAND = ("ppa", "4/4U/4/6", "--vector-size", "4", "--vectors", "100")


def test_missing_programs_are_one_line_that_says_what_to_install(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "scalewright.sim.cli", *_COMMAND],
        cwd=tmp_path,
        env={"PATH": str(tmp_path), "PYTHONPATH": str(Path.cwd())},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "`apt-get install iverilog opensta yosys" in line


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--weights", "w.npy"), "--weights and --activations go together"),
        (("--cells", __file__), "--liberty and --cells go together"),
        (("--vectors", "99"), "99 is not in the range x>=100"),
        (("--baseline", "none.json"), "none.json"),
        (("--dsp-multipliers",), "only --block rescaler takes --dsp-multipliers, not vector-mac"),
    ],
)
def test_bad_input_is_refused(options: tuple[str, ...], message: str, tmp_path: Path) -> None:
    done = run("ppa", "4/4/-/-", *options, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@needs_flow
def test_baseline_lets_the_same_through_and_refuses_growth(tmp_path: Path) -> None:
    first = run(*_COMMAND, "--json", "then.json", cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    results = json.loads((tmp_path / "then.json").read_text())
    assert set(results["tools"]) == {"yosys", "sta", "iverilog"}
    (measurement,) = results["measurements"]
    assert measurement["vectors"] == 100
    assert run(*_COMMAND, "--baseline", "then.json", cwd=tmp_path).returncode == 0

    # As if it had been 4 % smaller then.
    measurement["area"] /= 1.04
    (tmp_path / "smaller.json").write_text(json.dumps(results))
    grown = run(*_COMMAND, "--baseline", "smaller.json", cwd=tmp_path)
    assert grown.returncode == 4
    assert grown.stderr.splitlines() == ["4_4U_4_6_v4_c24: area has grown by 4.0 %"]


@needs_flow
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "baseline.json: not what `scalewright ppa --json` writes"),
        ('{"measurements": []}', "baseline.json: has no vector-mac 4_4U_4_6_v4_c24"),
    ],
)
def test_baseline_of_something_else_is_refused(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "baseline.json").write_text(text)
    done = run(*_COMMAND, "--baseline", "baseline.json", cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr


@needs_flow
def test_rescaler_has_energy_by_result_and_none_by_multiplication(tmp_path: Path) -> None:
    done = run(*_COMMAND, "--block", "rescaler", "--json", "ppa.json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "pJ / result" in done.stdout
    assert "pJ / MAC" not in done.stdout
    (measurement,) = json.loads((tmp_path / "ppa.json").read_text())["measurements"]
    done = run(
        *_COMMAND, "--block", "rescaler", "--dsp-multipliers", "--json", "plain.json", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    (other,) = json.loads((tmp_path / "plain.json").read_text())["measurements"]
    assert measurement["area"] < 0.85 * other["area"]
    assert (measurement["subject"]["fused"], other["subject"]["fused"]) == (True, False)
    assert measurement["subject"]["block"] == "rescaler"
    assert measurement["energy"] > measurement["sequential_energy"] > 0
    assert measurement["energy_per_mac"] is None
