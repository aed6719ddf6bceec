"""The rescaler: accumulators become results in units of the next layer's scale."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.config import EXPONENTS, MANTISSA_BITS, EngineConfig, Output
from hw.compressor import Compressor
from hw.quantization import FRACTION_SHAPE, shift_right

__all__ = ["AccumulatorBeat", "Rescaler", "ResultBeat", "factor_members"]

# Bits of an exponent.
_EXPONENT_SHAPE = unsigned((len(EXPONENTS) - 1).bit_length())


def factor_members(config: EngineConfig):
    """What rescales one channel: m, e and b."""
    return {
        "mantissa": unsigned(MANTISSA_BITS),
        "exponent": _EXPONENT_SHAPE,
        "bias": signed(config.result_bits),
    }


class AccumulatorBeat(data.StructLayout):
    """Q accumulators, the factors of their channels, and what to do with them.

    Members
    -------
    accumulators : array of Q signed accumulators, C bits
    mantissas : array of Q, 16 bits
    exponents : array of Q, 6 bits
    biases : array of Q, signed, R bits
    saturated : any of the accumulators saturated
    relu : negative results become 0
    output : Output
    fraction_bits : f, which passes through to the quantizer
    """

    def __init__(self, config: EngineConfig):
        lanes = config.post_lanes
        accumulator = signed(config.datapath.accumulator_bits)
        factor = factor_members(config)
        super().__init__(
            {
                "accumulators": data.ArrayLayout(accumulator, lanes),
                "mantissas": data.ArrayLayout(factor["mantissa"], lanes),
                "exponents": data.ArrayLayout(factor["exponent"], lanes),
                "biases": data.ArrayLayout(factor["bias"], lanes),
                "saturated": 1,
                "relu": 1,
                "output": Output,
                "fraction_bits": FRACTION_SHAPE,
            }
        )


class ResultBeat(data.StructLayout):
    """Q results.

    Members
    -------
    values : array of Q signed results; R bits, or C bits as accumulators, sign-extended
    saturated : any of the accumulators or results saturated
    output : Output
    fraction_bits : f
    """

    def __init__(self, config: EngineConfig):
        super().__init__(
            {
                "values": data.ArrayLayout(signed(config.value_bits), config.post_lanes),
                "saturated": 1,
                "output": Output,
                "fraction_bits": FRACTION_SHAPE,
            }
        )


class Rescaler(wiring.Component):
    """Multiply, shift, add a bias, saturate, and clip at zero where ReLU is on; Q side by side.

        y = sat_R(rne(acc * m / 2^e) + b)      then max(y, 0) with `relu`

    `rne` rounds half to even; everything is exact for any m of 16 bits. With output ACCUMULATOR the
    accumulators pass unchanged: m, e, b and relu do not matter.

    The latency is `latency` clock cycles, the throughput one beat per clock cycle. A result that is
    not taken stalls the input; `i.ready` depends on `o.ready` in the same cycle, no `valid` on any
    `ready`. Reset drops everything in flight.

    Members
    -------
    i : In(stream.Signature(AccumulatorBeat(config)))
    o : Out(stream.Signature(ResultBeat(config)))
    """

    latency = 2

    def __init__(self, config: EngineConfig):
        self.config = config
        super().__init__(
            {
                "i": In(stream.Signature(AccumulatorBeat(config))),
                "o": Out(stream.Signature(ResultBeat(config))),
            }
        )

    @property
    def timing(self):
        return {
            "latency": f"{self.latency} cycles",
            "throughput": "1 beat of `post_lanes` results per cycle",
        }

    def elaborate(self, platform):
        config = self.config
        m = Module()

        s1_valid = Signal()
        s1_ready = Signal()
        s1 = Signal(AccumulatorBeat(config), reset_less=True)
        m.d.comb += [
            self.i.ready.eq(~s1_valid | s1_ready),
            s1_ready.eq(~self.o.valid | self.o.ready),
        ]
        with m.If(self.i.ready):
            m.d.sync += s1_valid.eq(self.i.valid)
        with m.If(s1_ready):
            m.d.sync += self.o.valid.eq(s1_valid)
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += s1.eq(self.i.payload)

        saturated = Signal(config.post_lanes)
        for lane in range(config.post_lanes):
            product = Signal(
                signed(config.datapath.accumulator_bits + MANTISSA_BITS),
                reset_less=True,
                name=f"s1_product_{lane}",
            )
            total = self._multiply(m, lane, len(product))
            with m.If(self.i.valid & self.i.ready):
                m.d.sync += product.eq(total)
            y = self._result(m, product, s1, saturated[lane], lane)
            with m.If(s1_valid & s1_ready):
                m.d.sync += self.o.payload.values[lane].eq(
                    Mux(
                        s1.output == Output.ACCUMULATOR,
                        product[: config.datapath.accumulator_bits].as_signed(),
                        y,
                    )
                )
        with m.If(s1_valid & s1_ready):
            m.d.sync += [
                self.o.payload.saturated.eq(
                    s1.saturated | (saturated.any() & (s1.output != Output.ACCUMULATOR))
                ),
                self.o.payload.output.eq(s1.output),
                self.o.payload.fraction_bits.eq(s1.fraction_bits),
            ]
        return m

    def _multiply(self, m, lane, bits):
        """The accumulator times the mantissa; times 1 where it passes."""
        beat = self.i.payload
        accumulator = beat.accumulators[lane]
        mantissa = Signal(MANTISSA_BITS, name=f"mantissa_{lane}")
        m.d.comb += mantissa.eq(Mux(beat.output == Output.ACCUMULATOR, 1, beat.mantissas[lane]))
        if self.config.dsp_multipliers:
            return accumulator * mantissa
        compressor = Compressor(m, bits, name=f"product_{lane}")
        compressor.add_products([accumulator], [mantissa])
        return compressor.sum(by_level=True)

    def _result(self, m, product, s1, saturated, lane):
        """The result of a product, R bits; drives `saturated`."""
        bits = self.config.result_bits
        # One more bit below: what decides on rounding, but for the ties.
        doubled = Signal(signed(len(product) + 1), name=f"s1_doubled_{lane}")
        m.d.comb += doubled.eq(Cat(0, product))
        shifted, lost = shift_right(m, doubled, s1.exponents[lane], name=f"s1_shifted_{lane}")
        floor = shifted[1:].as_signed()
        upward = Signal(name=f"s1_upward_{lane}")
        m.d.comb += upward.eq(shifted[0] & (lost | floor[0]))
        # From -2^R to 2^R - 1 the bias may bring it back into R bits; beyond, nothing does.
        within = Signal(name=f"s1_within_{lane}")
        near = Signal(signed(bits + 1), name=f"s1_near_{lane}")
        total = Signal(signed(bits + 2), name=f"s1_total_{lane}")
        high = floor[bits:]
        fits = Signal(name=f"s1_fits_{lane}")
        y = Signal(signed(bits), name=f"s1_y_{lane}")
        limit = Signal(signed(bits), name=f"s1_limit_{lane}")
        m.d.comb += [
            within.eq(high.all() | ~high.any()),
            near.eq(floor),  # whose sign extends: with C = 16 and R = 32 it is the narrower one
            total.eq(near + s1.biases[lane] + upward),
            fits.eq(within & (total[bits - 1 :].all() | ~total[bits - 1 :].any())),
            saturated.eq(~fits),
            limit.eq(
                Mux(Mux(within, total[-1], floor[-1]), -(1 << (bits - 1)), (1 << (bits - 1)) - 1)
            ),
            y.eq(Mux(fits, total[:bits], limit)),
        ]
        positive = Signal(signed(bits), name=f"s1_positive_{lane}")
        m.d.comb += positive.eq(Mux(s1.relu & y[-1], 0, y))
        return positive
