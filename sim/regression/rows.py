"""Rows of parameters: which a regression can afford, and which pairs of values it never plays.

sim/blocks/ says what parameters a block has, what rows mean, and what they may cost.
"""

from itertools import combinations, product
from typing import TypeAlias

from scalewright.sim.blocks import BLOCKS
from scalewright.sim.blocks.block import Row, Value

# Parameters and their values in a pair.
Pair: TypeAlias = tuple[tuple[str, Value], tuple[str, Value]]


def is_affordable(block: str, row: Row) -> bool:
    """Whether a simulator of a row, or of a part of one, is built within two minutes."""
    return all(
        bound.cost(row) <= bound.most
        for bound in BLOCKS[block].bounds
        if all(name in row for name in bound.parameters)
    )


def excluded_pairs(block: str) -> dict[Pair, str]:
    """Legal pairs of levels (their first values) that no row has for its cost, and the reason."""
    excluded: dict[Pair, str] = {}
    record = BLOCKS[block]
    for bound in record.bounds:
        choices = [[level[0] for level in record.parameters[name]] for name in bound.parameters]
        rows = [dict(zip(bound.parameters, row, strict=True)) for row in product(*choices)]
        for one, other in combinations(bound.parameters, 2):
            kept = {(row[one], row[other]) for row in rows if is_affordable(block, row)}
            for row in rows:
                if (row[one], row[other]) not in kept:
                    excluded[(one, row[one]), (other, row[other])] = bound.reason
    return excluded
