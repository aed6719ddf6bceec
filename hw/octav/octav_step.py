"""A step of the OCTAV recursion: products of K digit by digit, then a division."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from scalewright.golden.config import CONSTANT_BITS, OctavConfig
from scalewright.hw.arithmetic.compressor import Compressor
from scalewright.hw.arithmetic.divider import Divider
from scalewright.hw.primitives.shared import shared

__all__ = ["OctavStep"]

# Bits of K that are multiplied per clock cycle.
_DIGIT_BITS = 5


class OctavStep(wiring.Component):
    """Compute s' = K S / (n_in + K n_out), rounded half up to F fraction bits.

    Both products grow by a digit of K per clock cycle, from the lowest; then a Divider gives
    t = floor(2^(F + 1) K S / (n_in + K n_out)), and s' = floor((t + 1) / 2).

    The latency is `latency` clock cycles from `start` to `done`. One step is under way at a time;
    reset drops it.

    Members
    -------
    start : In(1), the operands are there, and not all of n_in and n_out are 0
    constant : In(20), K; wanted in the cycle of `start` only, like `inside`
    outside_sum : In, S, which must stay as it is until `done`, like `outside`
    outside : In, n_out
    inside : In, n_in
    done : Out(1), for one cycle
    threshold : Out, s' with F fraction bits, while `done`

    Attributes:
    ----------
    latency : clock cycles, 20 / 5 + ceil((threshold bits + 1) / 2) + 1
    """

    def __init__(self, config: OctavConfig):
        self._sum_bits, self._count_bits = config.sum_bits, config.count_bits
        self._fraction_bits = config.fraction_bits
        self._config = config
        self.identity = (config,)
        super().__init__(
            {
                "start": In(1),
                "constant": In(CONSTANT_BITS),
                "outside_sum": In(config.sum_bits),
                "outside": In(config.count_bits),
                "inside": In(config.count_bits),
                "done": Out(1),
                "threshold": Out(config.threshold_bits),
            }
        )

    @staticmethod
    def latency_of(config):
        digits = CONSTANT_BITS // _DIGIT_BITS
        return digits + Divider.latency_of(quotient_width=config.threshold_bits + 1)

    @property
    def latency(self):
        return self.latency_of(self._config)

    @shared
    def elaborate(self, platform):
        m = Module()
        config = self._config
        m.submodules.divider = divider = Divider(
            dividend_width=CONSTANT_BITS + config.sum_bits + config.fraction_bits + 1,
            divisor_width=CONSTANT_BITS + config.count_bits,
            quotient_width=config.threshold_bits + 1,
        )
        digits = CONSTANT_BITS // _DIGIT_BITS
        digits_left = Signal(range(digits + 1))
        # Digits of K leave at the bottom, those of K S come in at the top.
        low = Signal(CONSTANT_BITS, reset_less=True)
        high = Signal(self._sum_bits, reset_less=True)
        divisor_low = Signal(CONSTANT_BITS, reset_less=True)
        divisor_high = Signal(self._count_bits, reset_less=True)
        digit = low[:_DIGIT_BITS]
        products = _grown(m, low, high, digit, self.outside_sum, name="dividend")
        divisors = _grown(m, divisor_low, divisor_high, digit, self.outside, name="divisor")
        with m.If(self.start):
            m.d.sync += [
                Cat(low, high).eq(self.constant),
                divisor_high.eq(self.inside),
                digits_left.eq(digits),
            ]
        with m.Elif(digits_left != 0):
            m.d.sync += [
                Cat(low, high).eq(products),
                Cat(divisor_low, divisor_high).eq(divisors),
                digits_left.eq(digits_left - 1),
            ]
        m.d.comb += [
            divider.i.valid.eq(digits_left == 1),
            divider.i.payload.dividend.eq(products << (self._fraction_bits + 1)),
            divider.i.payload.divisor.eq(divisors),
            divider.o.ready.eq(1),
            self.done.eq(divider.o.valid),
            self.threshold.eq((divider.o.payload.quotient + 1) >> 1),
        ]
        return m


def _grown(m, low, high, digit, multiplicand, *, name):
    """A product's registers after another digit: (high + digit * multiplicand) above low."""
    compressor = Compressor(m, len(multiplicand) + _DIGIT_BITS, name=name)
    compressor.add(high)
    compressor.add_products([multiplicand], [digit])
    return Cat(low[_DIGIT_BITS:], compressor.sum(by_level=True))
