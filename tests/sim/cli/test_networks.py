"""Networks on the command line: what works, in processes of their own, as users meet it."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from scalewright.sim.demo.digits.models import CONVOLUTIONAL, calibration_images
from scalewright.sim.demo.digits.network import Digits
from tests.tools.command_line import run, use_build_folder
from tests.tools.shell import call


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with images, labels and a float network, and the simulators of this tree."""
    return _fill(tmp_path)


def _fill(tmp_path: Path) -> Path:
    use_build_folder(tmp_path)
    digits = Digits.load()
    np.save(tmp_path / "calibration.npy", calibration_images())
    np.save(tmp_path / "images.npy", digits.images.reshape(-1, 1, 8, 8)[:3])
    np.save(tmp_path / "labels.npy", digits.labels[:3])
    np.save(tmp_path / "flat.npy", digits.images)
    np.save(tmp_path / "nan.npy", np.full((1, 1, 8, 8), np.nan, np.float32))
    (tmp_path / "float.onnx").write_bytes(CONVOLUTIONAL.read_bytes())
    (tmp_path / "prose.onnx").write_text("Dear reader,\n")
    return tmp_path


_QUANTIZE = ("quantize", "float.onnx", "--calibrate", "calibration.npy", "--config", "4/4U/4/6")


@pytest.fixture(scope="module")
def quantized_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = _fill(tmp_path_factory.mktemp("quantized"))
    done = run(*_QUANTIZE, "--json", "quantize.json", "-o", "vsq.onnx", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    return folder


@pytest.fixture
def quantized(folder: Path, quantized_once: Path) -> Path:
    """The folder, with the quantized network."""
    for name in ("quantize.json", "vsq.onnx"):
        shutil.copy(quantized_once / name, folder)
    return folder


def test_quantizes_and_runs_on_the_engine_without_mismatches(quantized: Path) -> None:
    facts = json.loads((quantized / "quantize.json").read_text())
    assert [layer["name"] for layer in facts["layers"]] == ["conv1", "conv2", "conv3", "linear"]
    assert all(layer["results_snr_db"] > 10 for layer in facts["layers"])
    done = run(
        "run", "vsq.onnx", "images.npy", "--labels", "labels.npy", "--out", "out.npz",
        "--json", "run.json", cwd=quantized,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert "0 mismatches between RTL and golden" in done.stdout
    facts = json.loads((quantized / "run.json").read_text())
    assert (facts["mismatches"], facts["accuracy"]) == (0, 1.0)
    # Vectors of 16: one for conv1's channels, two for those of conv2 and conv3, 64, 64 and 16
    # places; 16 lanes of the last layer come 4 at a time.
    assert [layer["results"] for layer in facts["layers"]] == [3 * 64, 3 * 128, 3 * 32, 3 * 4]
    assert all(layer["utilisation"] > 0.1 for layer in facts["layers"])
    done = run(
        "run", "vsq.onnx", "images.npy", "--on", "golden", "--out", "golden.npz", cwd=quantized
    )
    assert (done.returncode, done.stderr) == (0, "")
    outputs = [np.load(quantized / name)["outputs"] for name in ("out.npz", "golden.npz")]
    assert np.array_equal(*outputs)
    assert outputs[0].shape == (3, 10)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run", "float.onnx", "images.npy"), r"not a quantized network: `scalewright quantize`"),
        (("run", "prose.onnx", "images.npy"), r"prose\.onnx: not a valid ONNX model"),
        (("run", "none.onnx", "images.npy"), r"none\.onnx: No such file"),
        (("run", "vsq.onnx", "none.npy"), r"none\.npy: no such file"),
        (
            ("run", "vsq.onnx", "flat.npy"),
            r"flat\.npy: the model takes inputs \(N, 1, 8, 8\), not \(\d+, 64\)",
        ),
        (("run", "vsq.onnx", "nan.npy"), r"nan\.npy: .*64 of 64 elements are NaN"),
        (("run", "vsq.onnx", "images.npy", "--labels", "flat.npy"), r"labels must be 3 integers"),
        (("run", "vsq.onnx", "images.npy", "--lanes", "3"), r"lanes must be a power of two"),
        (("run", "vsq.onnx", "images.npy", "--out", "x.txt"), r"x\.txt"),
        ((*_QUANTIZE[:3], "nan.npy", *_QUANTIZE[4:], "-o", "q.onnx"), r"64 of 64 elements are NaN"),
        (
            (*_QUANTIZE[:3], "flat.npy", *_QUANTIZE[4:], "-o", "q.onnx"),
            r"flat\.npy: the model takes inputs \(N, 1, 8, 8\), not",
        ),
        (
            (_QUANTIZE[0], "prose.onnx", *_QUANTIZE[2:], "-o", "q.onnx"),
            r"prose\.onnx: not a valid ONNX model",
        ),
        ((*_QUANTIZE, "--result-bits", "7", "-o", "q.onnx"), r"result_bits .* from 8 to 32, not 7"),
        ((*_QUANTIZE, "--clip", "median", "-o", "q.onnx"), r"'median'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_bad_input_is_one_line_and_status_2(
    arguments: tuple[str, ...],
    message: str,
    quantized: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    before = sorted(path.name for path in quantized.iterdir())
    monkeypatch.chdir(quantized)
    status = call(*arguments)
    said = capfd.readouterr().err
    assert status == 2, said
    assert re.fullmatch(r"scalewright: .+\n", said), said
    assert re.search(message, said), said
    assert sorted(path.name for path in quantized.iterdir()) == before


def test_says_which_depth_would_hold_the_weights(quantized: Path) -> None:
    options = ("--lanes", "2", "--depth", "32", "--post-lanes", "2")
    np.save(quantized / "one.npy", calibration_images()[:1])
    done = run("run", "vsq.onnx", "one.npy", *options, cwd=quantized)
    assert (done.returncode, done.stderr) == (0, "")
    # 9 taps of 1 and 2 vectors, in 8 groups of 2 lanes for a vector of 16 results.
    assert re.search(r"weights of conv1, .* do not fit .*--depth 144 would hold", done.stdout)


def test_engine_generates(tmp_path: Path) -> None:
    options = ("4/4U/4/6", "--block", "engine", "--lanes", "4", "--depth", "8")
    done = run("generate", *options, "-o", "engine.v", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    description = json.loads((tmp_path / "engine.json").read_text())
    assert set(description["streams"]) == {"weights", "parameters", "activations", "results"}
    assert description["configuration"]["depth"] == 8


def test_regression_of_an_engine_says_how_to_replay_it(tmp_path: Path) -> None:
    use_build_folder(tmp_path)
    options = (
        *("4/4U/4/6", "--vector-size", "4", "--block", "engine"),
        *("--lanes", "2", "--depth", "6", "--post-lanes", "2"),
    )
    done = run("regress", *options, "--vectors", "500", "--json", "out.json", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    (verdict,) = json.loads((tmp_path / "out.json").read_text())
    assert verdict["mismatches"] == 0
    assert "--lanes 2 --depth 6 --post-lanes 2 --result-bits 18" in verdict["regression"]["replay"]
