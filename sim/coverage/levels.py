"""Parameters of each block, the levels of each that regressions pair, and what a row of them means.

A level is a few values that are as good as each other: an extreme alone, or all between extremes,
which the rows of a covering array take in turn. A row has a value for each parameter. Values that
have a meaning only beside others are words: `least`, `one`, `half`, `middle`, `all`.

A row is legal where the configuration can be constructed: golden/config has all rules, and words
are looked up there too. What a simulator costs is bounded here (`BOUNDS`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import combinations, product
from typing import Any, TypeAlias

from scalewright.golden.config import DatapathConfig, EngineConfig, OctavConfig
from scalewright.golden.config.parameter import LANES
from scalewright.sim.blocks.design import Config

Value: TypeAlias = int | str
Level: TypeAlias = tuple[Value, ...]
Row: TypeAlias = Mapping[str, Value]
# Parameters and their values in a pair.
Pair: TypeAlias = tuple[tuple[str, Value], tuple[str, Value]]

_POST_LANES: tuple[Level, ...] = (("one",), ("middle",), ("all",))

PARAMETERS: dict[str, dict[str, tuple[Level, ...]]] = {
    "vector-mac": {
        "weights": ((2,), (3, 4, 5, 6, 7), (8,)),
        "activations": (
            *(("2",), ("3", "5", "6", "7", "4"), ("8",)),
            *(("2U",), ("5U", "7U", "6U", "3U", "4U"), ("8U",)),
        ),
        "weight_scale": (("-",), (2,), (3, 5, 7, 9, 4, 6, 8), (10,)),
        "activation_scale": (("-",), (2,), (3, 5, 7, 9, 4, 6, 8), (10,)),
        "vector_size": ((4,), (8, 16, 32), (64,)),
        "scale_product": (("one",), ("half",), ("all but one",), ("all",)),
        "accumulator_bits": ((16,), (17, 24, 32, 47), (48,)),
        "pipeline_depth": ((1,), (2,), (3,)),
    },
    "octav": {
        "sample_bits": ((2,), (12,), (24,)),
        "lanes": ((1,), (8,), (64,)),
        # Rows, of `lanes` samples each. Not 2^24 samples: a single tensor takes minutes.
        "rows": ((1,), (5,), (64,)),
        "fraction_bits": ((0,), (4,), (16,)),
        "max_iterations": ((1,), (10,), (63,)),
        "resident": ((0,), (1,)),
    },
    # Blocks of the engine, in what matters to them.
    "rescaler": {
        "accumulator_bits": ((16,), (24,), (48,)),
        "result_bits": ((8,), (18,), (32,)),
        "post_lanes": ((1,), (2,), (64,)),
        "dsp_multipliers": ((0,), (1,)),
    },
    "vector-quantizer": {
        "activations": (("2",), ("5",), ("8",)),
        "sign": (("",), ("U",)),
        "activation_scale": (("-",), (2,), (6,), (10,)),
        "vector_size": ((4,), (16,), (64,)),
        "post_lanes": _POST_LANES,
        "result_bits": ((8,), (18,), (32,)),
    },
    "engine": {
        "weights": ((2,), (4,), (8,)),
        "activations": (("2",), ("5",), ("8",)),
        "sign": (("",), ("U",)),
        "weight_scale": (("-",), (2,), (6,), (10,)),
        "activation_scale": (("-",), (2,), (6,), (10,)),
        "vector_size": ((4,), (16,), (64,)),
        "scale_product": (("one",), ("half", "all but one"), ("all",)),
        "accumulator_bits": ((16,), (24,), (48,)),
        "pipeline_depth": ((1,), (2,), (3,)),
        "lanes": ((1,), (4, 16), (64,)),
        # Not 65,536 rows: loading them takes as many cycles, times the lanes.
        "depth": (("least",), ("odd",), ("more",)),
        "post_lanes": _POST_LANES,
        "result_bits": ((8,), (18, 24), (32,)),
        "dsp_multipliers": ((0,), (1,)),
    },
}


def configure(block: str, row: Row) -> Config:
    """The configuration of a block that a row means.

    Raises:
        ValueError: There is none: a rule of golden/config forbids it.
    """
    return _CONFIGURE[block](row)


def is_affordable(block: str, row: Row) -> bool:
    """Whether a simulator of a row, or of a part of one, is built within two minutes."""
    return all(
        bound.cost(row) <= bound.most
        for bound in BOUNDS.get(block, ())
        if all(name in row for name in bound.parameters)
    )


def excluded_pairs(block: str) -> dict[Pair, str]:
    """Legal pairs of levels (their first values) that no row has for its cost, and the reason."""
    excluded: dict[Pair, str] = {}
    for bound in BOUNDS.get(block, ()):
        choices = [[level[0] for level in PARAMETERS[block][name]] for name in bound.parameters]
        rows = [dict(zip(bound.parameters, row, strict=True)) for row in product(*choices)]
        for one, other in combinations(bound.parameters, 2):
            kept = {(row[one], row[other]) for row in rows if is_affordable(block, row)}
            for row in rows:
                if (row[one], row[other]) not in kept:
                    excluded[(one, row[one]), (other, row[other])] = bound.reason
    return excluded


@dataclass(frozen=True)
class Bound:
    """What a simulator may cost in one respect.

    Attributes:
        parameters: Those that it depends on.
        cost: The cost, of a row that has them.
        most: The bound.
        reason: What it costs beyond.
    """

    parameters: tuple[str, ...]
    cost: Callable[[Row], int]
    most: int
    reason: str


def _elements(row: Row) -> int:
    return (
        int(row["lanes"]) * int(row["vector_size"]) * int(row["weights"]) * int(row["activations"])
    )


def _scale_products(row: Row) -> int:
    try:
        return int(row["lanes"]) * _datapath(row).rounded_scale_product_bits
    except ValueError:
        return 0


def _products(row: Row) -> int:
    config = _engine(row)
    return 0 if config.dsp_multipliers else config.post_lanes * config.datapath.accumulator_bits


# The default engine, whose simulator is built in 40 s, has 4,096 partial products, 16 lanes of
# 10-bit scale products, and 4 results of 24-bit accumulators to rescale at once.
BOUNDS: dict[str, tuple[Bound, ...]] = {
    "engine": (
        Bound(
            ("lanes", "vector_size", "weights", "activations"),
            _elements,
            4096,
            "over 4,096 partial products of elements: minutes for each build",
        ),
        Bound(
            ("lanes", "weight_scale", "activation_scale", "scale_product"),
            _scale_products,
            640,
            "over 640 bits of scale products: minutes for each build",
        ),
        Bound(
            ("lanes", "vector_size", "post_lanes", "accumulator_bits", "dsp_multipliers"),
            _products,
            384,
            "over 384 accumulator bits in compressors of the rescaler: minutes for each build",
        ),
    ),
    "rescaler": (
        Bound(
            ("post_lanes", "accumulator_bits", "dsp_multipliers"),
            lambda row: _products({"vector_size": 64, "lanes": 64, **row}),
            384,
            "over 384 accumulator bits in compressors: minutes for each build",
        ),
    ),
}


def _datapath(row: Row) -> DatapathConfig:
    usual: dict[str, Value] = {"weights": 4, "activations": "4", "weight_scale": 4}
    values = {**usual, "sign": "", "activation_scale": 6, "scale_product": "all", **row}
    notation = "{weights}/{activations}{sign}/{weight_scale}/{activation_scale}".format(**values)
    full = DatapathConfig.parse(notation).full_scale_product_bits
    kept = {"one": 1, "half": (full + 1) // 2, "all but one": full - 1, "all": None}
    parsed = DatapathConfig.parse(
        notation,
        vector_size=int(row.get("vector_size", 16)),
        scale_product_bits=kept[str(values["scale_product"])],
        accumulator_bits=int(row.get("accumulator_bits", 24)),
    )
    return DatapathConfig(**{**vars(parsed), "pipeline_depth": int(row.get("pipeline_depth", 2))})


def _octav(row: Row) -> OctavConfig:
    values = {name: int(value) for name, value in row.items()}
    depth = values.pop("rows") * values["lanes"]
    resident = bool(values.pop("resident"))
    return OctavConfig(depth=depth, resident=resident, **values)


def _engine(row: Row) -> EngineConfig:
    lanes = int(row.get("lanes", 16))

    def build(post_lanes: int, depth: int = 1 << 12) -> EngineConfig:
        return EngineConfig(
            datapath=_datapath(row),
            lanes=lanes,
            depth=depth,
            post_lanes=post_lanes,
            result_bits=int(row.get("result_bits", 18)),
            dsp_multipliers=bool(row.get("dsp_multipliers", 0)),
        )

    groups = build(1).groups
    depths = {"least": groups, "odd": 2 * groups + 1, "more": 4 * groups + 8}
    depth = depths[str(row.get("depth", "more"))]
    word = row["post_lanes"]
    if isinstance(word, int):
        return build(word, depth)
    most = next(number for number in reversed(LANES) if _is_legal(build, number))
    middle = LANES[LANES.index(most) // 2]
    return build({"one": 1, "middle": middle, "all": most}[word], depth)


def _block_of_engine(row: Row) -> EngineConfig:
    # As many lanes and elements as results: what else there is of the engine does not matter.
    size = row.get("vector_size", 64)
    return _engine({"vector_size": size, "lanes": size, "depth": "least", **row})


def _is_legal(build: Callable[[int], Any], value: int) -> bool:
    try:
        build(value)
    except ValueError:
        return False
    return True


_CONFIGURE: dict[str, Callable[[Row], Config]] = {
    "vector-mac": _datapath,
    "octav": _octav,
    "rescaler": _block_of_engine,
    "vector-quantizer": _block_of_engine,
    "engine": _engine,
}
