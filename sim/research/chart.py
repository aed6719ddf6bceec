"""A plot for the terminal: a letter for each choice, as in the table beside it."""

from collections.abc import Sequence
from string import ascii_letters

from scalewright.sim.research.point import Point, drawable

_COLUMNS, _ROWS = 60, 14

# Where two choices fall on one character.
_SEVERAL = "+"


def key(index: int) -> str:
    """What stands for the choice of this number: a letter, or `*` for all beyond the 52nd."""
    return ascii_letters[index] if index < len(ascii_letters) else "*"


def chart(points: Sequence[Point], *, x: str, y: str) -> str:
    """Draw points as letters, both axes with their ends and their titles.

    Args:
        points: In the order of the table; those without a finite ratio are left out.
        x: Title of the axis of bits.
        y: Title of the axis of ratios.

    Returns:
        Lines of at most 80 characters; empty where fewer than two points can be drawn.
    """
    shown = drawable(points)
    if len(shown) < 2:
        return ""
    low, high = _ends([point.bits for point in shown])
    bottom, top = _ends([point.signal_to_noise_db for point in shown])
    grid = [[" "] * _COLUMNS for _ in range(_ROWS)]
    for index, point in enumerate(points):
        if point in shown:
            column = round((point.bits - low) / (high - low) * (_COLUMNS - 1))
            row = round((top - point.signal_to_noise_db) / (top - bottom) * (_ROWS - 1))
            grid[row][column] = key(index) if grid[row][column] == " " else _SEVERAL
    lines = [f"{y} ({_SEVERAL}: several)"]
    for row, cells in enumerate(grid):
        value = top + (bottom - top) * row / (_ROWS - 1)
        number = f"{value:8.1f}" if row % 4 == 0 or row == _ROWS - 1 else " " * 8
        lines.append(f"{number} | {''.join(cells)}".rstrip())
    lines.append(" " * 9 + "+" + "-" * (_COLUMNS + 1))
    middle = f"{(low + high) / 2:.2f}"
    left, right = f"{low:.2f}", f"{high:.2f}"
    lines.append(" " * 11 + f"{left}{middle:^{_COLUMNS - len(left) - len(right)}}{right}")
    lines.append(" " * 11 + f"{x:^{_COLUMNS}}".rstrip())
    return "\n".join(lines)


def _ends(values: Sequence[float]) -> tuple[float, float]:
    """The ends of an axis; apart even where all values are one."""
    low, high = min(values), max(values)
    return (low, high) if high > low else (low - 1, high + 1)
