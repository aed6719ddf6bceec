"""An exact divider: several quotient bits per clock cycle by digit recurrence."""

from amaranth.hdl import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from scalewright.hw.primitives.shared import shared

__all__ = ["Divider"]

# Quotient bits per clock cycle, unless said otherwise.
BITS_PER_CYCLE = 2


class Divider(wiring.Component):
    """Divide unsigned integers, rounding down, with the remainder.

    Restoring division: in each step the partial remainder takes in the next bit of the dividend,
    and the divisor is subtracted where it fits. `bits_per_cycle` steps are chained in one cycle.

    The quotient must fit `quotient_width` bits: dividend < divisor * 2^quotient_width, or else the
    result is not defined. A divisor of 0 gives a quotient of ones.

    The latency is `latency` clock cycles from the transfer of the operands to that of the result,
    and one division is under way at a time; the next can start in the cycle in which a result is
    taken. Reset drops the division under way.

    Members
    -------
    i : In(stream.Signature), payload `dividend` and `divisor`
    o : Out(stream.Signature), payload `quotient` and `remainder`

    Attributes:
    ----------
    latency : clock cycles, ceil(quotient_width / bits_per_cycle) + 1
    """

    def __init__(
        self, *, dividend_width, divisor_width, quotient_width, bits_per_cycle=BITS_PER_CYCLE
    ):
        for name, value in (
            ("dividend_width", dividend_width),
            ("divisor_width", divisor_width),
            ("quotient_width", quotient_width),
            ("bits_per_cycle", bits_per_cycle),
        ):
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"{name} must be a positive integer, not {value!r}")
        self._divisor_width = divisor_width
        self._quotient_width = quotient_width
        self._bits_per_cycle = bits_per_cycle
        operands = {"dividend": unsigned(dividend_width), "divisor": unsigned(divisor_width)}
        result = {"quotient": unsigned(quotient_width), "remainder": unsigned(divisor_width)}
        self.identity = (dividend_width, divisor_width, quotient_width, bits_per_cycle)
        super().__init__(
            {
                "i": In(stream.Signature(data.StructLayout(operands))),
                "o": Out(stream.Signature(data.StructLayout(result))),
            }
        )

    @staticmethod
    def latency_of(*, quotient_width, bits_per_cycle=BITS_PER_CYCLE):
        return -(-quotient_width // bits_per_cycle) + 1

    @property
    def latency(self):
        return self._cycles + 1

    @property
    def _cycles(self):
        return (
            self.latency_of(
                quotient_width=self._quotient_width, bits_per_cycle=self._bits_per_cycle
            )
            - 1
        )

    @shared
    def elaborate(self, platform):
        m = Module()
        steps = self._cycles * self._bits_per_cycle
        # Below, dividend bits still to come in; they leave at the top, quotient bits enter below.
        low = Signal(steps, reset_less=True)
        remainder = Signal(self._divisor_width, reset_less=True)
        divisor = Signal(self._divisor_width, reset_less=True)
        cycles_left = Signal(range(self._cycles + 1))
        busy = Signal()

        next_low, next_remainder = low, remainder
        for step in range(self._bits_per_cycle):
            trial = Signal(self._divisor_width + 1, name=f"trial_{step}")
            fits = Signal(name=f"fits_{step}")
            reduced = Signal(self._divisor_width, name=f"remainder_{step}")
            m.d.comb += [
                trial.eq(Cat(next_low[-1], next_remainder)),
                fits.eq(trial >= divisor),
                reduced.eq(Mux(fits, trial - divisor, trial)),
            ]
            next_remainder = reduced
            next_low = Cat(fits, next_low[:-1])

        m.d.comb += [
            self.o.valid.eq(busy & (cycles_left == 0)),
            self.o.payload.quotient.eq(low),
            self.o.payload.remainder.eq(remainder),
            self.i.ready.eq(~busy | (self.o.valid & self.o.ready)),
        ]
        with m.If(cycles_left != 0):
            m.d.sync += [
                low.eq(next_low),
                remainder.eq(next_remainder),
                cycles_left.eq(cycles_left - 1),
            ]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [
                low.eq(self.i.payload.dividend),
                # Less than the divisor, as the quotient fits.
                remainder.eq(self.i.payload.dividend >> steps),
                divisor.eq(self.i.payload.divisor),
                cycles_left.eq(self._cycles),
                busy.eq(1),
            ]
        with m.Elif(self.o.valid & self.o.ready):
            m.d.sync += busy.eq(0)
        return m
