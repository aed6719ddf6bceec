"""The rescaler: accumulators become results in units of the next layer's scale."""

from amaranth.hdl import Module, Signal, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from scalewright.golden.config import MANTISSA_BITS, ActivationFunction, EngineConfig, Output
from scalewright.hw.arithmetic.quantization import FRACTION_SHAPE
from scalewright.hw.post_processor.rescaler_lane import EXPONENT_SHAPE, RescalerLane
from scalewright.hw.primitives.operand import output_sign
from scalewright.hw.primitives.shared import shared

__all__ = ["AccumulatorBeat", "Rescaler", "ResultBeat", "factor_members"]


def factor_members(config: EngineConfig):
    """What rescales one channel: m, e and b."""
    return {
        "mantissa": unsigned(MANTISSA_BITS),
        "exponent": EXPONENT_SHAPE,
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
    activation_function : ActivationFunction
    output : Output
    fraction_bits : f, which passes through to the quantizer
    output_signed : likewise; only where results are of either sign
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
                "activation_function": ActivationFunction,
                "output": Output,
                "fraction_bits": FRACTION_SHAPE,
                **output_sign(config),
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
    output_signed : as it came
    """

    def __init__(self, config: EngineConfig):
        super().__init__(
            {
                "values": data.ArrayLayout(signed(config.value_bits), config.post_lanes),
                "saturated": 1,
                "output": Output,
                "fraction_bits": FRACTION_SHAPE,
                **output_sign(config),
            }
        )


class Rescaler(wiring.Component):
    """Multiply, shift, add a bias, saturate, and apply an activation function; Q side by side.

        y = g(sat_R(rne(acc * m / 2^e) + b))      g: the activation function

    `rne` rounds half to even; everything is exact for any m of 16 bits. With output ACCUMULATOR the
    accumulators pass unchanged: m, e, b and the activation function do not matter.

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
        self.identity = (config,)
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

    @shared
    def elaborate(self, platform):
        config = self.config
        m = Module()

        s1_valid = Signal()
        s1_ready = Signal()
        kept = (
            *("exponents", "biases", "saturated"),
            *("activation_function", "output", "fraction_bits", *output_sign(config)),
        )
        members = AccumulatorBeat(config).members
        s1 = Signal(data.StructLayout({name: members[name] for name in kept}), reset_less=True)
        m.d.comb += [
            self.i.ready.eq(~s1_valid | s1_ready),
            s1_ready.eq(~self.o.valid | self.o.ready),
        ]
        with m.If(self.i.ready):
            m.d.sync += s1_valid.eq(self.i.valid)
        with m.If(s1_ready):
            m.d.sync += self.o.valid.eq(s1_valid)
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [s1[name].eq(self.i.payload[name]) for name in kept]

        saturated = Signal(config.post_lanes)
        for number in range(config.post_lanes):
            lane = RescalerLane(config)
            m.submodules[f"lane_{number}"] = lane
            m.d.comb += [
                lane.s0_load.eq(self.i.valid & self.i.ready),
                lane.s0_accumulator.eq(self.i.payload.accumulators[number]),
                lane.s0_mantissa.eq(self.i.payload.mantissas[number]),
                lane.s0_passes.eq(self.i.payload.output == Output.ACCUMULATOR),
                lane.s1_exponent.eq(s1.exponents[number]),
                lane.s1_bias.eq(s1.biases[number]),
                lane.s1_activation_function.eq(s1.activation_function),
                lane.s1_passes.eq(s1.output == Output.ACCUMULATOR),
                saturated[number].eq(lane.s1_saturated),
            ]
            with m.If(s1_valid & s1_ready):
                m.d.sync += self.o.payload.values[number].eq(lane.s1_value)
        with m.If(s1_valid & s1_ready):
            m.d.sync += [
                self.o.payload.saturated.eq(
                    s1.saturated | (saturated.any() & (s1.output != Output.ACCUMULATOR))
                ),
                *(
                    self.o.payload[name].eq(s1[name])
                    for name in ("output", "fraction_bits", *output_sign(config))
                ),
            ]
        return m
