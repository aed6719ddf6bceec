"""The rescaler of an engine."""

from scalewright.hw.post_processor.rescaler import Rescaler
from scalewright.sim.blocks.block import Block, Bound
from scalewright.sim.blocks.engine import (
    OPTIONS,
    SPECIALS,
    complete,
    part_of,
    rescaled_bits,
    words,
)
from scalewright.sim.testbenches import rescaler as testbench

RESCALER = Block(
    name="rescaler",
    component=Rescaler,
    cases=testbench.cases,
    complete=complete,
    options=OPTIONS,
    words=words,
    specials=SPECIALS[:1],
    parameters={
        # Of results of either sign, a flag passes through.
        "sign": (("",), ("X",)),
        "accumulator_bits": ((16,), (24,), (48,)),
        "result_bits": ((8,), (18,), (32,)),
        "post_lanes": ((1,), (2,), (64,)),
        "dsp_multipliers": ((0,), (1,)),
    },
    configuration_of=part_of,
    bounds=(
        Bound(
            ("post_lanes", "accumulator_bits", "dsp_multipliers"),
            lambda row: rescaled_bits({"vector_size": 64, "lanes": 64, **row}),
            384,
            "over 384 accumulator bits in compressors: minutes for each build",
        ),
    ),
)
