"""Tables on standard output."""

import math
import shutil
import sys

from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable

from scalewright.sim.cli.program.terminal import console
from scalewright.sim.files.names import printable

# Significant digits of figures that have no end, and of those that are shown to theirs.
_DIGITS = 4
_EXACT_DIGITS = 6
_SMALL = 1e-4


class Table:
    """A table of text on the left and numbers on the right."""

    def __init__(self, *headings: str) -> None:
        self._headings = headings
        self._rows: list[tuple[object, ...]] = []

    def add(self, *cells: object) -> None:
        """Add a row; integers get thousands separators."""
        self._rows.append(cells)

    def print(self) -> None:
        """Print it, never cut: on a terminal that is too narrow, each row over several lines."""
        rows = [[_text(cell) for cell in row] for row in self._rows]
        columns = list(zip(self._headings, *rows, strict=True))
        width = sum(max(len(cell) for cell in column) + 2 for column in columns) - 2
        output = console(sys.stdout, width=max(width, 80) + 1)
        if sys.stdout.isatty() and width > shutil.get_terminal_size().columns:
            self._print_records(rows)
        else:
            self._print_columns(rows, output)

    def _print_columns(self, rows: list[list[str]], output: Console) -> None:
        style = "bold" if output.color_system is not None else ""
        table = RichTable(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style=style)
        for index, heading in enumerate(self._headings):
            numbers = all(isinstance(row[index], int | float) for row in self._rows)
            table.add_column(escape(heading), justify="right" if numbers else "left", no_wrap=True)
        for row in rows:
            table.add_row(*map(escape, row))
        output.print(table)

    def _print_records(self, rows: list[list[str]]) -> None:
        width = max(map(len, self._headings))
        for number, row in enumerate(rows):
            if number:
                print()
            for heading, cell in zip(self._headings, row, strict=True):
                print(f"{heading:<{width}}  {cell}")


def _text(cell: object) -> str:
    if isinstance(cell, int):
        return f"{cell:,}"
    return number(cell) if isinstance(cell, float) else printable(cell)


def number(value: float) -> str:
    """A figure with two decimals, or more where that shows fewer than four significant digits.

    What is short in full, such as 4.0625, is shown in full; what is very small with an exponent.
    """
    whole = repr(float(value))
    if not math.isfinite(value):
        return whole
    digits = whole.replace(".", "").lstrip("-0")
    if "e" not in whole and len(digits) <= _EXACT_DIGITS:
        return f"{value:,.{max(2, len(whole.partition('.')[2]))}f}"
    if abs(value) < _SMALL:
        return f"{value:.{_DIGITS}g}"
    before = math.floor(math.log10(abs(value))) + 1
    return f"{value:,.{max(2, _DIGITS - before)}f}"
