"""The OCTAV unit."""

from dataclasses import fields

from scalewright.golden.config import OctavConfig
from scalewright.hw.octav import OctavUnit
from scalewright.sim.blocks.block import Block, Row
from scalewright.sim.testbenches import octav as testbench


def _words(config: OctavConfig) -> list[str]:
    words = []
    for each in fields(config):
        value = getattr(config, each.name)
        option = f"--{each.name.replace('_', '-')}"
        if isinstance(value, bool):
            words.append(option if value else "--streaming")
        else:
            words += [option, str(value)]
    return words


def _configuration_of(row: Row) -> OctavConfig:
    values = {name: int(value) for name, value in row.items()}
    depth = values.pop("rows") * values["lanes"]
    resident = bool(values.pop("resident"))
    return OctavConfig(depth=depth, resident=resident, **values)


OCTAV = Block(
    name="octav",
    component=OctavUnit,
    cases=testbench.cases,
    options=("sample_bits", "lanes", "depth", "fraction_bits", "max_iterations", "resident"),
    configure=lambda given: OctavConfig(**given),
    words=_words,
    specials=(OctavConfig(), OctavConfig(resident=False)),
    parameters={
        "sample_bits": ((2,), (12,), (24,)),
        "lanes": ((1,), (8,), (64,)),
        # Rows, of `lanes` samples each. Not 2^24 samples: a single tensor takes minutes.
        "rows": ((1,), (5,), (64,)),
        "fraction_bits": ((0,), (4,), (16,)),
        "max_iterations": ((1,), (10,), (63,)),
        "resident": ((0,), (1,)),
    },
    configuration_of=_configuration_of,
)
