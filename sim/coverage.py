"""Configurations that a regression covers when it is given none.

Those of the vector MAC together have every element width, signed and unsigned, every scale width,
absent scales on either side and both, every vector size and pipeline, rounded scale products from 1
bit up, and accumulators from narrower than a partial sum to the widest; tests/test_coverage.py
counts them.
"""

from dataclasses import replace

from golden.config import PRESETS, DatapathConfig, EngineConfig, OctavConfig
from sim.design import Config

_parse = DatapathConfig.parse

VECTOR_MACS: tuple[DatapathConfig, ...] = (
    *PRESETS.values(),
    # The demo's.
    _parse("8/8U/-/-"),
    _parse("4/4U/-/-"),
    _parse("4/4U/4/6"),
    _parse("4/4U/4/6", scale_product_bits=6),
    _parse("3/3U/4/6"),
    # Extremes of every parameter.
    _parse("2/2/-/-", vector_size=4, accumulator_bits=16),
    _parse("2/2U/2/2", vector_size=4, scale_product_bits=1, accumulator_bits=16),
    _parse("8/8/10/10", vector_size=64, accumulator_bits=48),
    _parse("8/8U/10/10", vector_size=64, accumulator_bits=16),
    _parse("8/8/10/10", vector_size=64, scale_product_bits=1),
    _parse("8/2U/2/10", vector_size=32, scale_product_bits=11, accumulator_bits=32),
    # Scales on one side.
    _parse("6/8/6/-", accumulator_bits=30),
    _parse("4/6/4/-", vector_size=8, scale_product_bits=3),
    _parse("5/3U/-/7", vector_size=32, scale_product_bits=6, accumulator_bits=17),
    _parse("7/5/-/9", vector_size=8, accumulator_bits=28),
    # The rest of the widths, mixed.
    _parse("3/3/3/3", vector_size=64, scale_product_bits=4),
    _parse("5/7/6/9", vector_size=4, scale_product_bits=7, accumulator_bits=27),
    _parse("3/8/4/10", accumulator_bits=36),
    _parse("4/4/4/4", scale_product_bits=4),
    _parse("6/6U/4/4", vector_size=64, scale_product_bits=6, accumulator_bits=26),
    _parse("5/7U/3/5", vector_size=8, scale_product_bits=5, accumulator_bits=20),
    _parse("7/6/8/3", vector_size=4, scale_product_bits=9, accumulator_bits=23),
    _parse("2/5U/9/7", vector_size=16, scale_product_bits=8, accumulator_bits=18),
    _parse("6/4U/5/8", vector_size=32, scale_product_bits=12, accumulator_bits=40),
    _parse("3/7U/7/2", vector_size=8, scale_product_bits=2, accumulator_bits=22),
    # The other pipelines.
    *(
        replace(_parse(notation), pipeline_depth=depth)
        for notation in ("4/4U/4/6", "8/8/-/-")
        for depth in (1, 3)
    ),
)

# Both modes, one lane and many, extremes of every parameter, tensors of one row and of many.
OCTAV_UNITS: tuple[OctavConfig, ...] = (
    OctavConfig(),
    OctavConfig(resident=False),
    OctavConfig(depth=64),
    OctavConfig(sample_bits=2, lanes=4, depth=4, fraction_bits=3, max_iterations=1),
    OctavConfig(sample_bits=2, lanes=1, depth=7, fraction_bits=16, resident=False),
    OctavConfig(sample_bits=6, lanes=1, depth=5, fraction_bits=0, max_iterations=3),
    OctavConfig(sample_bits=8, lanes=16, depth=256, fraction_bits=0, max_iterations=63),
    OctavConfig(sample_bits=16, lanes=2, depth=34, fraction_bits=7, max_iterations=5),
    OctavConfig(sample_bits=24, lanes=64, depth=1024, fraction_bits=16, max_iterations=63),
    OctavConfig(sample_bits=9, lanes=32, depth=96, fraction_bits=5, resident=False),
)

# The demo's; fewer lanes than a vector has elements and more; one result per cycle and all at once;
# a buffer for one vector of results, and depths that are no power of two; the narrowest and the
# widest results, accumulators, elements and scales; no scale on either side or both; multipliers
# for DSPs.
ENGINES: tuple[EngineConfig, ...] = (
    EngineConfig(datapath=_parse("4/4U/4/6")),
    EngineConfig(datapath=_parse("4/4U/4/6", scale_product_bits=6), lanes=4, depth=12),
    EngineConfig(
        datapath=replace(_parse("8/8/-/-", vector_size=4), pipeline_depth=3),
        lanes=8,
        depth=7,
        post_lanes=1,
    ),
    EngineConfig(
        datapath=_parse("2/2/2/10", vector_size=8, accumulator_bits=16),
        lanes=1,
        depth=8,
        post_lanes=1,
        result_bits=8,
    ),
    EngineConfig(
        datapath=_parse("3/5U/-/4", vector_size=8, accumulator_bits=30),
        lanes=8,
        depth=3,
        post_lanes=8,
        result_bits=32,
    ),
    EngineConfig(
        datapath=_parse("8/8U/10/10", vector_size=4, accumulator_bits=48),
        lanes=2,
        depth=33,
        post_lanes=2,
        result_bits=24,
    ),
    EngineConfig(
        datapath=_parse("5/3/6/-", vector_size=4),
        lanes=16,
        depth=5,
        result_bits=12,
        dsp_multipliers=True,
    ),
    EngineConfig(
        datapath=_parse("4/4/8/8", vector_size=64, scale_product_bits=8),
        lanes=4,
        depth=40,
        post_lanes=4,
    ),
)

COVERING: dict[str, tuple[Config, ...]] = {
    "vector-mac": VECTOR_MACS,
    "octav": OCTAV_UNITS,
    "rescaler": ENGINES,
    "vector-quantizer": ENGINES,
    "engine": ENGINES,
}
