"""The committed pictures are what their scripts draw."""

import importlib.util
import re
import sys
from pathlib import Path

import pytest

from tests.docs.pages import ROOT

_PICTURES = ROOT / "docs/pages/pictures"


def words(picture: Path) -> list[str]:
    """All text of a picture; where it stands may differ with the version of Matplotlib."""
    return re.findall(r"<(?:text|tspan)[^>]*>([^<]+)<", picture.read_text())


def test_pictures_are_those_that_the_scripts_draw(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("wavedrom", reason="drawing needs the extra `docs`")
    monkeypatch.syspath_prepend(ROOT / "docs/pictures")
    before = set(sys.modules)
    spec = importlib.util.spec_from_file_location("draw", ROOT / "docs/pictures/draw.py")
    assert spec is not None
    assert spec.loader is not None
    draw = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(draw)
    draw.main(tmp_path)
    for name in set(sys.modules) & {"scaling", "timing", "blocks", "canvas"} - before:
        del sys.modules[name]
    drawn = {path.name: words(path) for path in tmp_path.iterdir()}
    assert drawn == {path.name: words(path) for path in _PICTURES.iterdir()}
    assert all(drawn.values())


@pytest.mark.parametrize("picture", sorted(_PICTURES.iterdir()), ids=lambda path: path.name)
def test_pictures_are_shown(picture: Path) -> None:
    pages = [*ROOT.glob("docs/pages/*.md"), ROOT / "README.md"]
    assert any(f"pictures/{picture.name})" in page.read_text() for page in pages)
