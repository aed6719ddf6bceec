"""The divider: every legal operand pair at small widths in simulation, and a proof beyond them."""

import gc
from pathlib import Path
from typing import Any

import pytest
from amaranth.back import rtlil
from amaranth.hdl import Assert, Assume, Module, Signal
from amaranth.lib import wiring
from amaranth.sim import Simulator

from scalewright.hw.arithmetic.divider import Divider
from tests.tools.yosys import run_yosys

_WIDTHS = [
    {"dividend_width": 6, "divisor_width": 3, "quotient_width": 4, "bits_per_cycle": 1},
    {"dividend_width": 7, "divisor_width": 3, "quotient_width": 5, "bits_per_cycle": 2},
    {"dividend_width": 7, "divisor_width": 4, "quotient_width": 7, "bits_per_cycle": 3},
    {"dividend_width": 3, "divisor_width": 5, "quotient_width": 2, "bits_per_cycle": 2},
    {"dividend_width": 4, "divisor_width": 1, "quotient_width": 4, "bits_per_cycle": 9},
]


def _name(widths: dict[str, int]) -> str:
    return "-".join(str(width) for width in widths.values())


def _simulate(divider: Divider, process: Any) -> None:
    simulator = Simulator(divider)
    simulator.add_clock(1e-6)
    simulator.add_testbench(process)
    simulator.run()


@pytest.mark.parametrize("widths", _WIDTHS, ids=_name)
def test_divides_every_pair_of_operands(widths: dict[str, int]) -> None:
    divider = Divider(**widths)
    pairs = [
        (dividend, divisor)
        for dividend in range(1 << widths["dividend_width"])
        for divisor in range(1 << widths["divisor_width"])
        if dividend < divisor << widths["quotient_width"]
    ]
    results = []

    async def process(ctx: Any) -> None:
        ctx.set(divider.o.ready, 1)
        ctx.set(divider.i.valid, 1)
        for dividend, divisor in pairs:
            ctx.set(divider.i.payload, {"dividend": dividend, "divisor": divisor})
            while not ctx.get(divider.i.ready):
                if ctx.get(divider.o.valid):
                    results.append(dict(ctx.get(divider.o.payload).items()))
                await ctx.tick()
            if ctx.get(divider.o.valid):
                results.append(
                    {
                        "quotient": ctx.get(divider.o.payload.quotient),
                        "remainder": ctx.get(divider.o.payload.remainder),
                    }
                )
            await ctx.tick()
        ctx.set(divider.i.valid, 0)
        while not ctx.get(divider.o.valid):
            await ctx.tick()
        results.append(
            {
                "quotient": ctx.get(divider.o.payload.quotient),
                "remainder": ctx.get(divider.o.payload.remainder),
            }
        )

    _simulate(divider, process)
    wanted = [{"quotient": a // b, "remainder": a % b} for a, b in pairs]
    assert results == wanted


@pytest.mark.parametrize("widths", _WIDTHS, ids=_name)
def test_takes_the_documented_latency(widths: dict[str, int]) -> None:
    divider = Divider(**widths)
    cycles = 0

    async def process(ctx: Any) -> None:
        nonlocal cycles
        ctx.set(divider.o.ready, 1)
        ctx.set(divider.i.valid, 1)
        ctx.set(divider.i.payload, {"dividend": 1, "divisor": 1})
        assert ctx.get(divider.i.ready)
        await ctx.tick()
        ctx.set(divider.i.valid, 0)
        cycles = 1
        while not ctx.get(divider.o.valid):
            await ctx.tick()
            cycles += 1

    _simulate(divider, process)
    steps = -(-widths["quotient_width"] // widths["bits_per_cycle"])
    assert divider.latency == cycles == steps + 1


def test_holds_its_result_until_it_is_taken_and_takes_nothing_meanwhile() -> None:
    divider = Divider(dividend_width=8, divisor_width=4, quotient_width=6)

    async def process(ctx: Any) -> None:
        ctx.set(divider.i.valid, 1)
        ctx.set(divider.i.payload, {"dividend": 100, "divisor": 7})
        await ctx.tick()
        ctx.set(divider.i.payload, {"dividend": 50, "divisor": 9})
        for _ in range(20):
            await ctx.tick()
            if ctx.get(divider.o.valid):
                assert ctx.get(divider.o.payload.quotient) == 14
                assert ctx.get(divider.o.payload.remainder) == 2
                assert not ctx.get(divider.i.ready)
        assert ctx.get(divider.o.valid)
        ctx.set(divider.o.ready, 1)
        for _ in range(divider.latency):
            await ctx.tick()
        assert ctx.get(divider.o.payload.quotient) == 5

    _simulate(divider, process)


class _Proof(wiring.Component):
    """One division of any legal operands, with what it must give as assertions."""

    dividend: wiring.In(9)  # type: ignore[valid-type]  # a port is no type
    divisor: wiring.In(4)  # type: ignore[valid-type]  # a port is no type
    done: wiring.Out(1)  # type: ignore[valid-type]  # a port is no type

    def __init__(self, bits_per_cycle: int) -> None:
        self.divider = Divider(
            dividend_width=9, divisor_width=4, quotient_width=7, bits_per_cycle=bits_per_cycle
        )
        super().__init__()

    def elaborate(self, _: object) -> Module:
        m = Module()
        m.submodules.divider = divider = self.divider
        kept = Signal(13)
        started = Signal()
        operands = divider.i.payload.as_value()
        m.d.comb += [
            operands.eq(kept),
            Assume(self.dividend < self.divisor << 7),
            divider.i.valid.eq(1),
            divider.o.ready.eq(1),
            self.done.eq(started & divider.o.valid),
        ]
        with m.If(~started):
            m.d.comb += [
                divider.i.payload.dividend.eq(self.dividend),
                divider.i.payload.divisor.eq(self.divisor),
            ]
            m.d.sync += [started.eq(1), kept.eq(operands)]
        quotient, remainder = divider.o.payload.quotient, divider.o.payload.remainder
        with m.If(self.done):
            m.d.comb += [
                Assert(quotient * kept[9:] + remainder == kept[:9]),
                Assert(remainder < kept[9:]),
            ]
        return m


@pytest.mark.parametrize("bits_per_cycle", [1, 2, 3])
def test_is_proven_for_nine_by_four_bits(bits_per_cycle: int, tmp_path: Path) -> None:
    proof = _Proof(bits_per_cycle)
    (tmp_path / "proof.il").write_text(rtlil.convert(proof, name="proof", emit_src=False))
    steps = proof.divider.latency + 2
    script = (
        "read_rtlil proof.il; prep -top proof -flatten; chformal -lower; memory_map; opt; "
        f"sat -seq {steps} -set-assumes -prove-asserts -verify"
    )
    printed = run_yosys(script, tmp_path)
    assert "SAT proof finished - no model found: SUCCESS!" in printed, printed[-2000:]


# Amaranth warns of the component whose constructor raised, when it is collected.
@pytest.mark.filterwarnings("ignore:.*never used:amaranth.hdl.UnusedElaboratable")
@pytest.mark.parametrize("name", ["dividend_width", "quotient_width", "bits_per_cycle"])
def test_rejects_widths_below_one(name: str) -> None:
    widths = {"dividend_width": 8, "divisor_width": 4, "quotient_width": 6, name: 0}
    with pytest.raises(ValueError, match=f"^{name} must be a positive integer, not 0$"):
        Divider(**widths)
    gc.collect()
