"""Plays streams through a component in Amaranth's own simulator: no Verilog, no compiler.

Payloads are sent as arrays by field, as the stimulus makers of sim/ give them, and come back as
records, a dictionary for each payload: `==` compares them, and pytest shows where they differ.
"""

from collections.abc import Callable, Coroutine, Iterator, Mapping
from itertools import cycle
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from amaranth.hdl import Cat, Fragment, Value
from amaranth.lib.memory import MemoryData
from amaranth.lib.wiring import Component, In
from amaranth.sim import Simulator

from scalewright.hw.primitives.memory import RowMemory
from scalewright.hw.verilog.ports import fields_of
from scalewright.sim.bench import stall
from scalewright.sim.bench.codec import Codec, Field, Words, as_integers, as_words
from scalewright.sim.bench.design import Design

Payloads: TypeAlias = Mapping[str, npt.ArrayLike]
Records: TypeAlias = list[dict[str, Any]]
_Testbench: TypeAlias = Callable[[Any], Coroutine[Any, Any, None]]


def play(
    component: Component,
    inputs: Mapping[str, Payloads],
    *,
    stalls: float = 0.0,
    quiet: int = 60,
    seed: int = 0,
) -> dict[str, Records]:
    """Send payloads to the input streams of a component, and gather those of its output streams.

    It ends when no port has transferred anything for a while. Memories contain anything at
    power-on, and a payload is anything while it is not valid.

    Args:
        component: All of its ports must be streams.
        inputs: By input stream, what to send: arrays by field, (T,) or (T, elements).
        stalls: Share of the cycles in which a port stalls, each port by itself.
        quiet: Cycles without a transfer after which it ends: more than any latency.
        seed: Of all that is random.

    Returns:
        By output stream, what came.

    Raises:
        TypeError, ValueError: Payloads that do not fit their stream.
        AssertionError: An input did not take everything. An output changed its payload or withdrew
            `valid` before the transfer, or its `valid` depends on `ready`.
    """
    component = under_test(component)
    members = component.signature.members
    ports = {name: getattr(component, name) for name in members}
    codecs = {name: _codec(port) for name, port in ports.items()}
    assert inputs.keys() == {name for name in members if members[name].flow == In}
    words = {name: as_integers(codecs[name].pack(inputs[name])) for name in inputs}
    results: dict[str, list[int]] = {name: [] for name in members if name not in inputs}

    bench = _Bench(np.random.default_rng(seed), stalls, quiet)
    simulator = Simulator(Fragment.get(component, bench))
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench.power_on, background=True)
    for name in inputs:
        simulator.add_testbench(bench.source(name, ports[name], words[name]), background=True)
    # After the sources: sinks see what these offer in the same cycle.
    for name in results:
        simulator.add_testbench(bench.sink(name, ports[name], results[name]), background=True)
    simulator.add_testbench(bench.until_quiet)
    simulator.run()
    assert not any(bench.waiting.values()), f"payloads that were not taken: {bench.waiting}"
    return {
        name: records(codecs[name].unpack(as_words(results[name], codecs[name].bytes)))
        for name in results
    }


def under_test(component: Component) -> Component:
    """What is simulated for a component: itself, unless tests/benches/faults.py tries a fault."""
    return component


def records(payloads: Payloads) -> Records:
    """Arrays by field as one dictionary for each payload."""
    columns = [np.asarray(values).tolist() for values in payloads.values()]
    return [dict(zip(payloads, row, strict=True)) for row in zip(*columns, strict=True)]


def fields(design: Design, words: Mapping[str, Words]) -> dict[str, Payloads]:
    """Words of streams as arrays by field, by stream."""
    return {port: design.codec(port).unpack(each) for port, each in words.items()}


class _Bench:
    """What drives one simulation; as Amaranth's platform, it sees the memories."""

    def __init__(self, rng: np.random.Generator, stalls: float, quiet: int) -> None:
        self._rng = rng
        self._stalls = stalls
        self._quiet = quiet
        self._idle = 0
        self._memories: list[MemoryData] = []
        self.waiting: dict[str, int] = {}

    def instance_of(self, component: Component) -> Any:
        """Note the rows of a memory (`shared` asks), and let everything elaborate itself."""
        if not isinstance(component, RowMemory):
            return None
        module = component.elaborate(None)
        self._memories.append(module.submodules.rows.data)
        return module

    async def power_on(self, ctx: Any) -> None:
        for memory in self._memories:
            for row in range(memory.depth):
                value = Value.cast(memory[row])
                ctx.set(value, self._anything(len(value)))

    def source(self, name: str, port: Any, words: list[int]) -> _Testbench:
        offers = self._pattern()
        self.waiting[name] = len(words)

        async def run(ctx: Any) -> None:
            # As one value: the simulator settles after every `set`.
            offer = Cat(port.payload, port.valid)
            valid = 1 << len(offer) - 1
            for word in words:
                while not next(offers):
                    ctx.set(offer, self._anything(len(offer) - 1))
                    await ctx.tick()
                ctx.set(offer, valid | word)
                taken = False
                while not taken:
                    *_, taken = await ctx.tick().sample(port.ready)
                self.waiting[name] -= 1
                self._idle = 0
            ctx.set(offer, self._anything(len(offer) - 1))

        return run

    def sink(self, name: str, port: Any, words: list[int]) -> _Testbench:
        accepts = self._pattern()

        async def run(ctx: Any) -> None:
            held = None
            while True:
                ready = next(accepts)
                offered = ctx.get(port.valid)
                ctx.set(port.ready, ready)
                *_, valid, word = await ctx.tick().sample(port.valid, Value.cast(port.payload))
                assert valid == offered, f"{name}.valid depends on {name}.ready"
                if held is not None:
                    assert valid, f"{name}.valid withdrawn before the transfer"
                    assert word == held, f"{name}.payload changed before the transfer"
                held = word if valid and not ready else None
                if valid and ready:
                    words.append(word)
                    self._idle = 0

        return run

    async def until_quiet(self, ctx: Any) -> None:
        while self._idle < self._quiet:
            self._idle += 1
            await ctx.tick()

    def _pattern(self) -> Iterator[bool]:
        pattern: list[bool] = stall.scattered(self._rng, 1 - self._stalls).tolist()
        return cycle(pattern)

    def _anything(self, bits: int) -> int:
        return int.from_bytes(self._rng.bytes(-(-bits // 8)), "little") & (1 << bits) - 1


def _codec(port: Any) -> Codec:
    layout = port.payload.shape()
    return Codec(layout.size, tuple(Field.of(field) for field in fields_of(layout)))
