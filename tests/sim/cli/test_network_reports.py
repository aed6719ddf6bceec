"""What `quantize` and `run --on golden` tell, in process."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from scalewright.sim.cli.commands import cli
from scalewright.sim.cli.program import terminal
from scalewright.sim.cli.program.table import number
from scalewright.sim.demo.digits.models import CONVOLUTIONAL, calibration_images
from scalewright.sim.demo.digits.network import Digits
from tests.tools.shell import call


def _run(*arguments: str) -> tuple[str, dict[str, Any]]:
    done = CliRunner().invoke(cli, [*arguments, "--json", "out.json"], catch_exceptions=False)
    return done.output, json.loads(Path("out.json").read_text())


@pytest.fixture
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    digits = Digits.load()
    np.save("calibration.npy", calibration_images()[:20])
    np.save("images.npy", 2 * digits.images.reshape(-1, 1, 8, 8)[:20])
    np.save("labels.npy", digits.labels[:20])
    Path("float.onnx").write_bytes(CONVOLUTIONAL.read_bytes())


@pytest.mark.usefixtures("_folder")
def test_golden_tells_of_each_layer_and_what_comes_next() -> None:
    quantized = "quantize float.onnx --calibrate calibration.npy --config 4/4U/4/6 -o q.onnx"
    # What is learned within the calibrated range need not help beyond it.
    text, facts = _run(*quantized.split(), "--correction", "none")
    following = "scalewright run q.onnx calibration.npy --float float.onnx --on golden"
    assert text.endswith(f"\nNext: {following}\n")
    assert facts["next"] == following
    command = "run q.onnx images.npy --labels labels.npy --on golden"
    text, facts = _run(*command.split(), "--float", "float.onnx")
    layers = facts["layers"]
    assert [layer["name"] for layer in layers] == ["conv1", "conv2", "conv3", "linear"]
    assert all(5 < layer["snr_db"] < 40 for layer in layers)
    # Inputs of twice the range that was calibrated.
    assert facts["saturated"] == sum(layer["saturated"] for layer in layers) > 0
    for layer in layers:
        assert number(layer["snr_db"]) in text
    assert facts["float_accuracy"] == 0.85
    assert f"{100 * facts['accuracy']:.2f} %, of the float network 85.00 %" in text
    assert text.endswith("\nNext: scalewright run q.onnx images.npy\n")
    text, facts = _run(*command.split())
    assert [layer["snr_db"] for layer in facts["layers"]] == [None] * 4
    assert "float_accuracy" not in facts


@pytest.mark.usefixtures("_folder")
@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros((4, 64), np.float32), r"inputs \(N, 1, 8, 8\), not \(4, 64\)"),
        (np.zeros((0, 1, 8, 8), np.float32), "must have at least one element, not shape"),
        (np.zeros((4, 1, 8, 8), np.bool_), "must have real numbers, not dtype bool"),
        (np.zeros((4, 1, 8, 8), np.complex64), "must have real numbers, not dtype complex64"),
    ],
)
def test_inputs_that_do_not_fit_are_one_line(values: Any, message: str) -> None:
    np.save("bad.npy", values)
    options = "quantize float.onnx --calibrate bad.npy --config 8/8/-/- -o q.onnx"
    with pytest.raises((ValueError, TypeError), match=rf"^bad\.npy: .*{message}"):
        _run(*options.split())


@pytest.mark.usefixtures("_folder")
def test_what_takes_long_tells_its_progress_to_the_end(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("SCALEWRIGHT_QUIET", raising=False)
    monkeypatch.setattr(terminal, "NOTICEABLE", 0.0)
    quantized = "quantize float.onnx --calibrate calibration.npy --config 4/4U/4/6 -o q.onnx"
    played = "run q.onnx images.npy --on golden --float float.onnx"
    for command, labels in (
        (quantized, ["inputs in floats", "inputs on golden"]),
        (played, ["inputs on golden"]),
    ):
        assert call(*command.split()) == 0
        said = capsys.readouterr().err
        for label in labels:
            done = re.search(rf"^{label}: (\d+) of (\d+) in \d+ s$", said, re.MULTILINE)
            assert done is not None, said
            assert done[1] == done[2] != "0"
