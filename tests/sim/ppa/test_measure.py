"""Area, delay and energy of small datapaths, and what happens where a netlist is wrong."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scalewright.golden.config import DatapathConfig
from scalewright.sim.ppa import measure as measuring
from scalewright.sim.ppa.activity import Activity, simulate_gates
from scalewright.sim.ppa.cells import CellLibrary, FullAdderCell
from scalewright.sim.ppa.gate_level import GateLevelError
from scalewright.sim.ppa.measure import Measurement, Subject, measure
from scalewright.sim.ppa.netlist import Netlist, read_netlist
from scalewright.sim.ppa.tools import modern_yosys
from scalewright.sim.ppa.workload import spread_tensors
from tests.tools.ppa import FILES, needs_flow, osu_library

pytestmark = needs_flow

_MAC = Subject(config=DatapathConfig.parse("4/4U/4/6", vector_size=4))
_DOT = Subject(config=DatapathConfig.parse("4/4/-/-", vector_size=4), block="dot-product")
_RESCALER = Subject(config=_MAC.config, block="rescaler")
_VECTORS = 100


def _measured(subject: Subject, folder: Path, **options: Any) -> Measurement:
    return measure(subject, spread_tensors(), FILES, osu_library(), folder, **options)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ppa")


@pytest.fixture(scope="module")
def dot(folder: Path) -> Measurement:
    return _measured(_DOT, folder, vectors=_VECTORS)


@pytest.fixture(scope="module")
def mac(folder: Path) -> Measurement:
    return _measured(_MAC, folder, vectors=_VECTORS)


def _assert_consistent(measurement: Measurement) -> None:
    cells = osu_library().cells
    assert measurement.area == sum(cells[name].area * n for name, n in measurement.cells.items())
    flip_flops = measurement.cells["DFFPOSX1"]
    assert measurement.sequential_area == flip_flops * cells["DFFPOSX1"].area
    per_mac = None if measurement.subject.block == "rescaler" else measurement.energy / 4
    assert measurement.energy_per_mac == per_mac
    # Each clock pin takes 0.0586 pJ per transition at a slew of 0.06 ns.
    assert 2 * 0.0586 * flip_flops < measurement.sequential_energy < measurement.energy
    leakage = sum(cells[name].leakage * n for name, n in measurement.cells.items())
    assert measurement.leakage == pytest.approx(leakage, rel=1e-12)  # sums of doubles
    assert measurement.vectors == _VECTORS


def test_dot_product_goes_through_the_flow(dot: Measurement) -> None:
    _assert_consistent(dot)
    # The register of the sum, 4 + 4 + 2 bits.
    assert dot.cells["DFFPOSX1"] == 10
    # Four products of 16 bits each have to become two numbers, 10 bits wide at most.
    assert dot.cells["FAX1"] >= 4 * 16 - 2 * 10
    # A flip-flop's setup and a few full adders, but fewer than there are.
    assert 1 < dot.critical_path < 5


def test_mac_goes_through_the_flow(mac: Measurement, dot: Measurement) -> None:
    _assert_consistent(mac)
    assert mac.area > dot.area
    assert mac.critical_path > dot.critical_path
    assert mac.energy > dot.energy
    # At least the accumulator, its flag, and a valid bit for either stage.
    assert mac.cells["DFFPOSX1"] >= 24 + 1 + 2


def test_compressor_trees_are_smaller_than_multipliers_and_adders(
    dot: Measurement, folder: Path
) -> None:
    operators = _measured(replace(_DOT, fused=False), folder, vectors=_VECTORS)
    _assert_consistent(operators)
    assert dot.area < operators.area
    yosys = modern_yosys()
    if yosys is not None:
        subject = replace(_DOT, fused=False, booth=True)
        booth = _measured(subject, folder, vectors=_VECTORS, yosys=yosys)
        _assert_consistent(booth)
        assert dot.area < booth.area != operators.area


def test_rescaler_is_smaller_than_with_a_multiplier(folder: Path) -> None:
    fused, operators = (
        _measured(replace(_RESCALER, fused=fused), folder, vectors=_VECTORS)
        for fused in (True, False)
    )
    for measurement in (fused, operators):
        _assert_consistent(measurement)
    assert fused.area < 0.85 * operators.area
    assert fused.energy < 0.7 * operators.energy
    # 24 rows of 16 bits have to become two of 40.
    assert fused.cells["FAX1"] >= 24 * 16 - 2 * 40
    assert "FAX1" not in operators.cells


def test_measurement_is_ready_for_json(mac: Measurement) -> None:
    read = json.loads(json.dumps(mac.as_dict()))
    assert read["subject"]["config"] == "4_4U_4_6_v4_c24"
    assert read["area"] == mac.area
    assert read["cells"] == mac.cells


def test_subjects_have_names_of_their_own() -> None:
    subjects = [_MAC, _DOT, replace(_DOT, fused=False), replace(_DOT, fused=False, booth=True)]
    subjects += [_RESCALER, replace(_RESCALER, fused=False)]
    assert len({subject.slug for subject in subjects}) == len(subjects)
    assert all(re.fullmatch(r"\w+", subject.slug) for subject in subjects)


@pytest.mark.parametrize("subject", [_MAC, _DOT, _RESCALER], ids=["mac", "dot", "rescaler"])
def test_swapped_outputs_of_full_adders_are_seen(
    subject: Subject, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    wrong = FullAdderCell("FAX1", 120.0, ("A", "B", "C"), sum="YC", carry="YS")
    monkeypatch.setattr(CellLibrary, "full_adder", lambda library: wrong)
    with pytest.raises(GateLevelError, match=r"results differ from golden's; the first is result"):
        _measured(subject, tmp_path, vectors=_VECTORS)


def _reuse(
    subject: Subject,
    built: Path,
    monkeypatch: pytest.MonkeyPatch,
    folder: Path,
    change: Callable[[str], str] = str,
) -> None:
    """Let `measure` take a netlist that is already there, changed."""

    def map_to_cells(verilog: str, top: str, *_: Any, **__: Any) -> Netlist:
        netlist = read_netlist(built / subject.slug, top)
        text = (netlist.folder / "netlist.v").read_text()
        (folder / "netlist.v").write_text(change(text))
        return replace(netlist, folder=folder)

    monkeypatch.setattr(measuring, "map_to_cells", map_to_cells)


@pytest.mark.usefixtures("dot")
@pytest.mark.parametrize("place", [0, 1, -1])
@pytest.mark.parametrize(("gate", "wrong"), [("NAND2X1", "AND2X1"), ("XNOR2X1", "XOR2X1")])
def test_one_wrong_gate_is_seen(
    place: int,
    gate: str,
    wrong: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    def change(text: str) -> str:
        at = [match.start() for match in re.finditer(rf"\b{gate} ", text)][place]
        return text[:at] + wrong + text[at + len(gate) :]

    _reuse(_DOT, folder, monkeypatch, tmp_path, change)
    with pytest.raises(GateLevelError, match=r"of 99 results differ from golden's"):
        _measured(_DOT, tmp_path, vectors=_VECTORS)


@pytest.mark.usefixtures("dot", "mac")
@pytest.mark.parametrize(
    ("subject", "message"),
    [
        # Whether there is a result is unknown, too.
        pytest.param(_MAC, r"^0 results in place of 3$", id="mac"),
        pytest.param(_DOT, r"^a result has unknown bits$", id="dot"),
    ],
)
def test_unknown_bits_are_seen(
    subject: Subject,
    message: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    def change(text: str) -> str:
        return re.sub(r"\.D\([^()]+\)", ".D(1'bx)", text)

    _reuse(subject, folder, monkeypatch, tmp_path, change)
    with pytest.raises(GateLevelError, match=message):
        _measured(subject, tmp_path, vectors=_VECTORS)


def _stick_valid(value: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `o_valid` of the MAC always be the same."""

    def simulate(*arguments: Any, **options: Any) -> Activity:
        activity = simulate_gates(*arguments, **options)
        bits = np.full_like(activity.responses["o_valid"], value)
        return replace(activity, responses={**activity.responses, "o_valid": bits})

    monkeypatch.setattr(measuring, "simulate_gates", simulate)


@pytest.mark.usefixtures("mac")
def test_missing_results_are_seen(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _reuse(_MAC, folder, monkeypatch, tmp_path)
    _stick_valid(0, monkeypatch)
    with pytest.raises(GateLevelError, match=r"^0 results in place of 3$"):
        _measured(_MAC, tmp_path, vectors=_VECTORS)


@pytest.mark.usefixtures("mac")
def test_results_too_many_are_seen(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _reuse(_MAC, folder, monkeypatch, tmp_path)
    _stick_valid(1, monkeypatch)
    with pytest.raises(GateLevelError):
        _measured(_MAC, tmp_path, vectors=_VECTORS)


@pytest.mark.usefixtures("mac")
def test_last_result_may_not_be_missing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _reuse(_MAC, folder, monkeypatch, tmp_path)
    _stick_valid(0, monkeypatch)
    # The 32nd vector makes the result, which comes out two cycles later.
    with pytest.raises(GateLevelError, match=r"^0 results in place of 1$"):
        _measured(_MAC, tmp_path, vectors=34)


@pytest.mark.usefixtures("mac")
def test_vectors_too_few_for_a_result_are_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _reuse(_MAC, folder, monkeypatch, tmp_path)
    with pytest.raises((ValueError, GateLevelError)):
        _measured(_MAC, tmp_path, vectors=33)
