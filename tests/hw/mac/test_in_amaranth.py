"""The vector MAC in Amaranth's simulator: one call of the hardware equals one of golden."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from scalewright.golden.config import DatapathConfig
from scalewright.hw.mac import VectorMac
from scalewright.sim.bench.element import as_fields
from scalewright.sim.stimulus import vector_pairs as stimulus
from scalewright.sim.stimulus.vector_pairs import Stream
from scalewright.sim.testbenches import (
    vector_mac as tb_vector_mac,
)
from tests.benches.amaranth import Records, play, records
from tests.benches.faults import seen
from tests.benches.small import small_mac


def vector_mac(config: DatapathConfig, pairs: Stream, stalls: float = 0.0) -> Records:
    return play(VectorMac(config), {"i": as_fields(pairs, config)}, stalls=stalls)["o"]


def golden_vector_mac(config: DatapathConfig, pairs: Stream) -> Records:
    result, _ = tb_vector_mac.golden(pairs, config)
    return records({"accumulator": result.accumulators, "saturated": result.saturated})


def vector_pairs(config: DatapathConfig) -> Stream:
    """Random sums, scale products, extreme vectors, and sums of such that saturate both ways."""
    rng = np.random.default_rng(0)
    kinds = [
        stimulus.random(config, 60, rng),
        stimulus.scale_products(config, rng),
        stimulus.corners(config, rng),
    ]
    picked = [slice(None), slice(-24, None), np.r_[:32, -86:-80]]
    return {
        name: np.concatenate([kind[name][part] for kind, part in zip(kinds, picked, strict=True)])
        for name in kinds[0]
    }


_EITHER = replace(small_mac("3/4X/2/3", scale_product_bits=3), vector_size=8, pipeline_depth=3)
_MACS = [
    small_mac("2/2/-/-"),
    small_mac("3/3/3/-"),
    small_mac("3/3U/-/3"),
    small_mac("4/4U/4/6"),
    small_mac("4/4/4/6", scale_product_bits=6),
    small_mac("2/5U/2/2", scale_product_bits=1),
    small_mac("3/3/6/6", accumulator_bits=16),
    small_mac("2/2X/-/-"),
    small_mac("4/4X/4/6"),
    replace(small_mac("4/3X/3/-"), vector_size=16, pipeline_depth=1),
    _EITHER,
    replace(small_mac("3/3/3/3"), vector_size=8),
    *(
        replace(small_mac("3/2/2/3", scale_product_bits=3), pipeline_depth=depth)
        for depth in (1, 2, 3)
    ),
]


@pytest.mark.parametrize("config", _MACS, ids=lambda config: config.slug)
def test_vector_mac(config: DatapathConfig) -> None:
    pairs = vector_pairs(config)
    assert vector_mac(config, pairs) == golden_vector_mac(config, pairs)


@pytest.mark.parametrize("config", [*_MACS[-3:], _EITHER], ids=lambda config: config.slug)
def test_vector_mac_that_stalls(config: DatapathConfig) -> None:
    pairs = vector_pairs(config)
    pairs["last"][::2] = True  # enough results to feel the sink
    assert vector_mac(config, pairs, stalls=0.4) == golden_vector_mac(config, pairs)


def test_vector_mac_saturates_above_and_below() -> None:
    (config,) = (config for config in _MACS if config.accumulator_bits == 16)
    sums = [row for row in golden_vector_mac(config, vector_pairs(config)) if row["saturated"]]
    ends = {row["accumulator"] for row in sums}
    assert ends >= {config.accumulator_min, config.accumulator_max}


test_sees_a_fault = seen(
    {
        "vector-mac-loses-the-highest-bit-of-a-scale": (
            partial(test_vector_mac, _MACS[-1]),
            lambda bad, good: good.i.payload.weight_scale.eq(bad.i.payload.weight_scale[:-1]),
        ),
        "vector-mac-loses-the-sign-of-an-element": (
            partial(test_vector_mac, _MACS[0]),
            lambda bad, good: good.i.payload.weights[0].eq(bad.i.payload.weights[0][:-1]),
        ),
        "vector-mac-takes-all-activations-as-signed": (
            partial(test_vector_mac, _EITHER),
            lambda bad, good: good.i.payload.activation_signed.eq(1),
        ),
        "vector-mac-takes-all-activations-as-unsigned": (
            partial(test_vector_mac, _EITHER),
            lambda bad, good: good.i.payload.activation_signed.eq(0),
        ),
    }
)
