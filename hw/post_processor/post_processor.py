"""The post-processor: rows of accumulators become results, Q channels per cycle."""

from amaranth.hdl import Array, Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from scalewright.golden.config import EngineConfig, Output
from scalewright.hw.post_processor.parameter_buffer import Tile
from scalewright.hw.post_processor.rescaler import Rescaler, factor_members
from scalewright.hw.post_processor.vector_quantizer import QuantizedVector, VectorQuantizer
from scalewright.hw.primitives.operand import output_sign
from scalewright.hw.primitives.shared import shared

__all__ = ["AccumulatorRow", "PostProcessor", "Result"]


class AccumulatorRow(data.StructLayout):
    """The sums of one group of channels.

    Members
    -------
    accumulators : array of L signed accumulators, C bits
    saturated : array of L flags
    ends_tile : the tile's last sums
    """

    def __init__(self, config: EngineConfig):
        super().__init__(
            {
                "accumulators": data.ArrayLayout(
                    signed(config.datapath.accumulator_bits), config.lanes
                ),
                "saturated": data.ArrayLayout(1, config.lanes),
                "ends_tile": 1,
            }
        )


class Result(data.StructLayout):
    """A vector of quantized results, or Q results that are not quantized.

    Members
    -------
    elements : array of V elements, A bits, or where they are of either sign the bits of elements;
        0 where the results are not quantized
    scale : unsigned, as bits; absent where the notation has `-`; 0 likewise
    values : array of Q signed results of max(C, R) bits; 0 where the results are quantized
    saturated : any of these channels saturated, in its accumulator or as a rescaled result
    """

    def __init__(self, config: EngineConfig):
        members = dict(QuantizedVector(config).members)
        saturated = members.pop("saturated")
        values = data.ArrayLayout(signed(config.value_bits), config.post_lanes)
        super().__init__({**members, "values": values, "saturated": saturated})
        self.signed_by = {"elements": "output_signed"} if config.datapath.either_sign else {}


class PostProcessor(wiring.Component):
    """Rescale rows of L accumulators, Q per cycle, and quantize them where the tile says so.

    A row takes L / Q cycles, and the next one is taken meanwhile. Results leave in the order of
    the channels; a vector of quantized ones gathers V / Q beats, from several rows where V > L.

    Members
    -------
    i : In(stream.Signature(AccumulatorRow(config)))
    o : Out(stream.Signature(Result(config)))
    tile, factors : In, of the parameter buffer
    beat, read, done : Out, to the parameter buffer
    """

    def __init__(self, config: EngineConfig):
        self.config = config
        factor = data.StructLayout(factor_members(config))
        self.identity = (config,)
        super().__init__(
            {
                "i": In(stream.Signature(AccumulatorRow(config))),
                "o": Out(stream.Signature(Result(config))),
                "tile": In(Tile(config)),
                "factors": In(data.ArrayLayout(factor, config.post_lanes)),
                "beat": Out(range(config.channels // config.post_lanes)),
                "read": Out(1),
                "done": Out(1),
            }
        )

    @shared
    def elaborate(self, platform):
        config = self.config
        m = Module()
        m.submodules.rescaler = rescaler = Rescaler(config)
        self._feed(m, rescaler.i)

        m.submodules.quantizer = quantizer = VectorQuantizer(config)
        beats = config.datapath.vector_size // config.post_lanes
        results = rescaler.o.payload
        to_quantizer = results.output == Output.QUANTIZED
        # Beats in the quantizer, its ring and its result: what is not quantized waits for them.
        inside = Signal(range(3 * beats + 3))
        m.d.sync += inside.eq(
            inside
            + (quantizer.i.valid & quantizer.i.ready)
            - Mux(quantizer.o.valid & quantizer.o.ready, beats, 0)
        )
        direct = Signal()
        m.d.comb += [
            direct.eq(rescaler.o.valid & ~to_quantizer & (inside == 0)),
            quantizer.i.valid.eq(rescaler.o.valid & to_quantizer),
            quantizer.i.payload.fraction_bits.eq(results.fraction_bits),
            *(quantizer.i.payload[name].eq(results[name]) for name in output_sign(config)),
            quantizer.i.payload.saturated.eq(results.saturated),
            rescaler.o.ready.eq(Mux(to_quantizer, quantizer.i.ready, (inside == 0) & self.o.ready)),
            quantizer.o.ready.eq(self.o.ready),
            self.o.valid.eq(quantizer.o.valid | direct),
            self.o.payload.saturated.eq(
                Mux(direct, results.saturated, quantizer.o.payload.saturated)
            ),
        ]
        for lane in range(config.post_lanes):
            m.d.comb += quantizer.i.payload.values[lane].eq(results.values[lane])
        with m.If(direct):
            m.d.comb += self.o.payload.values.eq(results.values)
        with m.Else():
            m.d.comb += self.o.payload.elements.eq(quantizer.o.payload.elements)
            if config.output.scale_bits is not None:
                m.d.comb += self.o.payload.scale.eq(quantizer.o.payload.scale)
        return m

    def _feed(self, m, beats):
        """Give the rows to the rescaler beat by beat, with the factors of their channels."""
        config = self.config
        row_beats = config.lanes // config.post_lanes
        row = Signal(AccumulatorRow(config), reset_less=True)
        row_valid = Signal()
        row_beat = Signal(range(row_beats))
        group = Signal.like(self.tile.groups)
        ends_row = Signal()
        takes = Signal()
        partial = self.tile.output == Output.PARTIAL
        m.d.comb += [
            takes.eq(row_valid & (~beats.valid | beats.ready)),
            ends_row.eq(takes & ((row_beat == row_beats - 1) | partial)),
            self.read.eq(takes),
            self.beat.eq(group * row_beats + row_beat),
            self.done.eq(ends_row & row.ends_tile),
            self.i.ready.eq(~row_valid | ends_row),
        ]
        with m.If(takes):
            m.d.sync += row_beat.eq(row_beat + 1)
        with m.If(ends_row):
            m.d.sync += [
                row_beat.eq(0),
                group.eq(Mux(group + 1 == self.tile.groups, 0, group + 1)),
                row_valid.eq(0),
            ]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [row.eq(self.i.payload), row_valid.eq(1)]

        def beat_of(lanes):
            width = len(lanes.as_value()) // row_beats
            return Array(lanes.as_value()[width * n : width * (n + 1)] for n in range(row_beats))[
                row_beat
            ]

        with m.If(beats.ready):
            m.d.sync += beats.valid.eq(0)
        with m.If(takes):
            m.d.sync += [
                beats.valid.eq(~partial),
                beats.payload.accumulators.eq(beat_of(row.accumulators)),
                beats.payload.saturated.eq(beat_of(row.saturated).any()),
                beats.payload.activation_function.eq(self.tile.activation_function),
                beats.payload.output.eq(self.tile.output),
                beats.payload.fraction_bits.eq(self.tile.fraction_bits),
                *(beats.payload[name].eq(self.tile[name]) for name in output_sign(config)),
            ]
        for lane, factor in enumerate(self.factors):
            m.d.comb += [
                beats.payload.mantissas[lane].eq(factor.mantissa),
                beats.payload.exponents[lane].eq(factor.exponent),
                beats.payload.biases[lane].eq(factor.bias),
            ]
