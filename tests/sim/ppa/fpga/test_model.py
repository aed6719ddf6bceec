"""Netlists of FPGA cells compute what golden does."""

import json
from pathlib import Path

import pytest

from scalewright.golden.config import DatapathConfig
from scalewright.sim.ppa.activity import simulate_gates
from scalewright.sim.ppa.fpga.cells import FAMILIES, Synthesis, synthesise
from scalewright.sim.ppa.fpga.model import functions
from scalewright.sim.ppa.gate_level import RESET_CYCLES, GateLevelError, require_golden, stimulus
from scalewright.sim.ppa.measure import Subject
from scalewright.sim.ppa.workload import spread_tensors, vector_pairs
from scalewright.sim.regression.regress import Regression, regress
from tests.tools.ppa import needs_programs

pytestmark = needs_programs("yosys", "iverilog", "vvp")


def _dot(notation: str, *, fused: bool = True) -> Subject:
    config = DatapathConfig.parse(notation, vector_size=4)
    return Subject(config=config, block="dot-product", fused=fused)


def _compare(subject: Subject, synthesis: Synthesis) -> None:
    """Play vector pairs through the netlist."""
    netlist = functions(synthesis)
    (no_cells := synthesis.folder / "cells.v").write_text("")
    pairs = vector_pairs(spread_tensors(), subject.config, 100)
    bits = stimulus(subject.block, subject.config, pairs)
    activity = simulate_gates(netlist, no_cells, bits, 10, skipped=RESET_CYCLES)
    require_golden(subject.block, subject.config, pairs, activity)


@pytest.mark.parametrize("family", FAMILIES)
def test_netlist_of_a_mac_equals_golden(family: str, tmp_path: Path) -> None:
    subject = Subject(config=DatapathConfig.parse("4/4U/4/6", vector_size=4))
    _compare(subject, synthesise(subject.verilog(), subject.module, FAMILIES[family], tmp_path))


@pytest.mark.parametrize("family", ["ecp5", "xc7"])
def test_netlist_with_dsps_equals_golden(family: str, tmp_path: Path) -> None:
    subject = _dot("8/8U/-/-", fused=False)
    synthesis = synthesise(subject.verilog(), subject.module, FAMILIES[family], tmp_path)
    assert synthesis.counts.dsps == 4
    _compare(subject, synthesis)


def test_netlist_with_carry_chains_equals_golden(tmp_path: Path) -> None:
    subject, family = _dot("4/4/-/-", fused=False), FAMILIES["ice40"]
    synthesis = synthesise(subject.verilog(), subject.module, family, tmp_path, chains=True)
    _compare(subject, synthesis)


def test_one_wrong_lut_is_seen(tmp_path: Path) -> None:
    subject = _dot("4/4/-/-")
    synthesis = synthesise(subject.verilog(), subject.module, FAMILIES["ice40"], tmp_path)
    netlist = json.loads((tmp_path / "netlist.json").read_text())
    cells = netlist["modules"][subject.module]["cells"].values()
    lut = next(cell for cell in cells if cell["type"] == "SB_LUT4")
    inverse = str.maketrans("01", "10")
    lut["parameters"]["LUT_INIT"] = lut["parameters"]["LUT_INIT"].translate(inverse)
    (tmp_path / "netlist.json").write_text(json.dumps(netlist))
    with pytest.raises(GateLevelError, match=r"results differ from golden's"):
        _compare(subject, synthesis)


def test_netlist_passes_the_regression(tmp_path: Path) -> None:
    config = DatapathConfig.parse("4/4U/4/6", vector_size=4)
    subject = Subject(config=config)
    functions(synthesise(subject.verilog(), subject.module, FAMILIES["ice40"], tmp_path))
    netlist = tmp_path / "functions" / "module.v"
    verdict = regress(Regression("vector-mac", config, 1000, 0, None, False, netlist))
    assert verdict.mismatches == 0
    assert verdict.results > 1000
    assert verdict.failure is None
