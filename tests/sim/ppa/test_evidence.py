"""The report: the bound, what is compared with what, and the picture."""

from pathlib import Path

import pytest

from scalewright.golden.config import DatapathConfig
from scalewright.sim.ppa.evidence import POINTS, Bench, ratios
from scalewright.sim.ppa.measure import Measurement, Subject
from scalewright.sim.ppa.picture import draw
from tests.tools.ppa import needs_flow


def _measurement(subject: Subject, size: float) -> Measurement:
    return Measurement(
        subject=subject,
        area=100 * size,
        sequential_area=10 * size,
        cells={},
        critical_path=size,
        energy=3 * size,
        energy_per_mac=size,
        sequential_energy=size,
        leakage=size,
        vectors=400,
    )


@needs_flow
def test_bound_is_gates_and_adders_of_the_library() -> None:
    config = DatapathConfig.parse("4/4/-/-", vector_size=64)
    # AND2X1 32, FAX1 120; 64 x 4 x 4 pairs of bits, 14 bits of the sum.
    assert Bench().bound(config, 7) == 1024 * 32 + (1024 - 14) * 120 + 7


@needs_flow
def test_every_ratio_is_of_what_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench()
    # Plain things are twice as large as others, and those on others' elements four times.
    monkeypatch.setattr(
        bench,
        "of",
        lambda _, subject: _measurement(
            subject, 4 if subject.elements_of else 1 if subject.fused else 2
        ),
    )
    found = {each.what: each for each in ratios(bench, booth=True)}
    dot = found["dot product 64 x 4 bits, to * and +"]
    assert (dot.area, dot.delay, dot.energy) == (0.5, 0.5, 0.5)
    assert found["dot product 16 x 8 bits, to synth -booth"].area == 0.5
    assert found["MAC 4/4/4/6 P=6, to 8/8/-/-"].energy == 1
    assert found["digits: 4/4/8/8 V=64 P=8, to 4/4/-/-, same elements"].energy == 0.25
    assert found["spread: 4/4/4/4 V=16 P=4, to 4/4/-/-, own elements"].energy == 1


def test_picture_is_the_same_each_time(tmp_path: Path) -> None:
    point = _measurement(Subject(config=DatapathConfig.parse("4/4/4/6")), 0.5)
    for name in ("one.svg", "two.svg"):
        draw(tmp_path / name, [("4/4/4/6", point, 0.761, 0.629)])
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()
    assert b"<svg" in (tmp_path / "one.svg").read_bytes()


def test_committed_picture_has_every_configuration_and_names_its_axes() -> None:
    drawn = Path("sim/ppa/relative.svg").read_text()
    for notation, product, *_ in POINTS[1:]:
        assert f">{notation}{'' if product is None else ','}<" in drawn
        assert product is None or f">P = {product}<" in drawn
    for text in ("area / that of 8/8/-/-", "energy per vector pair / that of 8/8/-/-"):
        assert text in drawn
