"""What the writer makes of an Amaranth component, proven equal to it by SAT, for random ones."""

import random
from pathlib import Path
from typing import Any

import pytest
from amaranth.back import rtlil
from amaranth.hdl import Array, Cat, Const, Module, Mux, Shape, Signal, Value, signed, unsigned
from amaranth.lib.wiring import Component, In, Out

from scalewright.hw.verilog import convert
from tests.benches.designs import ALL
from tests.tools.yosys import YOSYS, run_yosys


class _Random(Component):
    """Random expressions and statements over random inputs, of every kind that Amaranth has."""

    def __init__(self, seed: int, *, registers: bool):
        self._random = random.Random(seed)
        self._registers = registers
        self.identity = (seed, registers)
        inputs = {"a": 5, "b": signed(4), "c": signed(7), "d": 1, "e": 3}
        super().__init__(
            {
                **{name: In(shape) for name, shape in inputs.items()},
                **{f"y{number}": Out(self._shape()) for number in range(6)},
            }
        )

    def _shape(self) -> Shape:
        return self._random.choice([unsigned, signed])(self._random.randint(2, 9))

    def elaborate(self, _: object) -> Module:
        m = Module()
        self._values = [self.a, self.b, self.c, self.d, self.e]
        for number in range(4):
            wire = Signal(self._shape(), name=f"wire{number}")
            m.d.comb += wire.eq(self._expression(3))
            self._values.append(wire)
        for number in range(6):
            target = getattr(self, f"y{number}")
            domain = m.d.sync if self._registers and number % 2 else m.d.comb
            if self._registers:
                self._values.append(self.y1)
            self._statements(m, domain, target, 3)
        return m

    def _expression(self, depth: int) -> Value:
        pick = self._random
        if depth == 0:
            if pick.random() < 0.2:
                return Const(pick.randint(-9, 30))
            value = pick.choice(self._values)
            if pick.random() < 0.3 and len(value) > 1:
                low = pick.randrange(len(value))
                return value[low : pick.randint(low + 1, len(value))]
            return value
        x, y, z = (self._expression(depth - 1) for _ in range(3))
        amount = pick.choice([self.e, self.d, pick.randrange(5)])
        return pick.choice(
            [
                lambda: x + y,
                lambda: x - y,
                lambda: (x * y)[:12],
                lambda: -x,
                lambda: ~x,
                lambda: x & y,
                lambda: x | y,
                lambda: x ^ y,
                lambda: x == y,
                lambda: x != y,
                lambda: x < y,
                lambda: x >= y,
                lambda: x > y,
                lambda: x <= y,
                lambda: Mux(x, y, z),
                lambda: (x << amount)[:14],
                lambda: x >> amount,
                lambda: Cat(x, y, z)[:14],
                lambda: x.any(),
                lambda: x.all(),
                lambda: x.xor(),
                lambda: x.as_signed(),
                lambda: Array([x, y, z, x ^ y])[self.e[:2]],
                lambda: x.replicate(2)[:14],
            ]
        )()

    def _statements(self, m: Module, domain: Any, target: Signal, depth: int) -> None:
        pick = self._random
        for _ in range(pick.randint(1, 2)):
            kind = pick.random() if depth else 0
            if kind < 0.4:
                low = pick.randrange(len(target)) if pick.random() < 0.4 else 0
                high = pick.randint(low + 1, len(target)) if low else len(target)
                domain += target[low:high].eq(self._expression(2))
            elif kind < 0.7:
                with m.If(self._expression(1).bool()):
                    self._statements(m, domain, target, depth - 1)
                with m.Elif(self._expression(1).bool()):
                    self._statements(m, domain, target, depth - 1)
                if pick.random() < 0.5:
                    with m.Else():
                        self._statements(m, domain, target, depth - 1)
            else:
                with m.Switch(self.e):
                    with m.Case(1, 6):
                        self._statements(m, domain, target, depth - 1)
                    with m.Case("0-1"):
                        self._statements(m, domain, target, depth - 1)
                    with m.Case("1--"):
                        self._statements(m, domain, target, depth - 1)
                    if pick.random() < 0.5:
                        with m.Default():
                            self._statements(m, domain, target, depth - 1)


def _prove(
    seed: int, folder: Path, *, registers: bool, fault: tuple[str, str] | None = None
) -> str:
    text = convert(_Random(seed, registers=registers), name="gate")
    if fault:
        assert fault[0] in text
        text = text.replace(*fault, 1)
    check = "-tempinduct -set-init-zero -seq 1" if registers else ""
    return _prove_text(text, _Random(seed, registers=registers), folder, check)


def _prove_text(text: str, component: Component, folder: Path, check: str = "") -> str:
    (folder / "gate.v").write_text(text)
    (folder / "gold.il").write_text(rtlil.convert(component, name="gold", emit_src=False))
    return run_yosys(
        "read_rtlil gold.il; read_verilog gate.v; proc; opt_clean; "
        "miter -equiv -flatten -make_assert -make_outputs gold gate miter; hierarchy -top miter; "
        f"opt_clean; sat -verify -prove-asserts {check} miter",
        folder,
        "-q",
        program=YOSYS,
    )


@pytest.mark.parametrize("seed", range(24 if ALL else 12))
def test_expressions_and_statements_mean_the_same(seed: int, tmp_path: Path) -> None:
    _prove(seed, tmp_path, registers=False)


@pytest.mark.parametrize("seed", range(100, 116 if ALL else 108))
def test_registers_mean_the_same(seed: int, tmp_path: Path) -> None:
    _prove(seed, tmp_path, registers=True)


class _Bits(Component):
    """One bit beside constants."""

    def __init__(self) -> None:
        super().__init__({"a": In(1), "b": In(3), "y": Out(8)})

    def elaborate(self, _: object) -> Module:
        m = Module()
        a, b = self.a, self.b
        bits = [a == 1, a == 0, a != 1, a != 0, b[1] == 1, b[1] == 0, (a & b[0]) == 1, (a ^ b) == 1]
        m.d.comb += self.y.eq(Cat(*bits))
        return m


def test_a_bit_is_not_compared_with_a_constant(tmp_path: Path) -> None:
    text = convert(_Bits(), name="gate")
    assert "= 1'b" not in text
    assert text.count(" == ") == 1
    assert "~b[1], b[1], a, {2{~a}}, a}" in text
    _prove_text(text, _Bits(), tmp_path)


def test_proof_refuses_a_fault(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="proof did fail"):
        _prove(0, tmp_path, registers=False, fault=(" + ", " - "))
    with pytest.raises(AssertionError, match="proof did fail"):
        _prove(100, tmp_path, registers=True, fault=("if (rst)", "if (~rst)"))
