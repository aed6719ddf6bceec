"""Configurations that a regression covers when it is given none.

`covering` has the presets and others with names, and beside them all pairs of what levels.py says
of each parameter, as covering_array.json has them: extremes meet extremes. A test suite that has no
time for all plays a `sample`, in which each value is, but not each pair.
tests/sim/coverage/test_configurations.py proves both.
"""

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from scalewright.golden.config import PRESETS, DatapathConfig, EngineConfig, OctavConfig
from scalewright.sim.blocks.design import Config
from scalewright.sim.coverage.levels import PARAMETERS, Row, Value, configure

_ARRAYS = Path(__file__).with_name("covering_array.json")

_parse = DatapathConfig.parse

_VECTOR_MACS: tuple[DatapathConfig, ...] = (
    *PRESETS.values(),
    # The demo's.
    _parse("8/8U/-/-"),
    _parse("4/4U/-/-"),
    _parse("4/4U/4/6"),
    _parse("4/4U/4/6", scale_product_bits=6),
    _parse("3/3U/4/6"),
    # The other pipelines.
    *(
        replace(_parse(notation), pipeline_depth=depth)
        for notation in ("4/4U/4/6", "8/8/-/-")
        for depth in (1, 3)
    ),
)

_OCTAV_UNITS: tuple[OctavConfig, ...] = (OctavConfig(), OctavConfig(resident=False))

# The demo's; the chip's vectors; one result per cycle of a vector and all at once.
_ENGINES: tuple[EngineConfig, ...] = (
    EngineConfig(datapath=_parse("4/4U/4/6")),
    EngineConfig(
        datapath=_parse("4/4/8/8", vector_size=64, scale_product_bits=8),
        lanes=4,
        depth=40,
        post_lanes=4,
    ),
)

# Presets and others that somebody uses, before all pairs.
SPECIALS: dict[str, tuple[Config, ...]] = {
    "vector-mac": _VECTOR_MACS,
    "octav": _OCTAV_UNITS,
    "rescaler": _ENGINES[:1],
    "vector-quantizer": _ENGINES[:1],
    "engine": _ENGINES,
}


@cache
def covering(block: str) -> tuple[Any, ...]:
    """Configurations of a block that have every pair of values; specials come first."""
    pairs = (configure(block, row) for row in _rows(block))
    return tuple(dict.fromkeys((*SPECIALS[block], *pairs)))


@cache
def sample(block: str) -> tuple[Any, ...]:
    """Some of them: the specials, and a few that have every level of every parameter."""
    rows = _rows(block)
    levels = [
        {
            (name, level[0])
            for name, levels in PARAMETERS[block].items()
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
        chosen.append(configure(block, rows[best]))
    return tuple(dict.fromkeys((*SPECIALS[block], *chosen)))


def _rows(block: str) -> list[Row]:
    rows: list[list[Value]] = json.loads(_ARRAYS.read_text())[block]
    return [dict(zip(PARAMETERS[block], row, strict=True)) for row in rows]
