"""The vector MAC unit: one dot product, scaled and accumulated, per clock cycle."""

from amaranth.hdl import Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.config import DatapathConfig

__all__ = ["VectorMac", "VectorPair", "VectorSum"]


def _element(fmt):
    return signed(fmt.element_bits) if fmt.signed else unsigned(fmt.element_bits)


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
    first : the accumulator starts from 0 with this vector
    last : the accumulator is a result after this vector
    tag : travels from the vector with `last` to the result; absent with 0 bits
    """

    def __init__(self, config: DatapathConfig, tag_bits=0):
        members = {
            "weights": data.ArrayLayout(_element(config.weights), config.vector_size),
            "activations": data.ArrayLayout(_element(config.activations), config.vector_size),
        }
        if config.weights.scale_bits is not None:
            members["weight_scale"] = unsigned(config.weights.scale_bits)
        if config.activations.scale_bits is not None:
            members["activation_scale"] = unsigned(config.activations.scale_bits)
        super().__init__({**members, "first": 1, "last": 1, **_tag(tag_bits)})


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

    latency = 2

    def __init__(self, config: DatapathConfig, *, tag_bits=0):
        if not isinstance(config, DatapathConfig):
            raise TypeError(f"config must be a DatapathConfig, not {config!r}")
        self.config = config
        self._tag_bits = tag_bits
        super().__init__(
            {
                "i": In(stream.Signature(VectorPair(config, tag_bits))),
                "o": Out(stream.Signature(VectorSum(config, tag_bits))),
            }
        )

    @property
    def timing(self):
        return {
            "latency": f"{self.latency} cycles from the transfer of `last` to the result",
            "throughput": "1 vector pair per cycle",
        }

    def elaborate(self, platform):
        config = self.config
        m = Module()

        # Stage 0: dot product and scale product, side by side.
        s0_dot = Signal(signed(config.dot_bits))
        m.d.comb += s0_dot.eq(self._dot_product(m))
        s0_scale_product = self._rounded_scale_product(m)

        # Stage 1: the scaled dot product joins the accumulator.
        s1_valid = Signal()
        s1_ready = Signal()
        s1_first = Signal(reset_less=True)
        s1_last = Signal(reset_less=True)
        s1_dot = Signal(signed(config.dot_bits), reset_less=True)
        s1_partial_sum = Signal(signed(config.partial_sum_bits))
        m.d.comb += [
            self.i.ready.eq(~s1_valid | s1_ready),
            s1_ready.eq(~self.o.valid | self.o.ready),
        ]
        with m.If(self.i.ready):
            m.d.sync += s1_valid.eq(self.i.valid)
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [
                s1_dot.eq(s0_dot),
                s1_first.eq(self.i.payload.first),
                s1_last.eq(self.i.payload.last),
            ]
            if self._tag_bits:
                s1_tag = Signal(self._tag_bits, reset_less=True)
                m.d.sync += s1_tag.eq(self.i.payload.tag)
            if s0_scale_product is not None:
                s1_scale_product = Signal.like(s0_scale_product, reset_less=True)
                m.d.sync += s1_scale_product.eq(s0_scale_product)
        if s0_scale_product is None:
            m.d.comb += s1_partial_sum.eq(s1_dot)
        else:
            m.d.comb += s1_partial_sum.eq(s1_dot * s1_scale_product)

        accumulator = self.o.payload.accumulator
        saturated = self.o.payload.saturated
        # Wider than both of its terms: saturation sees the exact sum.
        s1_sum = Signal(signed(max(config.accumulator_bits, config.partial_sum_bits) + 1))
        s1_overflow = Signal()
        s1_limit = Signal(signed(config.accumulator_bits))
        # The sum fits where all bits from the accumulator's sign bit up are alike.
        s1_high = s1_sum[config.accumulator_bits - 1 :]
        m.d.comb += [
            s1_sum.eq(Mux(s1_first, 0, accumulator) + s1_partial_sum),
            s1_overflow.eq(s1_high.any() & ~s1_high.all()),
            s1_limit.eq(Mux(s1_sum[-1], config.accumulator_min, config.accumulator_max)),
        ]
        with m.If(s1_ready):
            m.d.sync += self.o.valid.eq(s1_valid & s1_last)
        with m.If(s1_valid & s1_ready):
            m.d.sync += [
                accumulator.eq(Mux(s1_overflow, s1_limit, s1_sum[: config.accumulator_bits])),
                saturated.eq((saturated & ~s1_first) | s1_overflow),
            ]
            if self._tag_bits:
                m.d.sync += self.o.payload.tag.eq(s1_tag)
        return m

    def _dot_product(self, m):
        """The exact sum of the lanes' products, as a balanced tree."""
        terms = []
        for lane, (weight, activation) in enumerate(
            zip(self.i.payload.weights, self.i.payload.activations, strict=True)
        ):
            product = Signal(
                signed(self.config.weights.element_bits + self.config.activations.element_bits),
                name=f"s0_product_{lane}",
            )
            m.d.comb += product.eq(weight * activation)
            terms.append(product)
        while len(terms) > 1:
            pairs = zip(terms[::2], terms[1::2], strict=True)
            terms = [left + right for left, right in pairs]
        return terms[0]

    def _rounded_scale_product(self, m):
        """The scale product at P bits: half up, at most 2^P - 1. None where there are no scales."""
        config = self.config
        scales = [
            self.i.payload[name]
            for name in ("weight_scale", "activation_scale")
            if name in self.i.payload.shape().members
        ]
        if not scales:
            return None
        product = Signal(config.full_scale_product_bits, name="s0_full_scale_product")
        m.d.comb += product.eq(scales[0] * scales[1] if len(scales) == 2 else scales[0])
        shift = config.scale_product_shift
        if shift == 0:
            return product
        half = 1 << (shift - 1)
        largest = (1 << config.rounded_scale_product_bits) - 1
        rounded = Signal(config.rounded_scale_product_bits + 1, name="s0_rounded_scale_product")
        m.d.comb += rounded.eq((product + half) >> shift)
        largest_product = config.weights.scale_max * config.activations.scale_max
        if (largest_product + half) >> shift <= largest:
            return rounded[:-1]
        # Rounding up can carry to 2^P, and no further.
        saturated = Signal(config.rounded_scale_product_bits, name="s0_scale_product")
        m.d.comb += saturated.eq(Mux(rounded[-1], largest, rounded))
        return saturated
