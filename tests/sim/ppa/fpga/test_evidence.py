"""The report on FPGAs: every variant is what its row says."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from scalewright.golden.config import DatapathConfig
from scalewright.sim.ppa import tools
from scalewright.sim.ppa.fpga import evidence as fpga_evidence
from scalewright.sim.ppa.fpga.cells import Counts
from scalewright.sim.ppa.fpga.evidence import Variant, measure
from scalewright.sim.ppa.fpga.placement import Placement
from tests.tools.ppa import needs_programs


def test_every_row_says_what_was_measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def stub(
        variant: Variant, config: DatapathConfig, folder: Path
    ) -> tuple[Counts, Placement | None]:
        luts = 1000 * config.weights.element_bits + 100 * variant.fused + 10 * variant.chains
        placement = Placement("hx8k", luts + 2, (40.0, 42.0, 41.0))
        counts = Counts(luts=luts, dsps=len(variant.options))
        return counts, placement if variant.family == "ice40" else None

    monkeypatch.setattr(fpga_evidence, "measure", stub)
    monkeypatch.setattr(tools, "require_programs", lambda *_: None)
    monkeypatch.setattr(tools, "version_of", lambda _: "1.0")
    path = tmp_path / "fpga.json"
    done = CliRunner().invoke(fpga_evidence.main, ["--json", str(path)])
    assert done.exit_code == 0, done.output
    rows = [" ".join(line.split()) for line in done.output.splitlines()]
    assert "16 4 iCE40 fused 4,100 0 0 4,102 41.0" in rows
    assert "16 8 iCE40 * and +, chains 8,010 0 0 8,012 41.0" in rows
    assert "16 8 ECP5 * and +, chains, no wide LUTs, no DSPs 8,010 0 2" in rows
    assert "16 4 7 series * and +, no DSPs 4,000 0 1" in rows
    results = json.loads(path.read_text())
    assert len(results["dot_products"]) == len(rows) - 1
    assert results["dot_products"][0]["placement"]["frequency"] == 41


@needs_programs("yosys", "iverilog", "vvp")
def test_measurement_is_of_the_variant(tmp_path: Path) -> None:
    config = DatapathConfig.parse("8/8/-/-", vector_size=4)
    plain, logic = (
        measure(Variant("ecp5", "", options=options), config, tmp_path / str(len(options)))
        for options in ((), ("-nodsp", "-nowidelut"))
    )
    assert (plain[0].dsps, logic[0].dsps) == (4, 0)
    assert plain[0].luts < logic[0].luts
    assert plain[1] is None
