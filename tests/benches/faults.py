"""Faults put into hardware, to see whether tests see them: into its Verilog, or at its ports."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from amaranth.hdl import Module
from amaranth.lib.wiring import Component, connect, flipped

from scalewright.sim.blocks import Config, design_of
from scalewright.sim.regression.regress import Regression, Verdict, regress
from scalewright.sim.simulators.build import COMPILED
from tests.benches import amaranth

# Of a faulty component and the sound one in it: assigns what is wrong.
PortFault: TypeAlias = Callable[[Any, Any], Any]
# A comparison, and a fault that it is to see.
SeenFault: TypeAlias = tuple[Callable[[], None], PortFault]


@dataclass(frozen=True)
class Fault:
    """What is wrong in the Verilog of a design.

    Attributes:
        module: Where: a module's name, without the top's before it.
        changes: What stands there, and what takes its place. A blank is any white space, `n_*` a
            wire without a name of its own, `...` anything up to what is behind it; in what takes
            the place these are, in order, what they were.
    """

    module: str
    changes: Mapping[str, str]

    def insert(self, verilog: str) -> str:
        """The Verilog with the fault in it."""
        module = re.compile(rf"^module (?:\w+_sub_)?{self.module} \(.*?^endmodule", re.M | re.S)
        (found,) = module.finditer(verilog)
        text = found[0]
        for sound, faulty in self.changes.items():
            text, count = _pattern(sound).subn(partial(_fill, faulty), text)
            assert count, f"no {sound} in module {self.module}"
        return verilog[: found.start()] + text + verilog[found.end() :]

    def verdict(self, block: str, config: Config, folder: Path, transactions: int) -> Verdict:
        """What the regression of a block says where its Verilog has the fault."""
        path = folder / "faulty.v"
        path.write_text(self.insert(design_of(block, config).verilog))
        return regress(
            Regression(block, config, transactions, seed=0, verilog=path, player=COMPILED)
        )


def _pattern(sound: str) -> re.Pattern[str]:
    literal = re.escape(sound).replace(r"\ ", r"\s+")
    return re.compile(literal.replace(r"n_\*", r"\b(n(?:_\d+)?)").replace(r"\.\.\.", "([^;]*?)"))


def _fill(faulty: str, hit: re.Match[str]) -> str:
    found = iter(hit.groups())
    return re.sub(r"n_\*|\.\.\.", lambda _: next(found), faulty)


class Faulty(Component):
    """A component with the ports of another, which does the work, and with a fault."""

    def __init__(self, sound: Any, fault: PortFault) -> None:
        self._sound = sound
        self._fault = fault
        super().__init__(sound.signature)

    def elaborate(self, platform: Any) -> Any:
        m = Module()
        m.submodules.sound = self._sound
        connect(m, flipped(self), self._sound)
        # The last assignment counts.
        m.d.comb += self._fault(self, self._sound)
        return m


def seen(faults: Mapping[str, SeenFault]) -> Callable[..., None]:
    """A test that comparisons in Amaranth's simulator fail, each with its fault at the ports."""

    @pytest.mark.parametrize(("compare", "fault"), faults.values(), ids=faults)
    def sees_a_fault(
        compare: Callable[[], None], fault: PortFault, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(amaranth, "under_test", lambda component: Faulty(component, fault))
        with pytest.raises(AssertionError):
            compare()

    return sees_a_fault
