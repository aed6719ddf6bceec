"""What regressions cover: all pairs of values, counted here without the library that made them."""

from collections.abc import Callable
from itertools import combinations
from typing import Any, TypeAlias

import pytest

from scalewright.golden.config import (
    ELEMENT_BITS,
    PIPELINE_DEPTHS,
    SCALE_BITS,
    VECTOR_SIZES,
    DatapathConfig,
    EngineConfig,
)
from scalewright.sim.blocks import BLOCKS
from scalewright.sim.regression.configurations import covering, sample
from scalewright.sim.regression.covering_array import FILE, text
from scalewright.sim.regression.rows import excluded_pairs

_BLOCKS = list(BLOCKS)
VECTOR_MACS: tuple[DatapathConfig, ...] = covering("vector-mac")
ENGINES: tuple[EngineConfig, ...] = covering("engine")

# Of each parameter, the levels, and whether a configuration is at that level.
Levels: TypeAlias = dict[str, dict[str, Callable[[Any], bool]]]


def _scales(of: Callable[[Any], Any], middle: range) -> dict[str, Callable[[Any], bool]]:
    return {
        "-": lambda c: of(c).scale_bits is None,
        "2": lambda c: of(c).scale_bits == 2,
        "middle": lambda c: of(c).scale_bits in middle,
        "10": lambda c: of(c).scale_bits == 10,
    }


def _values(of: Callable[[Any], int], *values: int | range) -> dict[str, Callable[[Any], bool]]:
    def holds(value: int | range) -> Callable[[Any], bool]:
        return lambda c: of(c) in (value if isinstance(value, range) else (value,))

    return {str(value): holds(value) for value in values}


def _suffix(config: DatapathConfig) -> str:
    return "X" if config.either_sign else "" if config.activations.signed else "U"


def _activations(suffix: str) -> dict[str, Callable[[Any], bool]]:
    def both(level: Callable[[Any], bool]) -> Callable[[Any], bool]:
        return lambda c: level(c) and _suffix(c) == suffix

    widths = _values(lambda c: c.activations.element_bits, 2, range(3, 8), 8)
    return {f"{level}{suffix}": both(holds) for level, holds in widths.items()}


def _signs(*suffixes: str) -> dict[str, Callable[[Any], bool]]:
    def holds(suffix: str) -> Callable[[Any], bool]:
        return lambda c: _suffix(c.datapath) == suffix

    return {suffix or "signed": holds(suffix) for suffix in suffixes}


_MAC: Levels = {
    "weights": _values(lambda c: c.weights.element_bits, 2, range(3, 8), 8),
    "activations": {**_activations(""), **_activations("U"), **_activations("X")},
    "weight scale": _scales(lambda c: c.weights, range(3, 10)),
    "activation scale": _scales(lambda c: c.activations, range(3, 10)),
    "vector size": _values(lambda c: c.vector_size, 4, range(8, 33), 64),
    "scale product": {
        "one": lambda c: c.rounded_scale_product_bits == 1,
        "half": lambda c: c.rounded_scale_product_bits == (c.full_scale_product_bits + 1) // 2 > 0,
        "all but one": lambda c: c.scale_product_shift == 1,
        "all": lambda c: c.scale_product_shift == 0,
    },
    "accumulator": _values(lambda c: c.accumulator_bits, 16, range(17, 48), 48),
    "pipeline": _values(lambda c: c.pipeline_depth, 1, 2, 3),
}
_RESULTS: Levels = {
    "result": _values(lambda c: c.result_bits, 8, range(9, 32), 32),
    "multipliers": _values(lambda c: int(c.dsp_multipliers), 0, 1),
}
_POST_LANES: dict[str, Callable[[Any], bool]] = {
    "one": lambda c: c.post_lanes == 1,
    # Between one and all, or one of them where there is nothing between.
    "middle": lambda c: (
        1 < c.post_lanes < _most(c) or (_most(c) <= 2 and c.post_lanes in (1, _most(c)))
    ),
    "all": lambda c: c.post_lanes == _most(c),
}


def _most(config: EngineConfig) -> int:
    return min(config.lanes, config.datapath.vector_size)


_LEVELS: dict[str, Levels] = {
    "vector-mac": _MAC,
    "octav": {
        "sample": _values(lambda c: c.sample_bits, 2, range(3, 24), 24),
        "lanes": _values(lambda c: c.lanes, 1, range(2, 64), 64),
        "rows": _values(lambda c: c.rows, 1, 5, range(6, 1 << 20)),
        "fraction": _values(lambda c: c.fraction_bits, 0, range(1, 16), 16),
        "iterations": _values(lambda c: c.max_iterations, 1, range(2, 63), 63),
        "resident": _values(lambda c: int(c.resident), 0, 1),
    },
    "rescaler": {
        "either sign": _values(lambda c: int(c.datapath.either_sign), 0, 1),
        **_RESULTS,
        "accumulator": _values(lambda c: c.datapath.accumulator_bits, 16, range(17, 48), 48),
        "post lanes": _values(lambda c: c.post_lanes, 1, range(2, 64), 64),
    },
    "vector-quantizer": {
        "elements": _values(lambda c: c.output.element_bits, 2, range(3, 8), 8),
        "sign": _signs("", "U", "X"),
        "scale": _scales(lambda c: c.output, range(3, 10)),
        "vector size": _values(lambda c: c.datapath.vector_size, 4, range(8, 33), 64),
        "post lanes": _POST_LANES,
        "result": _RESULTS["result"],
    },
    "engine": {
        "weights": _values(lambda c: c.datapath.weights.element_bits, 2, range(3, 8), 8),
        "activations": _values(lambda c: c.output.element_bits, 2, range(3, 8), 8),
        "sign": _signs("", "U", "X"),
        "weight scale": _scales(lambda c: c.datapath.weights, range(3, 10)),
        "activation scale": _scales(lambda c: c.output, range(3, 10)),
        "vector size": _values(lambda c: c.datapath.vector_size, 4, range(8, 33), 64),
        "scale product": {
            "one": lambda c: _MAC["scale product"]["one"](c.datapath),
            "rounded": lambda c: (
                _MAC["scale product"]["half"](c.datapath)
                or _MAC["scale product"]["all but one"](c.datapath)
            ),
            "all": lambda c: _MAC["scale product"]["all"](c.datapath),
        },
        "accumulator": _values(lambda c: c.datapath.accumulator_bits, 16, range(17, 48), 48),
        "pipeline": _values(lambda c: c.datapath.pipeline_depth, 1, 2, 3),
        "lanes": _values(lambda c: c.lanes, 1, range(2, 64), 64),
        "depth": {
            "least": lambda c: c.depth == c.groups,
            "odd": lambda c: c.depth % 2 == 1 and c.depth > c.groups,
            "more": lambda c: c.depth >= 4 * c.groups,
        },
        "post lanes": _POST_LANES,
        **_RESULTS,
    },
}
# What costs too much to simulate, by block. Every other pair must be there.
_EXCLUDED = {
    "rescaler": {(("post lanes", "64"), ("multipliers", "0"))},
    "engine": {(("vector size", "64"), ("lanes", "64"))},
}


@pytest.mark.parametrize("block", _BLOCKS)
def test_every_pair_of_values_is_covered_or_excluded_with_a_reason(block: str) -> None:
    # No rule of golden/config forbids a pair; one forbids three levels: no scale on either side,
    # and bits of their product.
    levels = _LEVELS[block]
    wanted = {
        frozenset([(one, a), (other, b)])
        for one, other in combinations(levels, 2)
        for a in levels[one]
        for b in levels[other]
    }
    for config in covering(block):
        held = [
            (name, level)
            for name in levels
            for level in levels[name]
            if levels[name][level](config)
        ]
        wanted -= {frozenset(pair) for pair in combinations(held, 2)}
    assert wanted == {frozenset(pair) for pair in _EXCLUDED.get(block, set())}
    excluded = excluded_pairs(block)
    assert len(excluded) == len(wanted)
    assert all(reason.startswith("over ") for reason in excluded.values())


@pytest.mark.parametrize("block", _BLOCKS)
def test_excluded_pairs_are_legal(block: str) -> None:
    for pair in excluded_pairs(block):
        rest = {name: levels[0][0] for name, levels in BLOCKS[block].parameters.items()}
        BLOCKS[block].configuration_of({**rest, "scale_product": "all", **dict(pair)})


def test_a_missing_row_is_seen() -> None:
    # Each row has a pair that no other has, but for the last few, perhaps.
    levels = _LEVELS["rescaler"]
    configs = covering("rescaler")

    def pairs(chosen: tuple[Any, ...]) -> set[Any]:
        return {
            pair
            for c in chosen
            for pair in combinations(
                [(n, level) for n in levels for level in levels[n] if levels[n][level](c)], 2
            )
        }

    lost = [pairs(configs[:n] + configs[n + 1 :]) != pairs(configs) for n in range(len(configs))]
    assert sum(lost) >= len(configs) // 2


def test_the_committed_rows_are_what_the_library_makes() -> None:
    assert FILE.read_text() == text()


@pytest.mark.parametrize("block", _BLOCKS)
def test_no_configuration_is_there_twice_and_a_sample_has_every_level(block: str) -> None:
    configs, some = covering(block), sample(block)
    assert len(set(configs)) == len(configs)
    assert configs[: len(BLOCKS[block].specials)] == BLOCKS[block].specials
    assert set(some) <= set(configs)
    assert len(some) < len(configs)
    for name, levels in _LEVELS[block].items():
        for level, holds in levels.items():
            assert any(map(holds, some)), f"{name} {level}"


def test_covers_every_width_of_every_kind() -> None:
    weights = {config.weights for config in VECTOR_MACS}
    activations = {config.activations for config in VECTOR_MACS}
    assert {fmt.element_bits for fmt in weights} == set(ELEMENT_BITS)
    for suffix in ("", "U", "X"):
        widths = {c.activations.element_bits for c in VECTOR_MACS if _suffix(c) == suffix}
        assert widths == set(ELEMENT_BITS), suffix
    scales = {None, *SCALE_BITS}
    assert {fmt.scale_bits for fmt in weights} == scales
    assert {fmt.scale_bits for fmt in activations} == scales
    assert {config.vector_size for config in VECTOR_MACS} == set(VECTOR_SIZES)


def test_covers_absent_scales_on_either_side_and_both() -> None:
    absent = {
        (config.weights.scale_bits is None, config.activations.scale_bits is None)
        for config in VECTOR_MACS
    }
    assert len(absent) == 4


def test_covers_scale_products_from_one_bit_to_all() -> None:
    shifts = {config.scale_product_shift for config in VECTOR_MACS}
    kept = {c.rounded_scale_product_bits for c in VECTOR_MACS if c.scale_product_shift}
    assert {0, 1, 2, 4} <= shifts
    assert {1, 2, 3, 4, 5, 6, 8, 9, 10} <= kept
    assert max(kept) > 16


def test_covers_accumulators_from_narrower_than_a_partial_sum_to_the_widest() -> None:
    widths = {config.accumulator_bits for config in VECTOR_MACS}
    assert {16, 17, 24, 32, 48} <= widths
    assert any(config.accumulator_bits < config.partial_sum_bits for config in VECTOR_MACS)


def test_covers_every_pipeline_depth_with_scales_and_without() -> None:
    for scaled in (True, False):
        depths = {
            config.pipeline_depth
            for config in VECTOR_MACS
            if (config.full_scale_product_bits > 0) == scaled
        }
        assert depths == set(PIPELINE_DEPTHS), f"scaled={scaled}"


def test_engines_cover_lanes_on_either_side_of_a_vector_and_every_kind_of_format() -> None:
    sizes = {
        (c.lanes > c.datapath.vector_size) - (c.lanes < c.datapath.vector_size) for c in ENGINES
    }
    assert sizes == {-1, 0, 1}
    assert {1, 16} <= {config.lanes for config in ENGINES}
    assert {_suffix(config.datapath) for config in ENGINES} == {"", "U", "X"}
    absent = {(c.datapath.weights.scale_bits, c.output.scale_bits).count(None) for c in ENGINES}
    assert absent == {0, 1, 2}
    assert {8, 18, 24, 32} <= {config.result_bits for config in ENGINES}
    assert {16, 24, 48} <= {config.datapath.accumulator_bits for config in ENGINES}
    assert any(
        config.post_lanes == config.lanes == config.datapath.vector_size for config in ENGINES
    )
    assert any(config.depth == config.groups for config in ENGINES)
