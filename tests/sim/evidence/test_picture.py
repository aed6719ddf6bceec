"""The picture of the evidence, from the page's own table: every compared row is in it."""

from pathlib import Path

import pytest

from scalewright.sim.evidence import picture

_PAGE = Path("sim/evidence/evidence.md")


def test_every_comparison_is_in_a_panel_of_its_claim() -> None:
    rows = picture.read(_PAGE)
    compared = [row for row in rows if row.interval is not None]
    assert f"Of {len(compared)} comparisons" in _PAGE.read_text()
    found = picture.panels(rows)
    assert [row for cases in found.values() for _, row in cases] != []
    assert sum(len(cases) for cases in found.values()) == len(compared)
    assert [name for name, _ in found["batch norm estimated anew helps"]] == [
        "plain, depthwise-separable CNN",
        "dampened, depthwise-separable CNN",
        "frozen, depthwise-separable CNN",
    ]
    # Within a panel one axis: one metric, and no case twice.
    for cases in found.values():
        assert len({name for name, _ in cases}) == len(cases)
        assert len({row.metric.startswith("NLL") for _, row in cases}) == 1


def test_committed_picture_is_that_of_the_page() -> None:
    drawn = _PAGE.with_suffix(".svg").read_text()
    for claim, cases in picture.panels(picture.read(_PAGE)).items():
        assert f">{claim}<" in drawn
        for name, row in cases:
            assert row.interval is not None
            assert name in drawn
            assert f"{row.interval[0]:+.2g}".replace("-", "\u2212") in drawn.replace("-", "\u2212")
    for verdict in ("holds", "does not hold", "not resolvable here"):
        assert f">{verdict}: mean and 95 % interval<" in drawn


def test_page_without_a_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text("# Nothing\n")
    with pytest.raises(ValueError, match=r"page\.md: has no table of claims"):
        picture.read(tmp_path / "page.md")
