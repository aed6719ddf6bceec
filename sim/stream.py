"""Drives and observes the streams of a design inside the simulator (cocotb).

A transfer happens on a rising clock edge with `valid` and `ready` high. Everything here acts right
after an edge: what is read is what held at the edge, what is written holds at the next one.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import cycle
from typing import Any

from cocotb.handle import LogicArrayObject, LogicObject
from cocotb.triggers import RisingEdge

from sim.stall import Pattern


class _Port:
    """The signals of one stream."""

    def __init__(self, dut: Any, name: str) -> None:
        self.name = name
        self._edge = RisingEdge(dut.clk)
        self._payload: LogicArrayObject = dut[f"{name}_payload"]
        self._valid: LogicObject = dut[f"{name}_valid"]
        self._ready: LogicObject = dut[f"{name}_ready"]


def _cycles(pattern: Pattern | None) -> Iterator[bool] | None:
    """An endless iterator over a pattern; None where it has no stalls."""
    if pattern is None or pattern.all():
        return None
    return cycle(pattern.tolist())


class Source(_Port):
    """Drives an input stream: offers words, holds each until it is taken."""

    def idle(self) -> None:
        """Offer nothing."""
        self._valid.value = 0

    async def send(self, words: Iterable[int], offers: Pattern | None = None) -> None:
        """Send words in order, each in the first cycle that `offers` allows.

        The first word is offered in the present cycle; returns after the last transfer.
        """
        edge, payload, valid, ready = self._edge, self._payload, self._valid, self._ready
        pattern = _cycles(offers)
        if pattern is None:
            valid.value = 1
        for word in words:
            if pattern is not None:
                if not next(pattern):
                    valid.value = 0
                    await edge
                    while not next(pattern):
                        await edge
                valid.value = 1
            payload.value = word
            await edge
            while not ready.value:
                await edge
        valid.value = 0


class Sink(_Port):
    """Drives the `ready` of an output stream, and nothing else."""

    def set_ready(self, ready: bool) -> None:
        """Accept or refuse from now on."""
        self._ready.value = int(ready)

    async def run(self, accepts: Pattern | None = None) -> None:
        """Accept in the cycles that the pattern allows, for ever."""
        pattern = _cycles(accepts)
        if pattern is None:
            self.set_ready(True)
            return
        for ready in pattern:
            self._ready.value = ready
            await self._edge

    async def run_patiently(self) -> None:
        """Accept for one cycle each time after `valid` was seen, for ever."""
        while True:
            self.set_ready(False)
            await self._edge
            while not self._valid.value:
                await self._edge
            self.set_ready(True)
            await self._edge


class Monitor(_Port):
    """Observes an output stream: reports each transfer, and breaches of the protocol.

    Once `valid`, a stream must hold `valid` and its payload until the transfer.
    """

    def __init__(
        self,
        dut: Any,
        name: str,
        on_transfer: Callable[[int], None],
        on_violation: Callable[[str], None],
    ) -> None:
        super().__init__(dut, name)
        self._on_transfer = on_transfer
        self._on_violation = on_violation

    async def run(self) -> None:
        """Observe for ever."""
        edge, payload, valid, ready = self._edge, self._payload, self._valid, self._ready
        on_transfer = self._on_transfer
        while True:
            await edge
            if not valid.value:
                continue
            word = payload.value.to_unsigned()
            while not ready.value:
                await edge
                if not valid.value:
                    self._on_violation(f"{self.name}_valid fell before the transfer of {word:#x}")
                    break
                held, word = word, payload.value.to_unsigned()
                if word != held:
                    self._on_violation(
                        f"{self.name}_payload changed from {held:#x} to {word:#x} while stalled"
                    )
            else:
                on_transfer(word)
