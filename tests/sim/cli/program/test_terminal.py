"""What is printed where: on terminals, into files, in encodings of every kind."""

import io
import logging
import re
import sys
from pathlib import Path
from time import sleep

import numpy as np
import pytest

from scalewright.sim.cli.program import terminal
from scalewright.sim.cli.program.table import Table, number
from scalewright.sim.cli.program.terminal import progress_bar, say_next
from tests.tools.shell import call

_DIGITS = "0.123456789012345678"


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def _screen(monkeypatch: pytest.MonkeyPatch) -> _Terminal:
    """A terminal of 80 columns, as standard output and error."""
    found = _Terminal()
    monkeypatch.setattr(sys, "stdout", found)
    monkeypatch.setattr(sys, "stderr", found)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm-256color")
    for name in ("NO_COLOR", "SCALEWRIGHT_QUIET"):
        monkeypatch.delenv(name, raising=False)
    return found


def _table(columns: int) -> Table:
    table = Table(*(f"heading {index}" for index in range(columns)))
    table.add(1_234_567, *[_DIGITS] * (columns - 1))
    table.add(2, *["[bold]"] * (columns - 1))
    return table


@pytest.mark.parametrize("columns", [2, 4, 12])
@pytest.mark.parametrize("term", ["xterm-256color", "dumb"])
def test_no_digit_is_lost_on_a_narrow_terminal(
    columns: int, term: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = _screen(monkeypatch)
    monkeypatch.setenv("TERM", term)
    _table(columns).print()
    lines = re.sub(r"\x1b\[[0-9;]*m", "", screen.getvalue()).splitlines()
    assert sum(line.count(_DIGITS) for line in lines) == columns - 1
    assert sum(line.count("[bold]") for line in lines) == columns - 1
    assert sum(line.count("1,234,567") for line in lines) == 1
    assert max(map(len, lines)) <= 80
    assert ("\x1b" in screen.getvalue()) == (columns < 5 and term != "dumb")


def test_no_color_removes_all_styling(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = _screen(monkeypatch)
    monkeypatch.setenv("NO_COLOR", "1")
    _table(2).print()
    assert "\x1b" not in screen.getvalue()


def test_no_line_off_a_terminal_is_cut_or_styled(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "20")
    _table(40).print()
    printed = capsys.readouterr().out
    assert printed.count(_DIGITS) == 39
    assert len(printed.splitlines()) == 3
    assert "\x1b" not in printed


def test_tables_need_no_more_than_ascii(capsys: pytest.CaptureFixture[str]) -> None:
    _table(3).print()
    assert capsys.readouterr().out.isascii()


def test_progress_off_a_terminal_is_lines_now_and_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SCALEWRIGHT_QUIET", raising=False)
    monkeypatch.setattr(terminal, "INTERVAL", 0.05)
    monkeypatch.setattr(terminal, "NOTICEABLE", 0.01)
    with progress_bar("pairs", 2000) as advance:
        advance(1000)
        sleep(0.08)
        logging.getLogger("scalewright.sim.test").info("building mac")
        advance(1000)
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = captured.err.splitlines()
    assert lines[0] == "pairs: 1,000 of 2,000 after 0 s"
    assert "building mac" in lines
    assert lines[-1] == "pairs: 2,000 of 2,000 in 0 s"


def test_what_is_done_at_once_needs_no_progress(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar("pairs", 1) as advance:
        advance(1)
    assert capsys.readouterr().err == ""


def test_progress_on_a_terminal_is_a_bar_with_what_is_logged_above(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    screen = _screen(monkeypatch)
    with progress_bar("pairs", 2) as advance:
        advance(1)
        logging.getLogger("scalewright.sim.test").info("building [mac]")
    assert "pairs" in screen.getvalue()
    assert "building [mac]\n" in screen.getvalue()


def test_quiet_silences_progress(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCALEWRIGHT_QUIET", "1")
    monkeypatch.setattr(terminal, "NOTICEABLE", -1.0)
    with progress_bar("pairs", 1):
        logging.getLogger("scalewright.sim.test").info("building mac")
    assert capsys.readouterr().err == ""


def test_what_to_do_next_is_the_last_line_unless_quiet(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    screen = _screen(monkeypatch)
    monkeypatch.chdir(tmp_path)
    assert call("generate", "4/4/-/-", "--vector-size", "4", "-o", "out.v") == 0
    (line,) = [text for text in screen.getvalue().splitlines() if text.startswith("Next: ")]
    assert line.startswith("Next: scalewright regress 4/4/-/- --vector-size 4 ")
    monkeypatch.undo()
    say_next(["scalewright", "run", "a model.onnx"], "plays it")
    monkeypatch.setenv("SCALEWRIGHT_QUIET", "1")
    say_next("nothing")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == (
        "",
        "Next: scalewright run 'a model.onnx'   (plays it)\n",
    )


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (24.487193, "24.49"),
        (5.25, "5.25"),
        (4.0625, "4.0625"),
        (100.0, "100.00"),
        (0.0, "0.00"),
        (-0.0, "-0.00"),
        (0.0123456789, "0.01235"),
        (0.9999999, "1.0000"),
        (-1.23456789, "-1.235"),
        (1234.56789, "1,234.57"),
        (1.23456e-7, "1.235e-07"),
        (1e-7, "1e-07"),
        (1e22, "10,000,000,000,000,000,000,000.00"),
        (float("inf"), "inf"),
        (float("nan"), "nan"),
        (np.float64(0.1), "0.10"),
    ],
)
def test_figures_keep_what_is_significant(value: float, shown: str) -> None:
    assert number(value) == shown
