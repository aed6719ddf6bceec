"""The configurations that tests play: all of the covering set in `make test-all`, else fewer.

Verilator plays a sample in which each value is. What takes longer (Amaranth's simulator, Icarus,
netlists, linters) takes the small ones of that sample.
"""

import os
from typing import Any

import pytest

from scalewright.golden.config import MANTISSA_BITS
from scalewright.sim.blocks import BLOCKS
from scalewright.sim.regression.configurations import covering, sample

# Set by `make test-all`.
ALL = "SCALEWRIGHT_TEST_ALL" in os.environ
ONLY_IN_ALL = pytest.mark.skipif(not ALL, reason="takes long: `make test-all`")

_FEW = {"vector-mac": 4, "octav": 2, "rescaler": 2, "vector-quantizer": 2, "engine": 2}


def few(block: str) -> list[Any]:
    """The smallest configurations of the sample."""

    def key(config: Any) -> tuple[int, bool]:
        return _size(block, config), getattr(config, "dsp_multipliers", False)

    return sorted(sample(block), key=key)[: _FEW[block]]


def product_bits(block: str, config: Any) -> int:
    """Bits of the products that a block forms at a time: what makes its netlist large."""
    if block in ("octav", "vector-quantizer"):
        return 0
    if block == "rescaler":
        return int(config.post_lanes * config.datapath.accumulator_bits * MANTISSA_BITS)
    datapath = config.datapath if block == "engine" else config
    multipliers = datapath.vector_size * (config.lanes if block == "engine" else 1)
    bits = datapath.weights.element_bits * datapath.activations.element_bits
    return int(multipliers * bits)


def _size(block: str, config: Any) -> int:
    """A measure of what there is to simulate, among configurations of one block."""
    if block == "octav":
        return int(config.lanes * config.sample_bits + config.depth)
    if block == "vector-quantizer":
        return int(config.datapath.vector_size * config.post_lanes)
    size = product_bits(block, config)
    if block == "engine":
        size += config.datapath.accumulator_bits * config.result_bits * config.post_lanes
    return size


# Blocks with configurations, for a test's parameters.
DESIGNS: list[tuple[str, Any]] = [
    (block, config) for block in BLOCKS for config in (covering if ALL else few)(block)
]


def name_of(part: object) -> str:
    """A configuration's name in that of a test."""
    return str(getattr(part, "slug", part))
