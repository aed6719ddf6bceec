"""Designs that can be simulated: Verilog with the description of its ports."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from scalewright import hw
from scalewright.golden import config as golden_config
from scalewright.hw.verilog import PortStyle, check_name, describe, generate, tool_versions
from scalewright.sim.bench.codec import Codec


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
        make: Callable[[], Any],
        *,
        identity: tuple[str, ...],
        name: str,
        style: PortStyle,
        keep: Callable[[str, Callable[[], str]], str],
    ) -> "Design":
        """A component whose ports are streams.

        Args:
            make: Makes the component.
            identity: What it is: with the sources, it decides what hardware this becomes.
            name: Of its module.
            style: Of its ports.
            keep: Gives the text of a key: one that was kept, or what it has written.

        Raises:
            ValueError: The name cannot be that of a module.
        """
        check_name(name)
        parts = (source_digest(), *identity, name, style)
        key = hashlib.sha256("\0".join(parts).encode()).hexdigest()
        return cls(
            describe(make(), name=name, style=style),
            key,
            lambda: keep(key, lambda: str(generate(make(), name=name, style=style))),
        )

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
