"""Designs that can be simulated: Verilog with the description of its ports."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, TypeAlias

from golden.config import PIPELINE_DEPTH, DatapathConfig, EngineConfig, OctavConfig
from hw.engine import Engine
from hw.octav import OctavUnit
from hw.rescaler import Rescaler
from hw.vector_mac import VectorMac
from hw.vector_quantizer import VectorQuantizer
from hw.verilog import describe, generate
from sim.codec import Codec

Config: TypeAlias = DatapathConfig | OctavConfig | EngineConfig

# Blocks by the name that they have on the command line.
BLOCKS: dict[str, Callable[[Any], Any]] = {
    "vector-mac": VectorMac,
    "octav": OctavUnit,
    "rescaler": Rescaler,
    "vector-quantizer": VectorQuantizer,
    "engine": Engine,
}


def command_words(config: Config) -> list[str]:
    """What says a configuration on the command line."""
    if isinstance(config, EngineConfig):
        options = ("lanes", "depth", "post_lanes", "result_bits")
        words = command_words(config.datapath)
        for name in options:
            words += [f"--{name.replace('_', '-')}", str(getattr(config, name))]
        return [*words, *["--dsp-multipliers"] * config.dsp_multipliers]
    if isinstance(config, DatapathConfig):
        words = [str(config), "--vector-size", str(config.vector_size)]
        if config.scale_product_bits is not None:
            words += ["--scale-product-bits", str(config.scale_product_bits)]
        words += ["--accumulator-bits", str(config.accumulator_bits)]
        if config.pipeline_depth != PIPELINE_DEPTH:
            words += ["--pipeline-depth", str(config.pipeline_depth)]
        return words
    words = []
    for field in fields(config):
        value = getattr(config, field.name)
        option = f"--{field.name.replace('_', '-')}"
        if isinstance(value, bool):
            words.append(option if value else "--streaming")
        else:
            words += [option, str(value)]
    return words


@dataclass(frozen=True)
class Design:
    """A module and what is needed to drive it.

    Attributes:
        verilog: Its source text.
        description: What hw/verilog.py's `describe` says of it.
    """

    verilog: str
    description: dict[str, Any]

    @classmethod
    def of(cls, block: str, config: Config, *, name: str | None = None) -> "Design":
        """Generate a block; its module is called `name`, or like the block.

        Raises:
            ValueError: There is no such block.
        """
        if block not in BLOCKS:
            raise ValueError(f"block must be one of {', '.join(BLOCKS)}, not {block}")
        component = BLOCKS[block](config)
        module = name or block.replace("-", "_")
        return cls(generate(component, name=module), describe(component, name=module))

    @property
    def key(self) -> str:
        """What is the same for the same Verilog only."""
        return hashlib.sha256(self.verilog.encode()).hexdigest()

    @property
    def module(self) -> str:
        """Name of the top-level module."""
        return str(self.description["module"])

    def ports(self, direction: str) -> tuple[str, ...]:
        """Names of the streams of a direction, `input` or `output`."""
        streams = self.description["streams"].items()
        return tuple(name for name, stream in streams if stream["direction"] == direction)

    def codec(self, port: str) -> Codec:
        """Layout of a stream's payload."""
        return Codec.of(self.description["streams"][port])
