"""The vector MAC unit: one dot product, scaled and accumulated, per clock cycle."""

from itertools import accumulate

from amaranth.hdl import Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from scalewright.golden.config import DatapathConfig
from scalewright.hw.arithmetic.compressor import Compressor, add_rows
from scalewright.hw.arithmetic.either_sign import add_products_of_either_sign
from scalewright.hw.mac.saturating_sum import saturating_sum
from scalewright.hw.primitives.operand import activations_layout, elements_layout, scale_member
from scalewright.hw.primitives.pipeline import Stage
from scalewright.hw.primitives.shared import shared

__all__ = ["VectorMac", "VectorPair", "VectorSum"]

# Scale products of more bits than this are multiplied level by level: that takes 17 to 27 % off
# the period of 4/4/4/6, 3/8/4/10 and 4/8/6/10 (V = 16) for 2 to 4 % of energy. At 4 to 8 bits it is
# 0 to 8 % for 0 to 4 %.
_LONG_CARRIES = 8


def _tag(bits):
    return {"tag": unsigned(bits)} if bits else {}


class VectorPair(data.StructLayout):
    """One vector of weights, one of activations, their scales, and their place in the sum.

    Members
    -------
    weights : array of V elements, W bits signed
    activations : array of V elements, A bits
    weight_scale : unsigned, ws bits; absent where the notation has `-`
    activation_scale : unsigned, as bits; absent where the notation has `-`
    activation_signed : the activations are signed; only where they are of either sign
    first : the accumulator starts from 0 with this vector
    last : the accumulator is a result after this vector
    tag : travels from the vector with `last` to the result; absent with 0 bits
    """

    def __init__(self, config: DatapathConfig, tag_bits=0):
        members = {
            "weights": elements_layout(config.weights, config.vector_size),
            "activations": activations_layout(config),
            **scale_member(config.weights, "weight_scale"),
            **scale_member(config.activations, "activation_scale"),
            **({"activation_signed": 1} if config.either_sign else {}),
        }
        super().__init__({**members, "first": 1, "last": 1, **_tag(tag_bits)})
        self.signed_by = {"activations": "activation_signed"} if config.either_sign else {}


class VectorSum(data.StructLayout):
    """A result.

    Members
    -------
    accumulator : signed, C bits, in units of gamma_w * gamma_a * 2^sh
    saturated : the accumulator has saturated since `first`
    tag : that of the vector with `last`; absent with 0 bits
    """

    def __init__(self, config: DatapathConfig, tag_bits=0):
        members = {"accumulator": signed(config.accumulator_bits), "saturated": 1}
        super().__init__({**members, **_tag(tag_bits)})


class VectorMac(wiring.Component):
    """Multiply vectors of elements, scale each dot product, and accumulate with saturation.

    For each vector pair of the stream `i`, in arrival order (VS-Quant; the 5 nm chip):

        psum = (sum over lanes of weight * activation) * round_P(weight_scale * activation_scale)
        acc  = sat_C(acc + psum)        acc = 0 before a vector with `first`

    After a vector with `last`, `o` gives the accumulator and whether it saturated on its way.
    A `first` without `last` before it drops what was gathered; without a `first` after `last`,
    accumulation goes on.

    The latency from the transfer of a vector with `last` to its result is `latency` clock cycles,
    and the throughput is one vector pair per clock cycle, results included. A result that is not
    taken stalls the accumulator, and then the input; `i.ready` depends on `o.ready` in the same
    cycle, no `valid` on any `ready`. Reset drops everything in flight and clears the accumulator.

    Members
    -------
    i : In(stream.Signature(VectorPair(config, tag_bits)))
    o : Out(stream.Signature(VectorSum(config, tag_bits)))

    Attributes:
    ----------
    config : DatapathConfig
    latency : clock cycles from `last` in to the result out
    timing : latency and throughput in words, for the description
    """

    def __init__(self, config: DatapathConfig, *, tag_bits=0):
        if not isinstance(config, DatapathConfig):
            raise TypeError(f"config must be a DatapathConfig, not {config!r}")
        self.config = config
        self._tag_bits = tag_bits
        self.identity = (config, tag_bits)
        super().__init__(
            {
                "i": In(stream.Signature(VectorPair(config, tag_bits))),
                "o": Out(stream.Signature(VectorSum(config, tag_bits))),
            }
        )

    @property
    def latency(self):
        return self.config.pipeline_depth

    @property
    def timing(self):
        return {
            "latency": f"{self.latency} cycles from the transfer of `last` to the result",
            "throughput": "1 vector pair per cycle",
        }

    @shared
    def elaborate(self, platform):
        m = Module()
        # Dot product and scale product, side by side.
        compressor = Compressor(m, self.config.dot_bits, name="s0_dot")
        weights, activations = list(self.i.payload.weights), list(self.i.payload.activations)
        if self.config.either_sign:
            is_signed = self.i.payload.activation_signed
            add_products_of_either_sign(
                m, compressor, weights, activations, is_signed, name="s0_dot"
            )
        else:
            compressor.add_products(weights, activations)
        rows = compressor.rows()
        stage = self._input_stage(m, until=max(time for time, _ in rows))
        if self.config.pipeline_depth == 3:
            bits = Cat(column for _, column in rows)
            stage = stage.with_values(rows=bits).registered(m, "s1")
            ends = list(accumulate(len(column) for _, column in rows))
            rows = [
                (0, stage["rows"][end - len(column) : end])
                for (_, column), end in zip(rows, ends, strict=True)
            ]
        dot = Signal(signed(self.config.dot_bits), name="dot")
        m.d.comb += dot.eq(add_rows(m, rows, name="dot"))
        stage = stage.with_values(dot=dot)
        if self.config.pipeline_depth > 1:
            stage = stage.registered(m, "s2")
        self._accumulate(m, stage)
        return m

    def _input_stage(self, m, *, until):
        payload = self.i.payload
        # `first` the other way round: what it drives comes first in the next stage.
        values = {"keep": ~payload.first, "last": payload.last}
        if self._tag_bits:
            values["tag"] = payload.tag
        scale_product = self._rounded_scale_product(m, until=until)
        if scale_product is not None:
            values["scale_product"] = scale_product
        return Stage(self.i.valid, self.i.ready, values)

    def _accumulate(self, m, stage):
        """The scaled dot product joins the accumulator, in one compressor again."""

        def add(compressor):
            if "scale_product" in stage:
                compressor.add_products([stage["dot"]], [stage["scale_product"]])
            else:
                compressor.add(stage["dot"])

        accumulator, saturated = self.o.payload.accumulator, self.o.payload.saturated
        load = Signal()
        value, overflow = saturating_sum(
            m,
            accumulator,
            add,
            self.config.partial_sum_bits,
            load=load,
            keep=stage["keep"],
            by_level=self.config.rounded_scale_product_bits > _LONG_CARRIES,
        )
        m.d.comb += [
            stage.ready.eq(~self.o.valid | self.o.ready),
            load.eq(stage.valid & stage.ready),
        ]
        m.d.sync += accumulator.eq(value)
        with m.If(stage.ready):
            m.d.sync += self.o.valid.eq(stage.valid & stage["last"])
        with m.If(load):
            m.d.sync += saturated.eq((saturated & stage["keep"]) | overflow)
            if self._tag_bits:
                m.d.sync += self.o.payload.tag.eq(stage["tag"])

    def _rounded_scale_product(self, m, *, until):
        """The scale product at P bits: half up, at most 2^P - 1. None where there are no scales."""
        config = self.config
        scales = [
            self.i.payload[name]
            for name in ("weight_scale", "activation_scale")
            if name in self.i.payload.shape().members
        ]
        if not scales:
            return None
        shift = config.scale_product_shift
        half = 1 << shift >> 1
        largest_product = config.weights.scale_max * config.activations.scale_max
        # The product and half a unit of what stays, in one compressor.
        compressor = Compressor(
            m, (largest_product + half).bit_length(), name="s0_full_scale_product"
        )
        if len(scales) == 2:
            compressor.add_products([scales[0]], [scales[1]])
        else:
            compressor.add(scales[0])
        compressor.add_constant(half)
        product = Signal(compressor.width, name="s0_full_scale_product")
        m.d.comb += product.eq(compressor.sum(until=until))
        rounded = product[shift:]
        largest = (1 << config.rounded_scale_product_bits) - 1
        if (largest_product + half) >> shift <= largest:
            return rounded
        # Rounding up can carry to 2^P, and no further.
        saturated = Signal(config.rounded_scale_product_bits, name="s0_scale_product")
        m.d.comb += saturated.eq(Mux(rounded[-1], largest, rounded))
        return saturated
