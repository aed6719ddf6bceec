"""The bench for Amaranth's simulator: it sees what breaks the contract of a stream."""

import gc
from typing import Any

import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import data, stream
from amaranth.lib.wiring import Component, In, Out

from scalewright.hw.primitives.memory import RowMemory
from tests.benches.amaranth import play, records
from tests.benches.faults import Faulty

_NUMBER = data.StructLayout({"number": 8})


class _Register(Component):
    """Passes numbers on through a register, or breaks the contract of its output."""

    def __init__(self, fault: str = "") -> None:
        self._fault = fault
        super().__init__({"i": In(stream.Signature(_NUMBER)), "o": Out(stream.Signature(_NUMBER))})

    def elaborate(self, _: object) -> Module:
        m = Module()
        full = Signal()
        m.d.comb += [self.i.ready.eq(~full | self.o.ready), self.o.valid.eq(full)]
        with m.If(self.i.ready):
            m.d.sync += full.eq(self.i.valid)
        with m.If(self.i.ready | (self._fault == "changes its payload")):
            m.d.sync += self.o.payload.eq(self.i.payload)
        if self._fault == "waits for ready":
            m.d.comb += self.o.valid.eq(full & self.o.ready)
        if self._fault == "withdraws valid":
            m.d.sync += full.eq(self.i.valid & ~full)
        if self._fault == "takes no more":
            m.d.comb += self.i.ready.eq(0)
        return m


@pytest.mark.parametrize("stalls", [0.0, 0.5, 0.9])
def test_passes_numbers_on(stalls: float) -> None:
    numbers = {"number": range(100)}
    assert play(_Register(), {"i": numbers}, stalls=stalls) == {"o": records(numbers)}


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("changes its payload", "o.payload changed before the transfer"),
        ("waits for ready", "o.valid depends on o.ready"),
        ("withdraws valid", "o.valid withdrawn before the transfer"),
        ("takes no more", "payloads that were not taken: {'i': 100}"),
    ],
)
def test_sees_a_component_that(fault: str, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        play(_Register(fault), {"i": {"number": range(100)}}, stalls=0.5)


def test_a_component_in_which_nothing_is_wrong_is_the_sound_one() -> None:
    numbers = {"number": range(100)}
    same = Faulty(_Register(), lambda bad, good: [])
    assert play(same, {"i": numbers}, stalls=0.5) == {"o": records(numbers)}


# Amaranth warns of the component, which is never elaborated, when it is collected.
@pytest.mark.filterwarnings("ignore:.*never used:amaranth.hdl.UnusedElaboratable")
def test_sends_nothing_that_does_not_fit() -> None:
    with pytest.raises(ValueError, match=r"^number must be from 0 to 255, not 256$"):
        play(_Register(), {"i": {"number": [256]}})
    gc.collect()


class _Remembering(Component):
    """Answers each number with the row of that address, which nothing was ever written to."""

    def __init__(self) -> None:
        super().__init__({"i": In(stream.Signature(_NUMBER)), "o": Out(stream.Signature(_NUMBER))})

    def elaborate(self, _: object) -> Module:
        m = Module()
        m.submodules.rows = rows = RowMemory(shape=_NUMBER, depth=256, registered=False)
        m.d.comb += [
            rows.read_address.eq(self.i.payload.number),
            self.o.payload.eq(rows.read_data),
            self.o.valid.eq(self.i.valid),
            self.i.ready.eq(self.o.ready),
        ]
        return m


def test_memories_contain_anything_at_power_on() -> None:
    def contents(seed: int) -> list[dict[str, Any]]:
        return play(_Remembering(), {"i": {"number": range(256)}}, seed=seed)["o"]

    assert contents(0) == contents(0) != contents(1)
    assert len({row["number"] for row in contents(0)}) > 100
