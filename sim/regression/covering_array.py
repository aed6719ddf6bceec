"""Makes sim/regression/covering_array.json: for each block, rows that have every pair of levels.

    python -m scalewright.sim.regression.covering_array

The rows are committed, so that they are the same everywhere; `covertable` is wanted only to make
them again (a test does, and proves the pairs without it). It is seeded: it sorts pairs by a hash of
its own of their numbers, and draws nothing.
"""

import json
from collections import Counter
from itertools import combinations, product
from pathlib import Path
from typing import Any

from covertable import make

from scalewright.sim.blocks import BLOCKS
from scalewright.sim.blocks.block import Row, Value
from scalewright.sim.regression.rows import is_affordable

FILE = Path(__file__).with_suffix(".json")

# Those with the fewest rows of some that were tried, 10 for the engine to 6,278.
_SALTS = {"vector-mac": 3, "octav": 2134, "rescaler": 13, "vector-quantizer": 26, "engine": 16}


def covering_array(block: str) -> list[dict[str, Value]]:
    """Rows of values such that every pair of levels that is legal and affordable is in one."""
    parameters = BLOCKS[block].parameters
    firsts = {name: [level[0] for level in levels] for name, levels in parameters.items()}
    made = make(firsts, constraints=_constraints(block, firsts), salt=str(_SALTS[block]))
    # All parameters in their order, and the values of each level in turn.
    rows = []
    taken: Counter[tuple[str, Value]] = Counter()
    for row in made:
        values = {name: row[name] for name in parameters}
        for name, levels in parameters.items():
            level = next(level for level in levels if level[0] == row[name])
            turn = taken[name, level[0]] % len(level)
            values[name] = next(
                value
                for value in level[turn:] + level[:turn]
                if is_affordable(block, {**values, name: value})
            )
            taken[name, level[0]] += 1
        BLOCKS[block].configuration_of(values)
        rows.append(values)
    return rows


def text() -> str:
    """The content of the file: a row a line."""
    blocks = []
    for block in BLOCKS:
        lines = [json.dumps(list(row.values())) for row in covering_array(block)]
        blocks.append(f"  {json.dumps(block)}: [\n    " + ",\n    ".join(lines) + "\n  ]")
    return "{\n" + ",\n".join(blocks) + "\n}\n"


def _constraints(block: str, firsts: dict[str, list[Value]]) -> list[dict[str, Any]]:
    """Of a few parameters each, the combinations that are legal and affordable."""
    # Scales, and a scale product of all bits: what is illegal beside these is so beside any.
    usual = {name: values[-1] for name, values in firsts.items()}

    def legal(row: Row) -> bool:
        try:
            BLOCKS[block].configuration_of({**usual, **row})
        except ValueError:
            return False
        return True

    constraints = []
    for count in (1, 2, 3):
        for names in combinations(firsts, count):
            rows = [
                dict(zip(names, values, strict=True))
                for values in product(*(firsts[name] for name in names))
            ]
            allowed = {tuple(row.values()) for row in rows if legal(row)}
            if len(allowed) < len(rows):
                constraints.append(_constraint(names, allowed))
    for bound in BLOCKS[block].bounds:
        choices = product(*(firsts[name] for name in bound.parameters))
        rows = [dict(zip(bound.parameters, row, strict=True)) for row in choices]
        for count in range(2, len(bound.parameters) + 1):
            for names in combinations(bound.parameters, count):
                # What some other values complete to an affordable row.
                every = {tuple(row[name] for name in names) for row in rows}
                allowed = {
                    tuple(row[name] for name in names) for row in rows if is_affordable(block, row)
                }
                if every != allowed:
                    constraints.append(_constraint(names, allowed))
    return constraints


def _constraint(names: tuple[str, ...], allowed: set[tuple[Value, ...]]) -> dict[str, Any]:
    return {
        "operator": "fn",
        "requires": list(names),
        "evaluate": lambda row: tuple(row[name] for name in names) in allowed,
    }


if __name__ == "__main__":
    FILE.write_text(text())
