"""The vector MAC."""

from dataclasses import replace

from scalewright.golden.config import PIPELINE_DEPTH, PRESETS, DatapathConfig
from scalewright.hw.mac import VectorMac
from scalewright.sim.blocks.block import Block, Row, Value
from scalewright.sim.soak.vector_mac import soak
from scalewright.sim.testbenches import vector_mac as testbench

_parse = DatapathConfig.parse


def words(config: DatapathConfig) -> list[str]:
    """What says a datapath on the command line."""
    said = [str(config), "--vector-size", str(config.vector_size)]
    if config.scale_product_bits is not None:
        said += ["--scale-product-bits", str(config.scale_product_bits)]
    said += ["--accumulator-bits", str(config.accumulator_bits)]
    if config.pipeline_depth != PIPELINE_DEPTH:
        said += ["--pipeline-depth", str(config.pipeline_depth)]
    return said


def datapath(row: Row) -> DatapathConfig:
    """The datapath that a row means, of the MAC or of an engine."""
    usual: dict[str, Value] = {"weights": 4, "activations": "4", "weight_scale": 4}
    values = {**usual, "sign": "", "activation_scale": 6, "scale_product": "all", **row}
    notation = "{weights}/{activations}{sign}/{weight_scale}/{activation_scale}".format(**values)
    full = _parse(notation).full_scale_product_bits
    kept = {"one": 1, "half": (full + 1) // 2, "all but one": full - 1, "all": None}
    parsed = _parse(
        notation,
        vector_size=int(row.get("vector_size", 16)),
        scale_product_bits=kept[str(values["scale_product"])],
        accumulator_bits=int(row.get("accumulator_bits", 24)),
    )
    return replace(parsed, pipeline_depth=int(row.get("pipeline_depth", PIPELINE_DEPTH)))


VECTOR_MAC = Block(
    name="vector-mac",
    component=VectorMac,
    cases=testbench.cases,
    hurdles=testbench.hurdles,
    complete=lambda config, _: config,
    words=words,
    specials=(
        *PRESETS.values(),
        # The demo's.
        _parse("8/8U/-/-"),
        _parse("4/4U/-/-"),
        _parse("4/4U/4/6"),
        _parse("4/4U/4/6", scale_product_bits=6),
        _parse("3/3U/4/6"),
        # Either sign.
        _parse("4/4X/4/6"),
        # The other pipelines.
        *(
            replace(_parse(notation), pipeline_depth=depth)
            for notation in ("4/4U/4/6", "8/8/-/-")
            for depth in (1, 3)
        ),
    ),
    parameters={
        "weights": ((2,), (3, 4, 5, 6, 7), (8,)),
        "activations": (
            *(("2",), ("3", "5", "6", "7", "4"), ("8",)),
            *(("2U",), ("5U", "7U", "6U", "3U", "4U"), ("8U",)),
            *(("2X",), ("4X", "6X", "3X", "7X", "5X"), ("8X",)),
        ),
        "weight_scale": (("-",), (2,), (3, 5, 7, 9, 4, 6, 8), (10,)),
        "activation_scale": (("-",), (2,), (3, 5, 7, 9, 4, 6, 8), (10,)),
        "vector_size": ((4,), (8, 16, 32), (64,)),
        "scale_product": (("one",), ("half",), ("all but one",), ("all",)),
        "accumulator_bits": ((16,), (17, 24, 32, 47), (48,)),
        "pipeline_depth": ((1,), (2,), (3,)),
    },
    configuration_of=datapath,
    soak=soak,
)
