"""The vector quantizer: results become elements with a scale of their vector."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from scalewright.golden.config import EngineConfig
from scalewright.hw.arithmetic.quantization import (
    FRACTION_SHAPE,
    ElementQuotient,
    HalfSteps,
    Magnitude,
    PeakScale,
)
from scalewright.hw.primitives.memory import RowMemory
from scalewright.hw.primitives.operand import operand_members, output_sign
from scalewright.hw.primitives.shared import shared

__all__ = ["QuantizedVector", "ValueBeat", "VectorQuantizer"]


class ValueBeat(data.StructLayout):
    """Q results of a vector.

    Members
    -------
    values : array of Q signed results, R bits
    fraction_bits : f, 0 to 23, the same in all beats of a vector
    output_signed : the elements are to be signed, the same in all beats of a vector; only where
        results are of either sign
    saturated : passes through: a vector is marked where any of its beats is
    """

    def __init__(self, config: EngineConfig):
        super().__init__(
            {
                "values": data.ArrayLayout(signed(config.result_bits), config.post_lanes),
                "fraction_bits": FRACTION_SHAPE,
                **output_sign(config),
                "saturated": 1,
            }
        )


class QuantizedVector(data.StructLayout):
    """A vector: activations of the next layer.

    Members
    -------
    elements : array of V elements, A bits; the bits of elements where these are of either sign
    scale : unsigned, as bits; absent where the notation has `-`
    saturated : any of the beats was marked
    """

    def __init__(self, config: EngineConfig):
        members = operand_members(config.outputs[-1], config.datapath.vector_size)
        super().__init__({**members, "saturated": 1})
        self.signed_by = {"elements": "output_signed"} if config.datapath.either_sign else {}


class VectorQuantizer(wiring.Component):
    """Quantize vectors of V results, Q per cycle, each with the scale that its peak asks for.

        scale   = min(ceil(max|y| / (qmax * 2^f)), 2^M - 1)     max(y, 0) for unsigned elements
        element = clip(rne(y / (scale * 2^f)))                   0 where the scale is 0

    Exactly, for every input (hw/arithmetic/quantization.py). Without per-vector scales the scale
    is 1.

    V / Q beats make a vector. Half steps, the part of y that matters, wait in a ring of V / Q + 2
    rows until the peak of their vector is known. The latency is `latency` clock cycles from the
    transfer of the first beat to the vector, and the throughput one beat per clock cycle. A vector
    that is not taken stalls the input once the ring is full; `i.ready` depends on `o.ready` in the
    same cycle, no `valid` on any `ready`. Reset drops everything in flight.

    Members
    -------
    i : In(stream.Signature(ValueBeat(config)))
    o : Out(stream.Signature(QuantizedVector(config)))

    Attributes:
    ----------
    latency : clock cycles, 2 V / Q + 1
    """

    def __init__(self, config: EngineConfig):
        self.config = config
        self._beats = config.datapath.vector_size // config.post_lanes
        self.identity = (config,)
        super().__init__(
            {
                "i": In(stream.Signature(ValueBeat(config))),
                "o": Out(stream.Signature(QuantizedVector(config))),
            }
        )

    @staticmethod
    def latency_of(config):
        return 2 * (config.datapath.vector_size // config.post_lanes) + 1

    @property
    def latency(self):
        return self.latency_of(self.config)

    @property
    def timing(self):
        return {
            "latency": f"{self.latency} cycles from a vector's first beat to its result",
            "throughput": "1 beat of `post_lanes` results per cycle",
        }

    @shared
    def elaborate(self, platform):
        config = self.config
        beats = self._beats
        m = Module()
        layout = HalfSteps(config)
        scaled = config.output.scale_bits is not None
        either_sign = config.datapath.either_sign

        # Gathering: half steps go to the ring, their maximum to the peak.
        rows = beats + 2
        row = data.ArrayLayout(
            data.StructLayout({"negative": 1, "magnitude": layout}), config.post_lanes
        )
        m.submodules.ring = ring = RowMemory(shape=row, depth=rows, registered=False)
        write_address, read_address = Signal(range(rows)), Signal(range(rows))
        m.d.comb += [ring.write_address.eq(write_address), ring.read_address.eq(read_address)]
        level = Signal(range(rows + 1))
        gathered = Signal(range(beats))
        peak = Signal(layout, reset_less=True)
        peak_marked = Signal(reset_less=True)
        peak_signed = Signal(reset_less=True)
        peak_valid = Signal()
        peak_taken = Signal()
        taken = Signal()

        candidates = []
        for lane in range(config.post_lanes):
            magnitude = Magnitude(config)
            m.submodules[f"magnitude_{lane}"] = magnitude
            value = self.i.payload.values[lane]
            m.d.comb += [
                magnitude.y.eq(value),
                magnitude.fraction_bits.eq(self.i.payload.fraction_bits),
                ring.write_data[lane].magnitude.eq(magnitude.magnitude),
                ring.write_data[lane].negative.eq(value[-1]),
            ]
            if either_sign:
                m.d.comb += magnitude.is_signed.eq(self.i.payload.output_signed)
            candidates.append(magnitude.magnitude.as_value())
        if beats > 1:
            candidates.append(Mux(gathered == 0, 0, peak.as_value()))
        while len(candidates) > 1:  # a balanced tree: from the front to the back
            first, second, *candidates = candidates
            larger = Signal(layout.size, name=f"larger_{len(candidates)}")
            m.d.comb += larger.eq(Mux(first > second, first, second))
            candidates.append(larger)
        m.d.comb += [
            self.i.ready.eq((level != rows) & (~peak_valid | peak_taken)),
            ring.write_enable.eq(self.i.valid & self.i.ready),
        ]
        with m.If(peak_taken):
            m.d.sync += peak_valid.eq(0)
        with m.If(ring.write_enable):
            m.d.sync += [
                peak.eq(candidates[0]),
                peak_marked.eq(self.i.payload.saturated | (peak_marked & (gathered != 0))),
                gathered.eq(_next(gathered, beats)),
                peak_valid.eq(gathered == beats - 1),
                write_address.eq(_next(write_address, rows)),
            ]
            if either_sign:
                m.d.sync += peak_signed.eq(self.i.payload.output_signed)

        # The scale of a whole vector.
        scale_valid = Signal()
        scale_done = Signal()
        marked = Signal(reset_less=True)
        is_signed = Signal(reset_less=True)
        m.d.comb += peak_taken.eq(peak_valid & (~scale_valid | scale_done))
        with m.If(scale_done):
            m.d.sync += scale_valid.eq(0)
        with m.If(peak_taken):
            m.d.sync += [scale_valid.eq(1), marked.eq(peak_marked)]
            if either_sign:
                m.d.sync += is_signed.eq(peak_signed)
        if scaled:
            m.submodules.peak_scale = peak_scale = PeakScale(config)
            scale = Signal(config.output.scale_bits, reset_less=True)
            m.d.comb += peak_scale.peak.eq(peak)
            if either_sign:
                m.d.comb += peak_scale.is_signed.eq(peak_signed)
            with m.If(peak_taken):
                m.d.sync += scale.eq(peak_scale.scale)

        # Dividing: from the ring into the result.
        divided = Signal(range(beats))
        m.d.comb += [
            taken.eq(scale_valid & (~self.o.valid | self.o.ready)),
            scale_done.eq(taken & (divided == beats - 1)),
        ]
        m.d.sync += level.eq(level + ring.write_enable - taken)
        elements = data.ArrayLayout(
            data.ArrayLayout(self.o.payload.elements.shape().elem_shape, config.post_lanes), beats
        )
        result = data.View(elements, self.o.payload.elements.as_value())
        for lane in range(config.post_lanes):
            quotient = ElementQuotient(config)
            m.submodules[f"quotient_{lane}"] = quotient
            m.d.comb += quotient.magnitude.eq(ring.read_data[lane].magnitude)
            if scaled:
                m.d.comb += quotient.scale.eq(scale)
            if either_sign:
                m.d.comb += quotient.is_signed.eq(is_signed)
            element = quotient.element
            if config.output.signed:  # or of either sign: unsigned ones are 0 where negative
                element = Mux(ring.read_data[lane].negative, -element, element)
            with m.If(taken):
                m.d.sync += result[divided][lane].eq(element)
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(taken):
            m.d.sync += [
                divided.eq(_next(divided, beats)),
                read_address.eq(_next(read_address, rows)),
                self.o.valid.eq(scale_done),
                self.o.payload.saturated.eq(marked),
            ]
            if scaled:
                m.d.sync += self.o.payload.scale.eq(scale)
        return m


def _next(count, number):
    """A count modulo `number`, which is constant."""
    return Mux(count == number - 1, 0, count + 1)
