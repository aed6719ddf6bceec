"""Which layers get wider elements."""

from pathlib import Path

import pytest

from scalewright.golden.network.graph import Graph
from scalewright.sim.execution.wider import choose
from tests.oracles import onnx_models as models
from tests.oracles.onnx_models import model, uniform


@pytest.fixture
def graph(tmp_path: Path) -> Graph:
    body = "[w] a = Gemm(x, m) [b:w] b = Gemm(a, m) [c] y = Gemm(b, m)"
    body = body.replace("[b:w]", "[middle]")
    return models.graph_of(model("6->6", body, {"m": uniform(0, 6, 6)}), tmp_path)


@pytest.mark.parametrize(
    ("texts", "chosen"),
    [
        ([], {}),
        (["first"], {"w": "wa"}),
        (["first:w", "last"], {"w": "w", "c": "wa"}),
        (["last:a", "c:w"], {"c": "wa"}),
        (["middle:aw"], {"middle": "wa"}),
        (["w"], {"w": "wa"}),
        (["w:w", "first"], {"w": "wa"}),
    ],
)
def test_layers_by_place_or_name(graph: Graph, texts: list[str], chosen: dict[str, str]) -> None:
    assert choose(graph, texts) == chosen


@pytest.mark.parametrize("text", ["none", "first:x", ":w", "", "a"])
def test_others_are_refused(graph: Graph, text: str) -> None:
    with pytest.raises(ValueError, match=r"^no layer .* first, last, or one of w, middle, c"):
        choose(graph, [text])
