"""Tables on standard output."""

import shutil
import sys

from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable

from scalewright.sim.files.names import printable


class Table:
    """A table of text on the left and numbers on the right."""

    def __init__(self, *headings: str) -> None:
        self._table = RichTable(box=None, pad_edge=False, header_style="bold")
        self._headings = headings
        self._rows: list[tuple[object, ...]] = []

    def add(self, *cells: object) -> None:
        """Add a row; integers get thousands separators."""
        self._rows.append(cells)

    def print(self) -> None:
        """Print it, as wide as it needs to be where nobody looks at a terminal."""
        for index, heading in enumerate(self._headings):
            numbers = all(isinstance(row[index], int | float) for row in self._rows)
            self._table.add_column(heading, justify="right" if numbers else "left", no_wrap=True)
        for row in self._rows:
            self._table.add_row(*(escape(_text(cell)) for cell in row))
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 200
        Console(width=max(width, 80)).print(self._table)


def _text(cell: object) -> str:
    if isinstance(cell, int):
        return f"{cell:,}"
    return f"{cell:.2f}" if isinstance(cell, float) else printable(cell)
