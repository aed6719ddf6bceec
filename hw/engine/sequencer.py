"""The sequencer: meets every activation vector with its row of weights."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from scalewright.golden.config import EngineConfig, Output
from scalewright.hw.post_processor.parameter_buffer import Tile
from scalewright.hw.primitives.operand import activation_members
from scalewright.hw.primitives.shared import shared

__all__ = ["ActivationVector", "PlacedVector", "Sequencer"]


def _activation_members(config):
    return activation_members(config.datapath)


class ActivationVector(data.StructLayout):
    """A vector of activations.

    Members
    -------
    elements : array of V elements, A bits
    scale : unsigned, as bits; absent where the notation has `-`
    signed : the elements are signed, else unsigned; only where they are of either sign, and then
        `elements` are their bits
    last : the tile ends with this vector, the last one of its row
    """

    def __init__(self, config: EngineConfig):
        super().__init__({**_activation_members(config), "last": 1})
        self.signed_by = {"elements": "signed"} if config.datapath.either_sign else {}


class PlacedVector(data.StructLayout):
    """A vector of activations and its place, while the buffer has its row of weights.

    Members
    -------
    elements, scale, signed : as in ActivationVector
    first : the sums start from 0 with it
    last : the sums are complete with it
    ends_tile : the tile is complete with it
    """

    def __init__(self, config: EngineConfig):
        super().__init__({**_activation_members(config), "first": 1, "last": 1, "ends_tile": 1})


class Sequencer(wiring.Component):
    """Take an activation vector per cycle, and have the weight buffer read the row that it meets.

    A row of activations is `vectors` vectors, sent `groups` times: once for each group of L
    channels. The sums of a group are complete after its `vectors` vectors; they start from 0 unless
    the tile before was PARTIAL. An activation waits until its weights and the tile's parameters are
    there. The latency is one clock cycle, the throughput one vector per clock cycle, from the last
    of a tile to the first of the next as well.

    Members
    -------
    i : In(stream.Signature(ActivationVector(config)))
    o : Out(stream.Signature(PlacedVector(config))), in step with the row of the weight buffer
    tile_valid, tile : In, of the parameter buffer
    tile_done : Out(1), to the parameter buffer
    available : In(1), of the weight buffer
    read, rewind, release : Out(1), to the weight buffer
    """

    def __init__(self, config: EngineConfig):
        self.config = config
        self.identity = (config,)
        super().__init__(
            {
                "i": In(stream.Signature(ActivationVector(config))),
                "o": Out(stream.Signature(PlacedVector(config))),
                "tile_valid": In(1),
                "tile": In(Tile(config)),
                "tile_done": Out(1),
                "available": In(1),
                "read": Out(1),
                "rewind": Out(1),
                "release": Out(1),
            }
        )

    @shared
    def elaborate(self, platform):
        m = Module()
        vector = Signal.like(self.tile.vectors)
        group = Signal.like(self.tile.groups)
        resumes = Signal()
        ends_sum, ends_row, ends_tile = Signal(), Signal(), Signal()
        m.d.comb += [
            self.i.ready.eq(self.tile_valid & self.available & (~self.o.valid | self.o.ready)),
            self.read.eq(self.i.valid & self.i.ready),
            ends_sum.eq(vector + 1 == self.tile.vectors),
            ends_row.eq(ends_sum & (group + 1 == self.tile.groups)),
            ends_tile.eq(ends_row & self.i.payload.last),
            self.rewind.eq(ends_row),
            self.release.eq(ends_tile),
            self.tile_done.eq(self.read & ends_tile),
        ]
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(self.read):
            for name in _activation_members(self.config):
                m.d.sync += self.o.payload[name].eq(self.i.payload[name])
            m.d.sync += [
                self.o.valid.eq(1),
                self.o.payload.first.eq((vector == 0) & ~resumes),
                self.o.payload.last.eq(ends_sum),
                self.o.payload.ends_tile.eq(ends_tile),
                vector.eq(Mux(ends_sum, 0, vector + 1)),
            ]
            with m.If(ends_sum):
                m.d.sync += group.eq(Mux(ends_row, 0, group + 1))
            with m.If(ends_tile):
                m.d.sync += resumes.eq(self.tile.output == Output.PARTIAL)
        return m
