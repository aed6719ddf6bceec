"""The timing diagram of the vector MAC, sampled from Amaranth's simulation of it."""

import json
from itertools import pairwise
from pathlib import Path

import wavedrom
from amaranth.sim import Simulator

from scalewright.golden.config import DatapathConfig
from scalewright.hw.mac import VectorMac

CYCLES = 11
# The vectors in the order sent, as (first, last, each of their four weights): a sum of two vectors,
# then sums of one. All activations are 1.
_SENT = [(1, 0, 1), (0, 1, 3), (1, 1, 2), (1, 1, 5)]
# The cycles in which the next block does not take a result.
_BUSY = (4, 5)
_SIGNALS = ("i_valid", "i_ready", "i_first", "i_last", "o_valid", "o_ready", "o_accumulator")


def sample() -> dict[str, list[int]]:
    """Values of the ports before each rising edge, for 4/4/-/- with V = 4 and depth 2."""
    dut = VectorMac(DatapathConfig.parse("4/4/-/-", vector_size=4, accumulator_bits=16))
    values: dict[str, list[int]] = {name: [] for name in _SIGNALS}

    async def bench(ctx):  # type: ignore[no-untyped-def]  # Amaranth has no type for it
        sent = 0
        for cycle in range(CYCLES):
            ctx.set(dut.o.ready, cycle not in _BUSY)
            valid = cycle >= 1 and sent < len(_SENT)
            ctx.set(dut.i.valid, valid)
            first, last, weight = _SENT[sent] if valid else (0, 0, 0)
            ctx.set(dut.i.payload.first, first)
            ctx.set(dut.i.payload.last, last)
            for lane in range(4):
                ctx.set(dut.i.payload.weights[lane], weight)
                ctx.set(dut.i.payload.activations[lane], 1)
            signals = (dut.i.valid, dut.i.ready, dut.i.payload.first, dut.i.payload.last)
            signals += (dut.o.valid, dut.o.ready, dut.o.payload.accumulator)
            for name, signal in zip(_SIGNALS, signals, strict=True):
                values[name].append(int(ctx.get(signal)))
            sent += valid and values["i_ready"][-1]
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return values


def source() -> str:
    """The diagram in WaveDrom's notation."""
    values = sample()
    rows = [{"name": "clk", "wave": "p" + "." * (CYCLES - 1)}]
    for name in _SIGNALS[:-1]:
        rows.append({"name": name, "wave": _levels(values[name])})
        if name == "i_last":
            rows.append({})
    wave, data = "", []
    for cycle, number in enumerate(values["o_accumulator"]):
        held = cycle and values["o_valid"][cycle - 1] and not values["o_ready"][cycle - 1]
        if not values["o_valid"][cycle]:
            wave += "x"
        elif held:
            wave += "."
        else:
            wave += "="
            data.append(str(number))
    rows.append({"name": "o_accumulator", "wave": wave, "data": data})
    return json.dumps({"signal": rows, "config": {"hscale": 1}, "foot": {"tick": 0}})


def _levels(values: list[int]) -> str:
    changes = [str(now) if now != before else "." for before, now in pairwise(values)]
    return str(values[0]) + "".join(changes)


def draw(path: Path) -> None:
    """Write the diagram as SVG, on white."""
    drawing = wavedrom.render(source())
    drawing.elements.insert(0, drawing.rect(size=("100%", "100%"), fill="white"))
    drawing.saveas(str(path))
