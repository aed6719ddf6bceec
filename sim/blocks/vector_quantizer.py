"""The vector quantizer of an engine."""

from scalewright.hw.post_processor.vector_quantizer import VectorQuantizer
from scalewright.sim.blocks.block import Block
from scalewright.sim.blocks.engine import OPTIONS, POST_LANES, SPECIALS, complete, part_of, words
from scalewright.sim.testbenches import vector_quantizer as testbench

VECTOR_QUANTIZER = Block(
    name="vector-quantizer",
    component=VectorQuantizer,
    cases=testbench.cases,
    hurdles=testbench.hurdles,
    complete=complete,
    options=OPTIONS,
    words=words,
    specials=SPECIALS[:1],
    parameters={
        "activations": (("2",), ("5",), ("8",)),
        "sign": (("",), ("U",), ("X",)),
        "activation_scale": (("-",), (2,), (6,), (10,)),
        "vector_size": ((4,), (16,), (64,)),
        "post_lanes": POST_LANES,
        "result_bits": ((8,), (18,), (32,)),
    },
    configuration_of=part_of,
)
