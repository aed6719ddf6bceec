"""The matrix engine, and what its blocks have in common with it."""

from collections.abc import Callable, Mapping
from typing import Any

from scalewright.golden.config import DatapathConfig, EngineConfig
from scalewright.golden.config.parameter import LANES
from scalewright.hw.engine import Engine
from scalewright.sim.blocks.block import Block, Bound, Level, Row
from scalewright.sim.blocks.vector_mac import datapath
from scalewright.sim.blocks.vector_mac import words as datapath_words
from scalewright.sim.soak.engine import soak
from scalewright.sim.testbenches import engine as testbench

OPTIONS = ("lanes", "depth", "post_lanes", "result_bits", "dsp_multipliers")
POST_LANES: tuple[Level, ...] = (("one",), ("middle",), ("all",))

# The demo's; the chip's vectors; one result per cycle of a vector and all at once.
SPECIALS: tuple[EngineConfig, ...] = (
    EngineConfig(datapath=DatapathConfig.parse("4/4U/4/6")),
    EngineConfig(
        datapath=DatapathConfig.parse("4/4/8/8", vector_size=64, scale_product_bits=8),
        lanes=4,
        depth=40,
        post_lanes=4,
    ),
)


def complete(config: DatapathConfig, given: Mapping[str, Any]) -> EngineConfig:
    """An engine of a datapath."""
    return EngineConfig(datapath=config, **given)


def words(config: EngineConfig) -> list[str]:
    """What says an engine on the command line."""
    said = datapath_words(config.datapath)
    for name in ("lanes", "depth", "post_lanes", "result_bits"):
        said += [f"--{name.replace('_', '-')}", str(getattr(config, name))]
    return [*said, *["--dsp-multipliers"] * config.dsp_multipliers]


def configuration_of(row: Row) -> EngineConfig:
    """The engine that a row means."""
    lanes = int(row.get("lanes", 16))

    def build(post_lanes: int, depth: int = 1 << 12) -> EngineConfig:
        return EngineConfig(
            datapath=datapath(row),
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


def part_of(row: Row) -> EngineConfig:
    """The engine whose part a row means: as many lanes and elements as results."""
    size = row.get("vector_size", 64)
    return configuration_of({"vector_size": size, "lanes": size, "depth": "least", **row})


def rescaled_bits(row: Row) -> int:
    """Accumulator bits that compressors rescale at once."""
    config = configuration_of(row)
    return 0 if config.dsp_multipliers else config.post_lanes * config.datapath.accumulator_bits


def _is_legal(build: Callable[[int], Any], value: int) -> bool:
    try:
        build(value)
    except ValueError:
        return False
    return True


def _elements(row: Row) -> int:
    return (
        int(row["lanes"]) * int(row["vector_size"]) * int(row["weights"]) * int(row["activations"])
    )


def _scale_products(row: Row) -> int:
    try:
        return int(row["lanes"]) * datapath(row).rounded_scale_product_bits
    except ValueError:
        return 0


ENGINE = Block(
    name="engine",
    component=Engine,
    cases=testbench.cases,
    complete=complete,
    options=OPTIONS,
    words=words,
    specials=SPECIALS,
    parameters={
        "weights": ((2,), (4,), (8,)),
        "activations": (("2",), ("5",), ("8",)),
        "sign": (("",), ("U",), ("X",)),
        "weight_scale": (("-",), (2,), (6,), (10,)),
        "activation_scale": (("-",), (2,), (6,), (10,)),
        "vector_size": ((4,), (16,), (64,)),
        "scale_product": (("one",), ("half", "all but one"), ("all",)),
        "accumulator_bits": ((16,), (24,), (48,)),
        "pipeline_depth": ((1,), (2,), (3,)),
        "lanes": ((1,), (4, 16), (64,)),
        # Not 65,536 rows: loading them takes as many cycles, times the lanes.
        "depth": (("least",), ("odd",), ("more",)),
        "post_lanes": POST_LANES,
        "result_bits": ((8,), (18, 24), (32,)),
        "dsp_multipliers": ((0,), (1,)),
    },
    configuration_of=configuration_of,
    soak=soak,
    # The default engine, whose simulator is built in 40 s, has 4,096 partial products, 16 lanes of
    # 10-bit scale products, and 4 results of 24-bit accumulators to rescale at once.
    bounds=(
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
            rescaled_bits,
            384,
            "over 384 accumulator bits in compressors of the rescaler: minutes for each build",
        ),
    ),
)
