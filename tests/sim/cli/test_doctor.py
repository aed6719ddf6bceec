import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from scalewright.sim.cli.doctor import doctor
from scalewright.sim.reports import health
from scalewright.sim.simulators.cache import keep
from scalewright.sim.simulators.icarus import find_icarus
from scalewright.sim.simulators.toolchain import ToolError, find_toolchain

_KEY = "0123456789abcdef"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache with a build, a library, a recording, and what a killed process left."""
    monkeypatch.setenv("SCALEWRIGHT_BUILD", str(tmp_path))
    for find in (find_toolchain, find_icarus):
        find.cache_clear()
    (tmp_path / "program").write_bytes(bytes(1_500_000))
    folder = tmp_path / "sim"
    folder.mkdir()
    for name in ("vector_mac", "runtime"):
        keep(tmp_path, folder / f"{name}-{_KEY}", ["program"])
    (folder / "waves").mkdir()
    (folder / "waves" / "mac.vcd").write_text("")
    (folder / "runs" / "scratch-left").mkdir(parents=True)
    (folder / "engine-failed.log").write_text("")
    yield folder
    for find in (find_toolchain, find_icarus):
        find.cache_clear()


def _doctor(*arguments: str) -> Result:
    return CliRunner().invoke(doctor, arguments, standalone_mode=False)


def test_says_what_is_there(cache: Path, tmp_path: Path) -> None:
    done = _doctor("--json", str(tmp_path / "out.json"))
    assert done.return_value == 0
    assert "cocotb 2." in done.output
    assert "\nVerilator: 5." in done.output
    assert f"\ncache: {cache}, 3.0 MB, 2 builds, all sound\n" in done.output
    assert done.output.endswith("\nReady to simulate.\n")
    results = json.loads((tmp_path / "out.json").read_text())
    assert results["ready"] is True
    assert results["cache"]["builds"] == 2
    assert results["tools"][0]["name"] == "Verilator"


def test_says_what_is_missing_and_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/none")
    done = _doctor()
    assert done.return_value == 2
    advice = "Warning: g++ is missing: install it, e.g. `apt-get install g++`\n"
    assert f"{advice}  It is needed for simulation\n" in done.output
    assert "Warning: iverilog is missing: install it" in done.output
    assert done.output.endswith("\nHardware cannot be simulated.\n")


def test_what_is_optional_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_icarus() -> str:
        raise ToolError("iverilog is missing: install it")

    monkeypatch.setattr(health, "find_icarus", no_icarus)
    done = _doctor()
    assert done.return_value == 0
    assert "Icarus: missing" in done.output
    assert "Warning: iverilog is missing: install it\n" in done.output


def test_says_what_is_damaged_and_clears_what_was_left(cache: Path) -> None:
    (cache / f"runtime-{_KEY}" / "program").write_text("")
    done = _doctor()
    assert done.return_value == 0
    assert "2 builds, 1 damaged" in done.output
    assert f"Warning: runtime-{_KEY}: damaged, and built again when next used" in done.output
    assert not list((cache / "runs").iterdir())


def test_clean_empties_the_cache_and_keeps_the_waves(cache: Path) -> None:
    done = _doctor("--clean")
    assert "0.0 MB, empty" in done.output
    assert sorted(path.name for path in cache.iterdir()) == ["runs", "waves"]
    assert (cache / "waves" / "mac.vcd").exists()
