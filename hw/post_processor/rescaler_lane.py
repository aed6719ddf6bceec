"""One lane of the rescaler: an accumulator times a factor, biased, saturated and activated."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from scalewright.golden.config import EXPONENTS, MANTISSA_BITS, ActivationFunction, EngineConfig
from scalewright.hw.arithmetic.compressor import Compressor
from scalewright.hw.arithmetic.quantization import shift_right
from scalewright.hw.post_processor.activation import activate
from scalewright.hw.primitives.shared import shared

__all__ = ["EXPONENT_SHAPE", "RescalerLane"]

# Bits of an exponent.
EXPONENT_SHAPE = unsigned((len(EXPONENTS) - 1).bit_length())


class RescalerLane(wiring.Component):
    """What the rescaler computes for one channel, with a register behind the multiplication.

    Stage 0 multiplies, and the product is there in the cycle after `s0_load`, until the next; what
    goes with it then, `s1_exponent` and the others, comes from the rescaler.

    Members
    -------
    s0_load : In(1), take what stage 0 gives
    s0_accumulator : In, signed, C bits
    s0_mantissa : In, 16 bits
    s0_passes : In(1), the accumulator is the result
    s1_exponent : In, 6 bits
    s1_bias : In, signed, R bits
    s1_activation_function : In(ActivationFunction)
    s1_passes : In(1), `s0_passes` of the cycle before
    s1_value : Out, signed, max(C, R) bits
    s1_saturated : Out(1), the result is not exact; means nothing where it passes
    """

    def __init__(self, config: EngineConfig):
        self._config = config
        accumulator_bits = config.datapath.accumulator_bits
        self.identity = (accumulator_bits, config.result_bits, config.dsp_multipliers)
        super().__init__(
            {
                "s0_load": In(1),
                "s0_accumulator": In(signed(accumulator_bits)),
                "s0_mantissa": In(MANTISSA_BITS),
                "s0_passes": In(1),
                "s1_exponent": In(EXPONENT_SHAPE),
                "s1_bias": In(signed(config.result_bits)),
                "s1_activation_function": In(ActivationFunction),
                "s1_passes": In(1),
                "s1_value": Out(signed(config.value_bits)),
                "s1_saturated": Out(1),
            }
        )

    @shared
    def elaborate(self, platform):
        m = Module()
        accumulator_bits = len(self.s0_accumulator)
        product = Signal(
            signed(accumulator_bits + MANTISSA_BITS), name="s1_product", reset_less=True
        )
        total = self._multiply(m, len(product))
        with m.If(self.s0_load):
            m.d.sync += product.eq(total)
        y = self._result(m, product)
        m.d.comb += self.s1_value.eq(Mux(self.s1_passes, product[:accumulator_bits].as_signed(), y))
        return m

    def _multiply(self, m, bits):
        """The accumulator times the mantissa; times 1 where it passes."""
        mantissa = Signal(MANTISSA_BITS, name="s0_multiplier")
        m.d.comb += mantissa.eq(Mux(self.s0_passes, 1, self.s0_mantissa))
        if self._config.dsp_multipliers:
            return self.s0_accumulator * mantissa
        compressor = Compressor(m, bits, name="s0_product")
        compressor.add_products([self.s0_accumulator], [mantissa])
        return compressor.sum(by_level=True)

    def _result(self, m, product):
        """The result of a product, R bits; drives `s1_saturated`."""
        bits = self._config.result_bits
        # One more bit below: what decides on rounding, but for the ties.
        doubled = Signal(signed(len(product) + 1), name="s1_doubled")
        m.d.comb += doubled.eq(Cat(0, product))
        shifted, lost = shift_right(m, doubled, self.s1_exponent, name="s1_shifted")
        floor = shifted[1:].as_signed()
        upward = Signal(name="s1_upward")
        m.d.comb += upward.eq(shifted[0] & (lost | floor[0]))
        # From -2^R to 2^R - 1 the bias may bring it back into R bits; beyond, nothing does.
        within = Signal(name="s1_within")
        near = Signal(signed(bits + 1), name="s1_near")
        total = Signal(signed(bits + 2), name="s1_total")
        high = floor[bits:]
        fits = Signal(name="s1_fits")
        y = Signal(signed(bits), name="s1_y")
        limit = Signal(signed(bits), name="s1_limit")
        m.d.comb += [
            within.eq(high.all() | ~high.any()),
            near.eq(floor),  # whose sign extends: with C = 16 and R = 32 it is the narrower one
            total.eq(near + self.s1_bias + upward),
            fits.eq(within & (total[bits - 1 :].all() | ~total[bits - 1 :].any())),
            self.s1_saturated.eq(~fits),
            limit.eq(
                Mux(Mux(within, total[-1], floor[-1]), -(1 << (bits - 1)), (1 << (bits - 1)) - 1)
            ),
            y.eq(Mux(fits, total[:bits], limit)),
        ]
        return activate(m, y, self.s1_activation_function, name="s1_activated")
