from pathlib import Path

import pytest

from scalewright.sim.ppa import tools
from scalewright.sim.simulators import process
from scalewright.sim.simulators.surroundings import find_command, of_build, of_program


def _plant(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\necho planted\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("search", [".", "", "{folder}", "{folder}/../{name}", "bin", "./bin"])
def test_no_command_is_taken_from_the_working_folder(
    search: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _plant(tmp_path / "planted-tool")
    _plant(tmp_path / "bin" / "planted-tool")
    monkeypatch.chdir(tmp_path)
    search = search.format(folder=tmp_path, name=tmp_path.name)
    monkeypatch.setenv("PATH", f"{search}:/usr/bin:/bin")
    assert find_command("planted-tool") is None
    with pytest.raises(FileNotFoundError):
        process.run(["planted-tool"])
    # Nor do programs find it.
    assert "planted" not in process.run(["sh", "-c", "command -v planted-tool"]).printed


def test_a_folder_below_is_on_the_path_like_any_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = _plant(tmp_path / "venv" / "bin" / "tool")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tool.parent))
    assert find_command("tool") == str(tool)


def test_an_empty_path_finds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert find_command("sh") is None


def test_a_build_sees_no_variable_that_is_not_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_FLAGS", "-O3")
    monkeypatch.setenv("NIX_CFLAGS_COMPILE", "-I/nix")
    assert "SOME_FLAGS" not in of_build()
    assert of_build()["NIX_CFLAGS_COMPILE"] == "-I/nix"


@pytest.mark.parametrize(
    "name", ["COCOTB_TEST_FILTER", "GPI_EXTRA", "PYGPI_USERS", "PYTHONSTARTUP", "PYTHONOPTIMIZE"]
)
def test_a_program_sees_nothing_that_would_change_its_tests(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "1")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert name not in of_program()
    assert of_program()["OMP_NUM_THREADS"] == "1"
    assert of_program()["PYTHONSAFEPATH"] == "1"


def test_a_program_that_writes_nothing_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "netlist.json").write_text("of a former run")
    with pytest.raises(RuntimeError, match=r"^Yosys ended with .* 0 in \S+, but wrote no netlist"):
        tools.run(["true"], tmp_path, "Yosys", gives=["netlist.json"])
    with pytest.raises(RuntimeError, match=r"but wrote no netlist"):
        tools.run(["touch", "netlist.json"], tmp_path, "Yosys", gives=["netlist.json"])
