"""Designs that can be simulated: Verilog with the description of its ports."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from functools import cache, cached_property
from pathlib import Path
from typing import Any, TypeAlias

from scalewright import hw
from scalewright.golden import config as golden_config
from scalewright.golden.config import PIPELINE_DEPTH, DatapathConfig, EngineConfig, OctavConfig
from scalewright.hw.engine import Engine
from scalewright.hw.mac import VectorMac
from scalewright.hw.octav import OctavUnit
from scalewright.hw.post_processor.rescaler import Rescaler
from scalewright.hw.post_processor.vector_quantizer import VectorQuantizer
from scalewright.hw.verilog import PortStyle, check_name, describe, generate, tool_versions
from scalewright.sim.bench.codec import Codec

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
    for each in fields(config):
        value = getattr(config, each.name)
        option = f"--{each.name.replace('_', '-')}"
        if isinstance(value, bool):
            words.append(option if value else "--streaming")
        else:
            words += [option, str(value)]
    return words


@cache
def source_digest() -> str:
    """Digest of everything that decides what Verilog a configuration becomes."""
    folders = [Path(hw.__file__).parent, Path(golden_config.__file__).parent]
    digest = hashlib.sha256(json.dumps(tool_versions()).encode())
    for path in sorted(path for folder in folders for path in folder.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


@dataclass(frozen=True)
class Design:
    """A module and what is needed to drive it.

    Attributes:
        description: What hw/verilog's `describe` says of it.
        key: The same for designs of the same Verilog; found without writing it.
    """

    description: dict[str, Any]
    key: str
    _write: Callable[[], str] = field(compare=False, repr=False)

    @classmethod
    def of(
        cls,
        block: str,
        config: Config,
        *,
        name: str | None = None,
        style: PortStyle = PortStyle.PAYLOAD,
    ) -> "Design":
        """A generated block; its module is called `name`, or like the block.

        Testbenches send packed words, hence the style of its ports.

        Raises:
            ValueError: There is no such block, or the name cannot be that of a module.
        """
        if block not in BLOCKS:
            raise ValueError(f"block must be one of {', '.join(BLOCKS)}, not {block}")
        module = name or block.replace("-", "_")
        check_name(module)

        def write() -> str:
            return str(generate(BLOCKS[block](config), name=module, style=style))

        facts = (source_digest(), block, repr(config), module, str(style))
        key = hashlib.sha256("\0".join(facts).encode()).hexdigest()
        component = BLOCKS[block](config)
        return cls(describe(component, name=module, style=style), key, write)

    def with_verilog(self, verilog: str) -> "Design":
        """The same with another source text, such as a netlist's."""
        key = hashlib.sha256(verilog.encode()).hexdigest()
        return Design(self.description, key, lambda: verilog)

    @cached_property
    def verilog(self) -> str:
        """Its source text."""
        return self._write()

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
