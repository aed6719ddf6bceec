"""Drives and observes the streams of a design inside the simulator (cocotb).

A transfer happens on a rising clock edge with `valid` and `ready` high. Everything here acts right
after an edge: what is read is what held at the edge, what is written holds at the next one.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import cycle
from typing import Any

from cocotb.handle import LogicArrayObject, LogicObject
from cocotb.triggers import RisingEdge
from cocotb.types import Logic, LogicArray

from scalewright.sim.bench.stall import Pattern

# Runs of unknown bits that a message names.
_SHOWN = 8


class PortError(Exception):
    """The design lacks a port, or has another one in its place: `has no port i_valid`."""


class UnknownError(Exception):
    """Something that the design must drive is neither 0 nor 1, in a four-state simulator."""


def port_name(stream: str, part: str) -> str:
    """Name of the port for a part of a stream: its `payload`, `valid` or `ready`."""
    return f"{stream}_{part}"


def find_port(dut: Any, name: str) -> Any:
    """The port of this name.

    Raises:
        PortError: The design has no such port.
    """
    try:
        return dut[name]
    except KeyError:
        raise PortError(f"has no port {name}") from None


class _Known:
    """Reads a port that the design drives, and that must be 0 or 1."""

    def __init__(self, handle: Any, name: str) -> None:
        self._handle = handle
        self._name = name

    @property
    def value(self) -> Logic | LogicArray:
        """The value.

        Raises:
            UnknownError: It has an X or a Z.
        """
        value: Logic | LogicArray = self._handle.value
        if not value.is_resolvable:
            raise UnknownError(_unknown(self._name, str(value)))
        return value


def _unknown(name: str, value: str) -> str:
    """Say what is unknown: `o_valid is X`, `bits 3 to 7, 9 of o_payload are X`."""
    letters = {letter for letter in value if letter not in "01"}
    if len(value) == 1:
        return f"{name} is {value}"
    bits = [number for number, letter in enumerate(reversed(value)) if letter in letters]
    ends = [bit for bit in bits if bit + 1 not in bits]
    begins = [bit for bit in bits if bit - 1 not in bits]
    runs = [
        str(begin) if begin == end else f"{begin} to {end}"
        for begin, end in zip(begins, ends, strict=True)
    ]
    words = ", ".join(runs[:_SHOWN]) + (", ..." if len(runs) > _SHOWN else "")
    noun, verb = ("bit", "is") if len(bits) == 1 else ("bits", "are")
    return f"{noun} {words} of {name} {verb} {' or '.join(sorted(letters))}"


class _Port:
    """The signals of one stream.

    Args:
        dut: The design.
        name: The stream.
        four_state: Whether to see to it that what the design drives is known.
    """

    # Parts that the design drives.
    _driven: tuple[str, ...] = ("payload", "valid")

    def __init__(self, dut: Any, name: str, *, four_state: bool = False) -> None:
        self.name = name
        self._four_state = four_state
        self._edge = RisingEdge(dut.clk)
        self._payload: LogicArrayObject = self._signal(dut, "payload")
        self._valid: LogicObject = self._signal(dut, "valid")
        self._ready: LogicObject = self._signal(dut, "ready")

    def _signal(self, dut: Any, part: str) -> Any:
        name = port_name(self.name, part)
        signal = find_port(dut, name)
        return _Known(signal, name) if self._four_state and part in self._driven else signal


def _cycles(pattern: Pattern | None) -> Iterator[bool] | None:
    """An endless iterator over a pattern; None where it has no stalls."""
    if pattern is None or pattern.all():
        return None
    return cycle(pattern.tolist())


class Source(_Port):
    """Drives an input stream: offers words, holds each until it is taken.

    In a four-state simulator the payload is X while nothing is offered.
    """

    _driven = ("ready",)

    def __init__(self, dut: Any, name: str, *, four_state: bool = False) -> None:
        super().__init__(dut, name, four_state=four_state)
        self._nothing = LogicArray("X" * len(self._payload)) if four_state else None

    def idle(self) -> None:
        """Offer nothing."""
        self._valid.value = 0
        if self._nothing is not None:
            self._payload.value = self._nothing

    async def watch(self) -> None:
        """Look at `ready` in every cycle, for ever.

        Raises:
            UnknownError: It is neither 0 nor 1.
        """
        while True:
            await self._edge
            _ = self._ready.value

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
                    self.idle()
                    await edge
                    while not next(pattern):
                        await edge
                valid.value = 1
            payload.value = word
            await edge
            while not ready.value:
                await edge
        self.idle()


class Sink(_Port):
    """Drives the `ready` of an output stream."""

    async def watch(self) -> None:
        """Look at `valid` in every cycle, and at the payload where it is valid, for ever.

        Raises:
            UnknownError: One of their bits is neither 0 nor 1.
        """
        while True:
            await self._edge
            if self._valid.value:
                _ = self._payload.value

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

    Once `valid`, a stream must hold `valid` and its payload until the transfer. In a four-state
    simulator, what is unknown raises UnknownError.
    """

    def __init__(
        self,
        dut: Any,
        name: str,
        on_transfer: Callable[[int], None],
        on_violation: Callable[[str], None],
        *,
        four_state: bool = False,
    ) -> None:
        super().__init__(dut, name, four_state=four_state)
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
                    name = port_name(self.name, "valid")
                    self._on_violation(f"{name} fell before the transfer of {word:#x}")
                    break
                held, word = word, payload.value.to_unsigned()
                if word != held:
                    name = port_name(self.name, "payload")
                    self._on_violation(f"{name} changed from {held:#x} to {word:#x} while stalled")
            else:
                on_transfer(word)
