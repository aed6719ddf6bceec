"""How programs end: exit statuses, and one line of what went wrong."""

import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import sleep
from typing import Any

import click
import pytest

from scalewright.sim.cli import commands
from scalewright.sim.cli.program import failures
from scalewright.sim.cli.program import launch as shell
from scalewright.sim.simulators.build import BuildError
from scalewright.sim.simulators.simulation import SimulationError
from scalewright.sim.simulators.toolchain import ToolError
from tests.tools.shell import call

_GENERATE = (sys.executable, "-m", "scalewright.sim.cli", "generate", "4/4/-/-", "-o", "out.v")


def _raise(error: BaseException) -> Callable[[], Any]:
    def act() -> None:
        raise error

    return act


def _recurse() -> None:
    _recurse()


def _eof() -> None:
    raise EOFError


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[Callable[[], Any]], int]:
    """Run a command that does something; its exit status."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    def run(act: Callable[[], Any]) -> int:
        command = click.command()(act)
        monkeypatch.setattr(commands, "played", command, raising=False)
        return call(command="played")

    return run


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("size must be 4, not 3"), "size must be 4, not 3"),
        (click.UsageError("No such option"), "No such option"),
        (OSError(errno.ENOSPC, "No space left on device", "x"), "x: No space left on device"),
        (OSError("x: is a folder"), "x: is a folder"),
        (BrokenPipeError(errno.EPIPE, "Broken pipe", "fifo"), "what it wrote to was closed by"),
        (MemoryError("Unable to allocate 8 TiB"), "not enough memory: Unable to allocate 8 TiB; "),
        (MemoryError(), "not enough memory: the work does not fit; give it less"),
        (ToolError("g++ is missing"), "g++ is missing"),
        (BuildError("does not build"), "does not build"),
        (SimulationError("broke off"), "broke off"),
        (
            ModuleNotFoundError("No module named 'torch'", name="torch"),
            "torch cannot be imported (No module named 'torch'): `pip install ",
        ),
        (
            UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
            "a file that should be text is none: 'utf-8' codec can't decode byte 0xff",
        ),
        (TypeError("notation must be a string, not 4"), "notation must be a string, not 4"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_bad_input_and_environment_are_status_2(
    error: Exception,
    line: str,
    play: Callable[[Callable[[], Any]], int],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # As if this file were of the package.
    monkeypatch.setitem(globals(), "__name__", "scalewright.test")
    assert play(_raise(error)) == 2
    (printed,) = capsys.readouterr().err.splitlines()
    assert printed.startswith(f"scalewright: {line}")


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (_raise(KeyError("lanes")), "KeyError: 'lanes'"),
        (_raise(AssertionError()), "AssertionError"),
        (_raise(ImportError("no name", name="scalewright.hw")), "ImportError: no name"),
        (_recurse, "RecursionError: maximum recursion depth exceeded"),
        (_eof, "EOFError"),
        (lambda: len(3), "TypeError: object of type 'int' has no len()"),  # type: ignore[arg-type]
    ],
)
def test_a_defect_is_status_3_and_leaves_its_traceback_in_a_file(
    act: Callable[[], Any],
    message: str,
    play: Callable[[Callable[[], Any]], int],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert play(act) == 3
    (line,) = [text for text in capsys.readouterr().err.splitlines() if text]
    assert line.startswith(f"scalewright: this is a defect of Scalewright: {message}")
    (log,) = (tmp_path / "scalewright").iterdir()
    assert line.endswith(f"please report it with {log}")
    text = log.read_text()
    assert "Traceback (most recent call last)" in text
    assert "command: [" in text


def test_a_defect_is_told_where_no_log_can_be_kept(
    play: Callable[[Callable[[], Any]], int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(shell, "keep_log", lambda error: None)
    assert play(_raise(KeyError("lanes"))) == 3
    assert capsys.readouterr().err.endswith("and its log could not be written anywhere\n")


def test_an_interrupt_is_status_130(
    play: Callable[[Callable[[], Any]], int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert play(_raise(KeyboardInterrupt())) == 130
    assert capsys.readouterr().err.strip() == "scalewright: interrupted"


def test_only_what_a_command_returns_is_status_1(
    play: Callable[[Callable[[], Any]], int],
) -> None:
    assert play(lambda: 1) == 1
    assert play(lambda: sys.exit(1)) == 2
    assert play(lambda: None) == 0


def test_every_extra_is_one_of_the_project() -> None:
    text = Path("pyproject.toml").read_text()
    for extra in failures._EXTRAS.values():
        assert f"\n{extra} = [" in text


@pytest.mark.parametrize("seconds", [0.02, 0.15, 0.4])
def test_an_interrupt_during_the_imports_leaves_no_traceback(
    seconds: float, tmp_path: Path
) -> None:
    start = "import time; print('up', flush=True)\nfrom scalewright.sim.cli import main; main()"
    command = [sys.executable, "-c", start, *_GENERATE[3:]]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        sleep(seconds)
        process.send_signal(signal.SIGINT)
        _, printed = process.communicate(timeout=20)
    assert "Traceback" not in printed
    # Once all is done and Python clears up, the signal itself ends it.
    assert process.returncode in (130, 0, -signal.SIGINT)


@pytest.mark.parametrize(
    ("redirection", "status", "message"),
    [
        (">/dev/full", 2, "scalewright: standard output: No space left on device\n"),
        (">&-", 0, ""),
        ("<&- >&- 2>&-", 0, ""),
        ("2>/dev/full", 0, ""),
        ("| true", 0, ""),
    ],
)
def test_standard_output_may_be_full_closed_or_left(
    redirection: str, status: int, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCALEWRIGHT_QUIET", "1")  # no line on what to do next
    words = " ".join(_GENERATE)
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {words} --json results.json {redirection}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (status, message)
    # The work was done all the same, and nothing was printed into a file.
    assert json.loads((tmp_path / "results.json").read_text())["verilog"] == "out.v"
    assert (tmp_path / "out.v").read_text().startswith("// vector_mac")


@pytest.mark.parametrize("redirection", ["| cat", "> log; cat log"])
def test_json_may_go_to_standard_output(
    redirection: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCALEWRIGHT_QUIET", "1")  # no line on what to do next
    command = f"{' '.join(_GENERATE)} --json /dev/stdout {redirection}"
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    results, end = json.JSONDecoder().raw_decode(done.stdout)
    assert results["verilog"] == "out.v"
    assert done.stdout[end:].startswith("\nout.v: module vector_mac")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_any_name_can_be_printed_in_any_encoding(encoding: str, tmp_path: Path) -> None:
    name = os.fsdecode(b"\xe6\x98\x9f\xff.v")
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "LC_ALL": "C"}
    for last in (name, f"missing/{name}.txt"):
        done = subprocess.run(
            [*_GENERATE[:-1], last], cwd=tmp_path, env=environment, capture_output=True
        )
        assert b"Traceback" not in done.stderr
        assert done.returncode == (0 if last == name else 2), done.stderr


@pytest.mark.parametrize(
    "module",
    ["reports.speed", "reports.clipping_speed", "ppa.evidence", "ppa.fpga.evidence"],
)
def test_programs_end_like_commands(module: str, capsys: pytest.CaptureFixture[str]) -> None:
    name = f"scalewright.sim.{module}"
    assert call("--no-such", module=name, command="main") == 2
    assert capsys.readouterr().err.startswith("scalewright: No such option '--no-such'")
