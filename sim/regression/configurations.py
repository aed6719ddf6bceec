"""Configurations that a regression covers when it is given none.

`covering` has the presets and others with names, and beside them all pairs of what sim/blocks/ says
of each parameter, as covering_array.json has them: extremes meet extremes. A test suite that has no
time for all plays a `sample`, in which each value is, but not each pair.
tests/sim/regression/test_configurations.py proves both.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

from scalewright.sim.blocks import BLOCKS, Config
from scalewright.sim.blocks.block import Row, Value

_ARRAYS = Path(__file__).with_name("covering_array.json")


@cache
def covering(block: str) -> tuple[Any, ...]:
    """Configurations of a block that have every pair of values; specials come first."""
    pairs = (BLOCKS[block].configuration_of(row) for row in _rows(block))
    return tuple(dict.fromkeys((*BLOCKS[block].specials, *pairs)))


@cache
def sample(block: str) -> tuple[Any, ...]:
    """Some of them: the specials, and a few that have every level of every parameter."""
    rows = _rows(block)
    levels = [
        {
            (name, level[0])
            for name, levels in BLOCKS[block].parameters.items()
            for level in levels
            if row[name] in level
        }
        for row in rows
    ]
    missing = set().union(*levels)
    chosen: list[Config] = []
    while missing:
        # The first of those that have the most.
        best = max(range(len(rows)), key=lambda number: len(levels[number] & missing))
        missing -= levels[best]
        chosen.append(BLOCKS[block].configuration_of(rows[best]))
    return tuple(dict.fromkeys((*BLOCKS[block].specials, *chosen)))


def _rows(block: str) -> list[Row]:
    rows: list[list[Value]] = json.loads(_ARRAYS.read_text())[block]
    return [dict(zip(BLOCKS[block].parameters, row, strict=True)) for row in rows]
