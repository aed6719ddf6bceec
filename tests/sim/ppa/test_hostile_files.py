"""Measurements and cell libraries of any origin: read, or refused in one line."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import strategies as st

from scalewright.golden.config import DatapathConfig
from scalewright.sim.datasheet.area import BASELINE, find_area
from scalewright.sim.datasheet.ownership import require_own
from scalewright.sim.ppa.baseline import growths
from scalewright.sim.ppa.cells import CellLibrary
from tests.tools.fuzzing import fuzzed
from tests.tools.ppa import TINY

_CONFIG = DatapathConfig.parse("4/4/4/6", scale_product_bits=6)
_MEASURED = json.dumps({**json.loads(BASELINE.read_text())})
# Deeper than Python calls, and short enough that hypothesis shows it.
_DEEP = ("[" * 3000, '{"a":' * 1500, "library (a) {}a(){" * 1500, "(" * 3000)
_WORDS = (
    *_DEEP, "null", "[]", "{}", "{", "}", '"', "NaN", "1e999", "-1", "9" * 5000, "x", "\x1b[2J",
    ";", ":", "(", ")", "/*", '"1ns"', "values", "pin (", "cell (A) {", "\\ud800", "index_1",
)  # fmt: skip


def _read_measurements(path: Path) -> None:
    find_area("vector-mac", _CONFIG, path)


def _read_baseline(path: Path) -> None:
    growths([], path)


def _read_cells(path: Path) -> None:
    library = CellLibrary.read(path)
    library.full_adder()
    library.gate(0b0110, 2)


_READERS: dict[str, tuple[str, Callable[[Path], None]]] = {
    "m.json": (_MEASURED, _read_measurements),
    "baseline.json": (_MEASURED, _read_baseline),
    "own.json": (json.dumps({"tools": {"scalewright": "1"}}), require_own),
    "cells.lib": (TINY, _read_cells),
}


@st.composite
def _changed(draw: st.DrawFn) -> tuple[str, bytes]:
    """A good file with some text cut out, and something put in its place."""
    name = draw(st.sampled_from(sorted(_READERS)))
    content = bytearray(_READERS[name][0].encode())
    for _ in range(draw(st.integers(1, 3))):
        where = draw(st.integers(0, len(content)))
        put = draw(st.sampled_from(_WORDS).map(str.encode) | st.binary(max_size=4))
        content[where : where + draw(st.integers(0, 12))] = put
    return name, bytes(content)


def _refuse_in_one_line(name: str, content: bytes, folder: Path) -> None:
    path = folder / name
    path.write_bytes(content)
    try:
        _READERS[name][1](path)
    except (ValueError, OSError) as error:
        assert str(error).isprintable()  # noqa: PT017 - none is as good
        assert len(str(error)) < 2000  # noqa: PT017


@fuzzed("measurement files", 150, file=_changed())
def test_changes_are_read_or_refused(file: tuple[str, bytes], tmp_path: Path) -> None:
    _refuse_in_one_line(*file, tmp_path)


def test_what_a_file_has_is_shown_shortened(tmp_path: Path) -> None:
    document = json.loads(_MEASURED)
    document["measurements"] = document["measurements"][:1]
    for known in (5, "x" * 9000, "\x1b[2J"):
        document["measurements"][0]["subject"]["config"] = known
        _refuse_in_one_line("m.json", json.dumps(document).encode(), tmp_path)


@pytest.mark.parametrize("name", _READERS)
@pytest.mark.parametrize("content", [*_DEEP, "", "\xff"])
def test_files_without_end_are_refused(name: str, content: str, tmp_path: Path) -> None:
    _refuse_in_one_line(name, content.encode("latin-1"), tmp_path)
