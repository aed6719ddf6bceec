"""The command line as users meet it: most commands in processes of their own."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from scalewright.sim.cli import COMMANDS
from tests.tools.command_line import run as _run
from tests.tools.command_line import use_build_folder
from tests.tools.shell import call


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with tensors, good and bad, and the simulators of this tree."""
    use_build_folder(tmp_path)
    rng = np.random.default_rng(0)
    tensors = {
        "w": rng.standard_normal((3, 20)).astype(np.float32),
        "a": rng.standard_normal((4, 20)).astype(np.float32),
        "short": np.ones((4, 19), np.float32),
        "vector": np.ones(20, np.float32),
        "empty": np.ones((0, 20), np.float32),
        "complex": np.ones((4, 20), np.complex64),
        "text": np.array([["a"] * 20]),
        "nan": np.where(np.arange(80).reshape(4, 20) == 25, np.nan, 1).astype(np.float32),
        "inf": np.full((4, 20), np.inf, np.float32),
    }
    for name, tensor in tensors.items():
        np.save(tmp_path / f"{name}.npy", tensor)
    np.save(tmp_path / "object.npy", np.array([[None]], object), allow_pickle=True)
    (tmp_path / "prose.npy").write_text("Dear reader,\n")
    np.savez(tmp_path / "both.npz", w=tensors["w"], a=tensors["a"])
    return tmp_path


_COMPARE = ("compare", "w.npy", "a.npy", "--config", "4/4/4/6")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("generate", "4/4/4", "-o", "out.v"), r"notation must be W/A/ws/as, .* not '4/4/4'"),
        (("generate", "9/4/4/4", "-o", "out.v"), r"element_bits .* from 2 to 8, not 9"),
        (("generate", "4/4/-/6/2", "-o", "out.v"), r"not '4/4/-/6/2'"),
        (("generate", "x/y/z/w", "-o", "out.v"), r"not 'x/y/z/w'"),
        (("generate", "chip-3nm", "-o", "out.v"), r"presets are chip-5nm, "),
        (("generate", "4/4/4/6", "--vector-size", "24", "-o", "out.v"), r"power of two .* not 24"),
        (("generate", "4/4/4/6", "--vector-size", "big", "-o", "out.v"), r"'big' is not a valid"),
        (("generate", "4/4/4/6", "--scale-product-bits", "0", "-o", "out.v"), r"1 to 10, not 0"),
        (("generate", "4/4/4/6", "--scale-product-bits", "11", "-o", "out.v"), r"1 to 10, not 11"),
        (("generate", "4/4/-/-", "--scale-product-bits", "1", "-o", "out.v"), r"left out .* not 1"),
        (("generate", "4/4/4/6", "--accumulator-bits", "49", "-o", "out.v"), r"16 to 48, not 49"),
        (("generate", "4/4/4/6", "--accumulator-bits", "wide", "-o", "out.v"), r"not 'wide'"),
        (("generate", "4/4/4/6", "--accumulator-bits", "exact", "-o", "out.v"), r"go together"),
        (("generate", "4/4/4/6", "--pipeline-depth", "4", "-o", "out.v"), r"from 1 to 3, not 4"),
        (("generate", "4/4/4/6", "--block", "engine9", "-o", "out.v"), r"'engine9' is not"),
        (
            ("generate", "4/4/4/6", "--name", "1x", "-o", "out.v"),
            r"name must be an identifier .*, not '1x'",
        ),
        (("generate", "4/4/4/6", "-o", "out.txt"), r"out.txt: the Verilog file must end in \.v"),
        (("generate", "4/4/4/6", "-o", "w.npy/out.v"), r"w\.npy: "),
        (("generate", "4/4/4/6"), r"Missing option '-o'"),
        (("generate", "-o", "out.v"), r"generate needs a NOTATION"),
        (
            ("generate", "4/4/4/6", "--lanes", "8", "-o", "out.v"),
            r"only --block octav or rescaler .* takes --lanes, not vector-mac",
        ),
        (("generate", "4/4/4/6", "--block", "octav", "-o", "out.v"), r"takes neither a NOTATION"),
        (("generate", "--block", "octav", "--lanes", "3", "-o", "out.v"), r"1 to 64, not 3"),
        (("generate", "--block", "octav", "--depth", "12", "-o", "out.v"), r"of 8 lanes, not 12"),
        (("generate", "--block", "octav", "--sample-bits", "1", "-o", "out.v"), r"2 to 24, not 1"),
        (("regress", "4/4/4/6", "--vectors", "0"), r"0 is not in the range x>=1"),
        (("regress", "4/4/4/6", "--phase", "noon"), r"phase must be one of .*, not noon"),
        (("regress", "--verilog", "w.npy"), r"give one configuration"),
        (("regress", "4/4/4/6", "--verilog", "none.v"), r"'none\.v' does not exist"),
        (("compare", "none.npy", "a.npy", "--config", "4/4/4/6"), r"none\.npy: no such file"),
        (("compare", "prose.npy", "a.npy", "--config", "4/4/4/6"), r"prose\.npy: not a readable"),
        (("compare", "object.npy", "a.npy", "--config", "4/4/4/6"), r"object\.npy: not a readable"),
        (("compare", "complex.npy", "a.npy", "--config", "4/4/4/6"), r"complex\.npy: .*complex64"),
        (("compare", "text.npy", "a.npy", "--config", "4/4/4/6"), r"text\.npy: .*real numbers"),
        (("compare", "w.npy", "short.npy", "--config", "4/4/4/6"), r"\(3, 20\) .* \(4, 19\)"),
        (("compare", "w.npy", "vector.npy", "--config", "4/4/4/6"), r"must be a matrix, .*\(20,\)"),
        (("compare", "w.npy", "empty.npy", "--config", "4/4/4/6"), r"empty\.npy: .*\(0, 20\)"),
        (("compare", "w.npy", "nan.npy", "--config", "4/4/4/6"), r"1 of 80 .* at \[1, 5\]: nan"),
        (("compare", "inf.npy", "a.npy", "--config", "4/4/4/6"), r"80 of 80 .* at \[0, 0\]: inf"),
        (("compare", "both.npz", "a.npy", "--config", "4/4/4/6"), r"name one .* it has w, a"),
        (("compare", "w.npy", "a.npy"), r"Missing option '--config'"),
        ((*_COMPARE, "--vector-size", "3"), r"not 3"),
        ((*_COMPARE, "--out", "out.txt"), r"out\.txt: results go to a \.npz or a \.safetensors"),
        ((*_COMPARE, "--out", "w.npy/out.npz"), r"w\.npy: "),
        ((*_COMPARE, "--json", "."), r"is a folder"),
        ((*_COMPARE, "--clip", "best"), r"clipping method must be max, .* not 'best'"),
        ((*_COMPARE, "--clip", "percentile:0"), r"at most 100, not 0"),
        (("calibrate", "w.npy"), r"Missing option '--bits'"),
        (("calibrate", "w.npy", "--bits", "9"), r"2 to 8, not 9"),
        (("calibrate", "none.npy", "--bits", "4"), r"none\.npy: no such file"),
        (("calibrate", "nan.npy", "--bits", "4"), r"nan\.npy: .*1 of 80 .* at \[1, 5\]: nan"),
        (("calibrate", "text.npy", "--bits", "4"), r"text\.npy: .*real numbers"),
        (("calibrate", "w.npy", "--bits", "4", "--per", "layer"), r"'layer' is not one of"),
        (("calibrate", "w.npy", "--bits", "4", "--plot", "x.txt"), r"must end in \.png, \.svg or"),
        (("calibrate", "w.npy", "--bits", "4", "--out", "x.txt"), r"results go to a \.npz or"),
        (("vectors", "4/4/4/6", "-o", "w.npy"), r"w\.npy: "),
        (("vectors", "4/4/4/6", "-o", "out", "--weights", "w.npy"), r"go together"),
        (("demo", "--images", "361"), r"361 is not in the range"),
        (("no-such-command",), r"No such command 'no-such-command'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_bad_input_is_one_line_and_status_2(
    arguments: tuple[str, ...],
    message: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    before = sorted(path.name for path in folder.iterdir())
    monkeypatch.chdir(folder)
    status = call(*arguments)
    printed = capfd.readouterr()
    assert status == 2, printed.err
    assert re.fullmatch(r"scalewright: .+\n", printed.err), printed.err
    assert re.search(message, printed.err)
    assert "Traceback" not in printed.out
    assert sorted(path.name for path in folder.iterdir()) == before


def test_missing_tool_is_one_line_and_status_2(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "scalewright.sim.cli", "regress", "4/4/4/6"],
        cwd=folder,
        env={"PATH": str(folder), "PYTHONPATH": str(Path.cwd())},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == ("scalewright: g++ is missing: install it, e.g. `apt-get install g++`\n")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(command, "--help") == 0
    assert f"Example:\n    scalewright {command}" in capsys.readouterr().out


def test_bad_input_ends_a_process_with_status_2(folder: Path) -> None:
    done = _run("generate", "4/4/4", "-o", "out.v", cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(r"scalewright: notation must be W/A/ws/as, .*\n", done.stderr)


def test_help_lists_the_commands(tmp_path: Path) -> None:
    done = _run("--help", cwd=tmp_path)
    assert all(f"  {command} " in done.stdout for command in COMMANDS)


def test_generate_takes_less_than_two_seconds_of_a_processor(tmp_path: Path) -> None:
    # Of the processor, not of the clock: other tests run at the same time.
    arguments = ("generate", "4/4/4/6", "--vector-size", "16", "-o", "build/mac.v")
    _run(*arguments, cwd=tmp_path)  # warms caches
    started = os.times()
    done = _run(*arguments, "--json", "build/result.json", cwd=tmp_path)
    ended = os.times()
    seconds = ended.children_user - started.children_user
    seconds += ended.children_system - started.children_system
    assert done.returncode == 0, done.stderr
    assert seconds < 2
    assert "module vector_mac (" in (tmp_path / "build/mac.v").read_text()
    description = json.loads((tmp_path / "build/mac.json").read_text())
    assert description["configuration"]["notation"] == "4/4/4/6"
    assert json.loads((tmp_path / "build/result.json").read_text())["verilog"] == "build/mac.v"


def test_generate_takes_a_preset_and_overrides(tmp_path: Path) -> None:
    options = ("--vector-size", "32", "--pipeline-depth", "3")
    done = _run("generate", "chip-5nm", *options, "-o", "chip.v", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    description = json.loads((tmp_path / "chip.json").read_text())
    configuration = description["configuration"]
    assert (configuration["vector_size"], configuration["scale_product_bits"]) == (32, 8)
    assert configuration["pipeline_depth"] == 3
    assert description["timing"]["latency"].startswith("3 cycles ")


def test_regress_reports_and_fails_on_a_defect(tmp_path: Path) -> None:
    use_build_folder(tmp_path)
    options = ("regress", "4/4/-/-", "--vector-size", "4", "--vectors", "60")
    done = _run(*options, "--json", "good.json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (verdict,) = json.loads((tmp_path / "good.json").read_text())
    assert (verdict["mismatches"], verdict["failure"]) == (0, None)
    _run("generate", "4/4/-/-", "--vector-size", "4", "-o", "mac.v", cwd=tmp_path)
    path = tmp_path / "mac.v"
    sound = path.read_text()
    assert sound.count("assign above = ") == sound.count("assign s0_dot_bits_0 = ") == 1
    path.write_text(sound.replace("assign above = ", "assign above = 1'b0 & "))
    done = _run(*options, "--verilog", "mac.v", "--json", "bad.json", cwd=tmp_path)
    assert done.returncode == 0, "4/4/-/- V=4 cannot saturate 24 bits in these sums"
    path.write_text(sound.replace("assign s0_dot_bits_0 = ", "assign s0_dot_bits_0 = ~"))
    done = _run(*options, "--verilog", "mac.v", "--json", "bad.json", cwd=tmp_path)
    assert done.returncode == 1
    assert "FAILED 4_4_x_x" in done.stderr
    assert "--waves" in done.stderr
    (verdict,) = json.loads((tmp_path / "bad.json").read_text())
    assert verdict["mismatches"] > 0


def test_compare_writes_what_it_computed(folder: Path) -> None:
    done = _run(
        "compare", "both.npz:w", "both.npz:a", "--config", "4/4/4/6", "--scaling", "ceil", "--rtl",
        "--out", "out.npz", "--json", "out.json", cwd=folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    summary = json.loads((folder / "out.json").read_text())
    assert (summary["mismatches"], summary["accumulators"]) == (0, 12)
    with np.load(folder / "out.npz") as out:
        assert out["accumulators"].shape == (4, 3)
        assert out["weights.elements"].dtype == np.int8
        assert out["weights.scales"].dtype == np.uint16
        assert json.loads(str(out["metadata"]))["config"]["notation"] == "4/4/4/6"
        exact = np.load(folder / "a.npy") @ np.load(folder / "w.npy").T
        assert 10 * np.log10((exact**2).sum() / ((exact - out["product"]) ** 2).sum()) > 12


def test_vectors_writes_the_same_files_for_the_same_seed(folder: Path) -> None:
    for name, options in (
        ("one", ("--seed", "7", "--vectors", "50")),
        ("two", ("--seed", "7", "--vectors", "50")),
        ("tensors", ("--weights", "w.npy", "--activations", "a.npy")),
    ):
        done = _run("vectors", "4/4U/4/6", "-o", name, *options, cwd=folder)
        assert done.returncode == 0, done.stderr
    for path in (folder / "one").iterdir():
        assert path.read_bytes() == (folder / "two" / path.name).read_bytes()
    manifest = json.loads((folder / "tensors" / "manifest.json").read_text())
    assert (manifest["inputs"], manifest["results"]) == (3 * 4 * 2, 3 * 4)
    assert manifest["source"]["weights"] == "w.npy"


def test_demo_ends_in_a_table_without_mismatches(tmp_path: Path) -> None:
    use_build_folder(tmp_path)
    done = _run("demo", "--images", "2", "--json", "demo.json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "0 mismatches between RTL and golden" in done.stdout
    rows = json.loads((tmp_path / "demo.json").read_text())
    assert [row["mismatches"] for row in rows["vector_mac"]] == [0] * 5
    assert [row["mismatches"] for row in rows["engine"]] == [0] * 4
    assert all(row["golden_accuracy"] == row["rtl_accuracy"] for row in rows["engine"])


def test_calibrate_prints_draws_and_writes(folder: Path) -> None:
    done = _run(
        "calibrate", "w.npy", "--bits", "4", "--per", "channel",
        "--plot", "clip.svg", "--out", "clip.npz", "--json", "clip.json", cwd=folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    choices = {
        choice["method"]: choice for choice in json.loads((folder / "clip.json").read_text())
    }
    assert choices["max"]["thresholds"] == np.abs(np.load(folder / "w.npy")).max(axis=1).tolist()
    assert choices["optimal"]["mean_mse"] == min(c["mean_mse"] for c in choices.values())
    assert set(choices["octav"]["ends"]) <= {"fixed", "cycle"}
    assert "<svg" in (folder / "clip.svg").read_text()
    with np.load(folder / "clip.npz") as out:
        assert out["octav"].shape == (3,)


def test_compare_clips_as_asked(folder: Path) -> None:
    noise = {}
    for clip in ("max", "mse"):
        done = _run(
            "compare", "w.npy", "a.npy", "--config", "3/3/-/-", "--clip", clip, "--rtl",
            "--json", "out.json", cwd=folder,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        summary = json.loads((folder / "out.json").read_text())
        assert (summary["mismatches"], summary["clip"]) == (0, clip)
        noise[clip] = summary["signal_to_noise_db"]
    assert noise["max"] != noise["mse"]


def test_octav_unit_generates_and_regresses(tmp_path: Path) -> None:
    use_build_folder(tmp_path)
    options = ("--block", "octav", "--lanes", "2", "--depth", "16", "--sample-bits", "8")
    done = _run("generate", *options, "-o", "octav.v", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    description = json.loads((tmp_path / "octav.json").read_text())
    assert description["configuration"]["depth"] == 16
    assert "p (b + 1)" in description["timing"]["latency"]
    done = _run("regress", *options, "--tensors", "20", "--json", "out.json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (verdict,) = json.loads((tmp_path / "out.json").read_text())
    assert verdict["mismatches"] == 0
    assert verdict["regression"]["replay"].startswith("scalewright regress --sample-bits 8")


def test_zeros_have_no_noise_and_json_no_nan(folder: Path) -> None:
    np.save(folder / "zeros.npy", np.zeros((2, 20), np.float32))
    done = _run(
        "compare", "zeros.npy", "a.npy", "--config", "4/4/4/6", "--rtl", "--json", "out.json",
        cwd=folder,
    )  # fmt: skip
    assert done.returncode == 0
    assert done.stderr == ""
    assert json.loads((folder / "out.json").read_text())["signal_to_noise_db"] is None
    done = _run(
        "calibrate", "zeros.npy", "--bits", "4", "--plot", "zeros.png", "--json", "out.json",
        cwd=folder,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert all(choice["mean_mse"] == 0 for choice in json.loads((folder / "out.json").read_text()))
