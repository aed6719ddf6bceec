"""The table of networks: each is on the engine, in golden and in ONNX Runtime."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.oracles.onnx_models import model, onnx, uniform
from tests.tools.shell import call

_SIZE = ("--lanes", "2", "--depth", "32", "--post-lanes", "2")


def test_rows_say_what_ran_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    body = """
        a = Conv <group=4, pads=[1,1,1,1]> (x, d) b = HardSwish(a) c = Flatten(b) y = Gemm(c, w)
    """
    onnx.save(
        model("4,3,3->5", body, {"d": uniform(0, 4, 1, 3, 3), "w": uniform(1, 36, 5)}), "n.onnx"
    )
    np.savez("n.npz", x=uniform(2, 3, 4, 3, 3))
    body = "t = Transpose <perm=[0,2,1]> (x) s = MatMul(x, t) y = Softmax(s)"
    onnx.save(model("3,6->3,3", body, {}), "m.onnx")
    module = "scalewright.sim.reports.networks"
    options = (*_SIZE, "--sample", "2", "--json", "rows.json")
    assert call("n.onnx", "m.onnx", *options, module=module, command="networks") == 0
    first, second = json.loads(Path("rows.json").read_text())["rows"]
    assert [first[name] for name in ("layers", "stacks", "groups", "regions")] == [2, 0, 1, 1]
    assert first["multiplications"] == 3 * (9 * 4 * 9 + 36 * 5)
    assert [second[name] for name in ("layers", "stacks", "groups")] == [1, 1, 0]
    for row in (first, second):
        assert row["mismatches"] == 0 < row["results"]
        assert row["snr_db"] > 20
        assert row["runtime_db"] > 100
    assert "of two activations" in capsys.readouterr().out
