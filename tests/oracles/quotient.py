"""An element quotient beside its specification, which multiplies and compares, in one component."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib.wiring import Component, In, Out

from scalewright.golden.config import OperandFormat
from scalewright.hw.arithmetic.quantization import ElementQuotient
from tests.benches.faults import Faulty, PortFault
from tests.benches.quantization import configuration


class QuotientCheck(Component):
    """Whether an element is right: x - 1/2 <= w / (4 s) <= x + 1/2, equal only where x is even.

    There is no upper bound for x = qmax, and x is 0 where s is. w is the half steps: halves and,
    below them, the bit that tells of a rest (see benches/quantization.sv.in).

    Members
    -------
    w : In, n + M + 2 bits
    s : In, M bits
    right : Out(1)
    """

    def __init__(self, fmt: OperandFormat, fault: PortFault | None = None) -> None:
        assert fmt.scale_bits is not None
        self._fmt = fmt
        self._fault = fault
        bits = configuration(fmt).magnitude_bits + fmt.scale_bits + 2
        super().__init__({"w": In(bits), "s": In(fmt.scale_bits), "right": Out(1)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        quotient: Any = ElementQuotient(configuration(self._fmt))
        if self._fault is not None:
            quotient = Faulty(quotient, self._fault)
        m.submodules.quotient = quotient
        x = quotient.element
        # w - (4 x - 2) s: from 0 to 4 s.
        above = Signal(signed(len(self.w) + 2))
        even = ~x[0]
        m.d.comb += [
            quotient.magnitude.eq(self.w),
            quotient.scale.eq(self.s),
            above.eq(self.w + (self.s << 1) - ((x * self.s) << 2)),
            self.right.eq(
                Mux(
                    self.s == 0,
                    x == 0,
                    ((above > 0) | ((above == 0) & even))
                    & (
                        (x == self._fmt.qmax)
                        | (above < self.s << 2)
                        | ((above == self.s << 2) & even)
                    ),
                )
            ),
        ]
        return m
