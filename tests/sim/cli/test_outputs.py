"""Every output of every command and program: what it may be, and what is refused before any work.

New commands and options are found by themselves: they fail here until they are in the tables.
"""

import importlib
import os
import stat
from dataclasses import replace
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any

import click
import numpy as np
import pytest

from scalewright.golden.mac import matmul
from scalewright.sim.cli import COMMANDS, compare, demo, ppa, regress, soak
from scalewright.sim.cli.commands import cli
from scalewright.sim.cli.parameters.options import OutputPath
from scalewright.sim.demo.digits.models import CONVOLUTIONAL, calibration_images
from scalewright.sim.demo.products import CONFIGURATIONS, DemoResult
from scalewright.sim.execution.products import Comparison
from scalewright.sim.ppa.measure import Measurement
from scalewright.sim.regression.regress import Verdict
from scalewright.sim.soak.task import Done, Task
from tests.tools.shell import call

_PROGRAMS = (
    "scalewright.sim.reports.speed",
    "scalewright.sim.reports.clipping_speed",
    "scalewright.sim.ppa.evidence",
    "scalewright.sim.ppa.fpga.evidence",
    "scalewright.sim.evidence.report",
)

# What each command needs, with as little work as it can have. Inputs end in .npy or .onnx.
_NEEDS = {
    "generate": ["4/4/-/-", "--vector-size", "4"],
    "regress": ["4/4/-/-"],
    "compare": ["w.npy", "a.npy", "--config", "4/4/4/6"],
    "calibrate": ["w.npy", "--bits", "4"],
    "inspect": ["float.onnx", "images.npy", "--config", "8/8/-/-", "--lanes", "4"],
    "quantize": ["float.onnx", "--calibrate", "images.npy", "--config", "4/4U/4/6"],
    "run": ["vsq.onnx", "images.npy", "--on", "golden", "--labels", "labels.npy"],
    "vectors": ["4/4/-/-", "--vector-size", "4", "--vectors", "1"],
    "ppa": ["4/4/-/-"],
    "demo": ["--images", "1"],
    "soak": ["2/3U/-/-", "--block", "vector-mac", "--vectors", "1"],
    "doctor": [],
}
_REQUIRED = {"generate": "-o", "quantize": "-o", "vectors": "-o"}
# Where the kind of a file is known by its name.
_NAMES = {"--out": "out.npz", "--plot": "out.svg", "--page": "out.md"}
_FILES = {"generate": "out.v", "quantize": "out.onnx", "vectors": "out"}


def _command(name: str) -> click.Command:
    if name in COMMANDS:
        found = cli.get_command(click.Context(cli), name)
        assert found is not None
        return found
    command = importlib.import_module(name).main
    assert isinstance(command, click.Command)
    return command


def _outputs() -> list[Any]:
    found = []
    for name in (*COMMANDS, *_PROGRAMS):
        if name.endswith("evidence.report"):  # imports torch; its options are these
            options = ["--page", "--json"]
        else:
            parameters = [p for p in _command(name).params if isinstance(p.type, OutputPath)]
            options = [parameter.opts[0] for parameter in parameters]
        found += [(name, option) for option in options]
    return found


_OUTPUTS = _outputs()
_IDS = [f"{name.removeprefix('scalewright.sim.')} {option}" for name, option in _OUTPUTS]
every_output = pytest.mark.parametrize(("name", "option"), _OUTPUTS, ids=_IDS)
every_command_output = pytest.mark.parametrize(
    ("name", "option"),
    [pair for pair in _OUTPUTS if pair[0] in COMMANDS],
    ids=[text for pair, text in zip(_OUTPUTS, _IDS, strict=True) if pair[0] in COMMANDS],
)


def _call(name: str, *outputs: str) -> int:
    if name not in COMMANDS:
        if name.endswith("evidence.report"):
            pytest.importorskip("torch", reason="this program trains")
        return call(*outputs, module=name, command="main")
    required = _REQUIRED.get(name)
    more = [required, _FILES[name]] if required and required not in outputs else []
    return call(name, *_NEEDS[name], *more, *outputs)


def _file(name: str, option: str) -> Path:
    """A file that the option writes."""
    if option == "-o":
        return Path(_FILES[name]) / "manifest.json" if name == "vectors" else Path(_FILES[name])
    return Path(_NAMES.get(option, "results.json"))


def _value(name: str, option: str, path: Path) -> str:
    """What to give the option so that it writes the file."""
    return str(path.parent if (name, option) == ("vectors", "-o") else path)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for name, rows in (("w", 3), ("a", 4)):
        np.save(tmp_path / f"{name}.npy", rng.standard_normal((rows, 20)).astype(np.float32))
    np.save(tmp_path / "images.npy", calibration_images()[:8].reshape(-1, 1, 8, 8))
    np.save(tmp_path / "labels.npy", np.zeros(8, np.int64))
    (tmp_path / "float.onnx").write_bytes(CONVOLUTIONAL.read_bytes())
    return tmp_path


def _refused(capsys: pytest.CaptureFixture[str], status: int, path: Path, reason: str) -> None:
    captured = capsys.readouterr()
    (line,) = captured.err.splitlines()
    assert status == 2, line
    assert line.startswith("scalewright: ")
    assert str(path) in line
    assert reason in line
    assert ".scalewright-" not in line
    assert captured.out == ""


@every_output
@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("read-only", "is read-only"),
        ("folder", "is a folder"),
        ("below a file", "is not a folder"),
        ("long", "File name too long"),
    ],
)
def test_what_cannot_be_written_is_refused_before_any_work(
    name: str, option: str, kind: str, reason: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = _file(name, option)
    told = path
    match kind:
        case "read-only":
            path.parent.mkdir(exist_ok=True)
            path.write_text("old")
            path.chmod(0o444)
        case "folder":
            path.mkdir(parents=True)
        case "below a file":
            Path("prose").write_text("")
            path = Path("prose") / path
            told = Path("prose")
        case "long":
            told = Path("x" * 300)
            path = told / path
    before = sorted(folder.rglob("*"))
    _refused(capsys, _call(name, option, _value(name, option, path)), told, reason)
    assert sorted(folder.rglob("*")) == before
    if kind == "read-only":
        assert path.read_text() == "old"


@every_command_output
@pytest.mark.parametrize("how", ["the same", "hard link", "symlink"])
def test_an_output_that_is_an_input_is_refused(
    name: str, option: str, how: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for source in (text for text in _NEEDS[name] if Path(text).suffix in (".npy", ".onnx")):
        path = _file(name, option)
        precious = Path(source)
        precious.touch()
        before = precious.read_bytes()
        if how == "the same":
            if option != "--json":
                continue  # its kind is told by its name
            path = precious
        elif how == "hard link":
            path.hardlink_to(precious)
        else:
            path.symlink_to(precious)
        _refused(capsys, _call(name, option, _value(name, option, path)), path, "is the input")
        assert precious.read_bytes() == before
        if path != precious:
            path.unlink()


@every_output
def test_two_outputs_with_one_file_are_refused(
    name: str, option: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if option == "--json":
        return
    Path("folder").symlink_to(".")
    path = _file(name, option)
    other = Path("folder") / path
    status = _call(name, option, _value(name, option, path), "--json", str(other))
    _refused(capsys, status, other, f"another output goes to {path} already")


def test_the_description_of_a_block_is_an_output(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status = _call("generate", "-o", "g.v", "--json", "./g.json")
    _refused(capsys, status, Path("g.json"), "another output goes to g.json already")


@pytest.fixture
def little_work(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder, and results of the commands that simulate in place of simulations."""
    monkeypatch.setattr(regress, "run", lambda one: Verdict(one, 1, 1, 1, 1, 0, {}, {}, None, None))
    monkeypatch.setattr(compare, "build_player", lambda design, words: None)
    monkeypatch.setattr(soak, "play", _soaked)
    monkeypatch.setattr(compare, "compare_matmul", _compared)
    row = DemoResult(CONFIGURATIONS[0], 1.0, 1.0, 1.0, 20.0, 1, 1, 0, 0, 1.0)
    monkeypatch.setattr(demo, "run_demo", lambda config, **_: replace(row, config=config))
    network = SimpleNamespace(as_dict=dict, run=SimpleNamespace(mismatch_count=0))
    monkeypatch.setattr(demo, "run_network_demo", lambda *_, **__: network)
    monkeypatch.setattr(demo, "_print_networks", lambda *_: None)
    monkeypatch.setattr(ppa, "require_flow", lambda files: None)
    monkeypatch.setattr(ppa, "flow_versions", dict)
    library = SimpleNamespace(name="none")
    monkeypatch.setattr(ppa, "CellLibrary", SimpleNamespace(read=lambda file: library))
    monkeypatch.setattr(ppa, "measure", _measured)
    return folder


def _compared(built: Any, weights: Any, activations: Any, config: Any, **_: Any) -> Comparison:
    product = matmul(weights, activations, config)
    return Comparison(product, product, 1, 1, 0, None)


def _soaked(task: Task) -> Done:
    return Done(task.number, task.block, task.config.slug, 0, 1, 1, 4, 1, 1, 0, 0.5, None)


def _measured(subject: Any, *_: Any, **__: Any) -> Measurement:
    return Measurement(
        subject=subject,
        area=2.0,
        sequential_area=1.0,
        cells={},
        critical_path=1.0,
        energy=1.0,
        energy_per_mac=1.0,
        sequential_energy=1.0,
        leakage=1.0,
        vectors=1,
    )


@every_command_output
@pytest.mark.parametrize("kind", ["file", "symlink", "device", "fifo", "full"])
def test_writes_through_what_is_no_regular_file(
    name: str, option: str, kind: str, little_work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if name == "run":
        assert call("quantize", *_NEEDS["quantize"], "-o", "vsq.onnx") == 0
        capsys.readouterr()
    path = _file(name, option)
    path.parent.mkdir(exist_ok=True)
    read: list[bytes] = []
    target = Path("target")
    match kind:
        case "file":
            path.write_text("old")
            path.chmod(0o640)
        case "symlink":
            target.write_text("old")
            path.symlink_to(target.resolve())
        case "device":
            path.symlink_to("/dev/null")
        case "full":
            path.symlink_to("/dev/full")
        case "fifo":
            os.mkfifo(path)
            reader = Thread(target=lambda: read.append(path.read_bytes()), daemon=True)
            reader.start()
    status = _call(name, option, _value(name, option, path))
    if kind == "full":
        (line,) = capsys.readouterr().err.splitlines()
        assert (status, line) == (2, f"scalewright: {path}: No space left on device")
        return
    assert status == 0, capsys.readouterr().err
    assert not list(little_work.rglob(".scalewright-*"))
    match kind:
        case "file":
            assert path.read_bytes() != b"old"
            assert stat.S_IMODE(path.stat().st_mode) == 0o640
        case "symlink":
            assert path.is_symlink()
            assert target.read_bytes() not in (b"old", b"")
        case "device":
            assert Path("/dev/null").is_char_device()
            assert path.is_symlink()
        case "fifo":
            reader.join(10)
            assert path.is_fifo()
            assert len(read[0]) > 1
