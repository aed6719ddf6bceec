"""The scripts of examples/; the page on them runs them all."""

import ast
import re
import runpy
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, text_of

_EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


@pytest.mark.parametrize("script", _EXAMPLES, ids=lambda path: path.stem)
def test_an_example_says_what_it_is_and_is_run_by_its_page(script: Path) -> None:
    assert f"python examples/{script.name}" in (
        ast.get_docstring(ast.parse(script.read_text())) or ""
    )
    assert f"\npython examples/{script.name}" in text_of("docs/pages/examples.md")


def test_vectors_of_their_own_scale_have_less_noise(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(ROOT / "examples/quantize_tensor.py"), run_name="__main__")
    ratios = re.findall(r"(\d+\.\d) dB +(\d+\.\d) dB", capsys.readouterr().out)
    assert len(ratios) == 4
    assert all(float(vector) > float(channel) + 3 for channel, vector in ratios)


def test_the_mac_in_amaranth_gives_what_golden_gives(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(ROOT / "examples/drive_mac.py"), run_name="__main__")
    match = re.search(r"accumulator (-?\d+), golden (-?\d+)", capsys.readouterr().out)
    assert match is not None
    assert match[1] == match[2] != "0"
