"""Designs that can be simulated: Verilog with the description of its ports."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from golden.config import DatapathConfig
from hw.vector_mac import VectorMac
from hw.verilog import describe, generate
from sim.codec import Codec

# Blocks by the name that they have on the command line.
BLOCKS: dict[str, Callable[[DatapathConfig], Any]] = {"vector-mac": VectorMac}


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
    def of(cls, block: str, config: DatapathConfig, *, name: str | None = None) -> "Design":
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
    def module(self) -> str:
        """Name of the top-level module."""
        return str(self.description["module"])

    @property
    def latency(self) -> int:
        """Clock cycles from the last input of a result to the result."""
        return int(self.description["latency"])

    def ports(self, direction: str) -> tuple[str, ...]:
        """Names of the streams of a direction, `input` or `output`."""
        streams = self.description["streams"].items()
        return tuple(name for name, stream in streams if stream["direction"] == direction)

    def codec(self, port: str) -> Codec:
        """Layout of a stream's payload."""
        return Codec.of(self.description["streams"][port])
