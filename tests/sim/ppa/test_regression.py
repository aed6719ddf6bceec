"""Mapped netlists, played like the Verilog that they come from."""

from pathlib import Path

import pytest

from scalewright.golden.config import PRESETS
from scalewright.sim.ppa.measure import Subject, measure
from scalewright.sim.ppa.tools import CellFiles
from scalewright.sim.ppa.workload import digits_tensors
from scalewright.sim.regression.regress import Regression, regress
from tests.tools.ppa import needs_flow, osu_library


@needs_flow
# chip-5nm passes too, in two minutes and a half.
@pytest.mark.parametrize("preset", ["vs-quant-resnet50", "vs-quant-bert", "int8"])
def test_mapped_netlist_passes_the_regression(preset: str, tmp_path: Path) -> None:
    subject = Subject(config=PRESETS[preset])
    measure(subject, digits_tensors(), CellFiles(), osu_library(), tmp_path, vectors=100)
    netlist = tmp_path / subject.slug / "module.v"
    assert "FAX1" in netlist.read_text()
    verdict = regress(
        Regression("vector-mac", subject.config, 1000, 0, verilog=netlist, player="compiled")
    )
    assert verdict.mismatches == 0
    assert verdict.results > 1000
    assert verdict.failure is None
