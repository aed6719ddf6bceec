"""`scalewright inspect`: what of a network runs where."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.oracles.onnx_models import model, onnx, uniform
from tests.tools.shell import call

_BODY = """
    a = Conv <group=6, pads=[1,1,1,1]> (x, depthwise) b = HardSwish(a)
    c = Conv(b, k) d = GlobalAveragePool(c) e = Flatten(d) y = Gemm(e, w)
"""


@pytest.fixture
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SCALEWRIGHT_QUIET", "1")
    constants = {"depthwise": uniform(0, 6, 1, 3, 3), "k": uniform(1, 20, 6, 1, 1)}
    constants["w"] = uniform(2, 20, 5)
    onnx.save(model("6,4,4->5", _BODY, constants), "float.onnx")
    np.save("x.npy", uniform(3, 8, 6, 4, 4))


def _inspect(*arguments: str) -> Any:
    assert call("inspect", "float.onnx", *arguments, "--json", "found.json") == 0
    return json.loads(Path("found.json").read_text())


@pytest.mark.usefixtures("_folder")
def test_every_layer_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    found = _inspect("--config", "8/8/-/-", "--vector-size", "4", "--lanes", "4")
    (configuration,) = found["configurations"]
    assert configuration["snr_db"] is None
    assert configuration["host"] == {"Flatten": 1, "GlobalAveragePool": 1, "HardSwish": 1}
    layers = {layer["name"]: layer for layer in configuration["layers"]}
    depthwise, pointwise, last = (layers[name] for name in ("a_node", "c_node", "y_node"))
    assert [each["multiplications"] for each in layers.values()] == [16 * 6 * 9, 16 * 20 * 6, 100]
    # Two vectors of channels, each of nine taps; five tiles of two vectors; two tiles of five.
    assert [each["cycles"] for each in (depthwise, pointwise)] == [16 * 9 * 2, 16 * 2 * 5]
    assert depthwise["efficiency"] == pytest.approx(16 * 6 * 9 / (16 * 9 * 2 * 16))
    assert pointwise["weight_bytes"] == 20 * 8
    # Loading eight channels of five vectors takes longer than five vectors for each of two tiles.
    assert last["cycles"] == 8 * 5
    assert "6 x 3 x 3 x 1, 6 groups" in capsys.readouterr().out


@pytest.mark.usefixtures("_folder")
def test_configurations_are_compared_on_inputs() -> None:
    found = _inspect("x.npy", "--config", "8/8/-/-", "--config", "3/3/4/4", "--config", "4/4U/4/6")
    eight, three, unsigned = found["configurations"]
    assert eight["snr_db"] > 30 > three["snr_db"] > 0
    assert "leave out the U" in unsigned["error"]


@pytest.mark.usefixtures("_folder")
def test_what_cannot_be_computed_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    proto = onnx.load("float.onnx")
    for node in proto.graph.node[1:3]:
        node.domain = "mine"
    proto.opset_import.append(onnx.helper.make_opsetid("mine", 1))
    onnx.save(proto, "float.onnx")
    assert call("inspect", "float.onnx") == 2
    printed = capsys.readouterr()
    assert not printed.out
    assert "no operator HardSwish of mine; node c (Conv c_node): " in printed.err
    assert printed.err.count("\n") == 1
