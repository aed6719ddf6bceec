"""Small configurations, for Amaranth's simulator."""

from typing import Any

import pytest

from scalewright.golden.config import DatapathConfig, EngineConfig

STALLS = pytest.mark.parametrize("stalls", [0.0, 0.4])


def small_mac(notation: str, **options: Any) -> DatapathConfig:
    """A datapath of four elements."""
    return DatapathConfig.parse(notation, vector_size=4, **options)


def small_engine(notation: str, **options: Any) -> EngineConfig:
    """An engine of two lanes, unless told otherwise."""
    sizes = {"lanes": 2, "depth": 4, "post_lanes": 1, "result_bits": 12, **options}
    return EngineConfig(datapath=small_mac(notation, accumulator_bits=16), **sizes)
