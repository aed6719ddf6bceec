"""The weight buffer: a ring of rows, one vector with its scale for each lane in every row."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from scalewright.golden.config import EngineConfig
from scalewright.hw.primitives.memory import RowMemory
from scalewright.hw.primitives.operand import operand_members
from scalewright.hw.primitives.shared import shared

__all__ = ["WeightBuffer", "WeightVector"]


class WeightVector(data.StructLayout):
    """A vector of weights.

    Members
    -------
    elements : array of V elements, W bits signed
    scale : unsigned, ws bits; absent where the notation has `-`
    """

    def __init__(self, config: EngineConfig):
        super().__init__(operand_members(config.datapath.weights, config.datapath.vector_size))


class WeightBuffer(wiring.Component):
    """Hold the weights of a tile, and take in those of the next ones meanwhile.

    Vectors arrive for lane 0, 1, ... L - 1 of one row after the other. The rows of the present tile
    are read in turn, and again from the first, until it is released. A row can be read one cycle
    after its last vector has arrived; a full ring stalls the stream.

    Members
    -------
    i : In(stream.Signature(WeightVector(config)))
    available : Out(1), the next row of the tile is there
    read : In(1), take that row: from the next cycle on, `row` has it. Only where it is available.
    rewind : In(1), with `read`: it was the last of the tile; its first row comes next
    release : In(1), with `read` and `rewind`: the tile is done, and its rows are free
    row : Out, array of L WeightVector, held until the next `read`
    """

    def __init__(self, config: EngineConfig):
        self.config = config
        vector = WeightVector(config)
        self.identity = (config,)
        super().__init__(
            {
                "i": In(stream.Signature(vector)),
                "available": Out(1),
                "read": In(1),
                "rewind": In(1),
                "release": In(1),
                "row": Out(data.ArrayLayout(vector, config.lanes)),
            }
        )

    @shared
    def elaborate(self, platform):
        lanes, depth = self.config.lanes, self.config.depth
        m = Module()

        lane = Signal(range(lanes))
        write_row = Signal(range(depth))
        first_row = Signal(range(depth))  # of the tile
        read_row = Signal(range(depth))
        position = Signal(range(depth))  # of read_row in the tile
        loaded = Signal(range(depth + 1))  # whole rows, from first_row on

        m.d.comb += [
            self.i.ready.eq(loaded != depth),
            self.available.eq(position < loaded),
        ]
        arrives = Signal()
        completes = Signal()
        m.d.comb += [
            arrives.eq(self.i.valid & self.i.ready),
            completes.eq(arrives & (lane == lanes - 1)),
        ]
        with m.If(arrives):
            m.d.sync += lane.eq(Mux(lane == lanes - 1, 0, lane + 1))
        with m.If(completes):
            m.d.sync += write_row.eq(Mux(write_row == depth - 1, 0, write_row + 1))

        following = Signal(range(depth))
        m.d.comb += following.eq(Mux(read_row == depth - 1, 0, read_row + 1))
        with m.If(self.read):
            m.d.sync += [read_row.eq(following), position.eq(position + 1)]
            with m.If(self.rewind):
                m.d.sync += position.eq(0)
                with m.If(self.release):
                    m.d.sync += first_row.eq(following)
                with m.Else():
                    m.d.sync += read_row.eq(first_row)
        freed = Signal(range(depth + 1))
        m.d.comb += freed.eq(Mux(self.read & self.release, position + 1, 0))
        m.d.sync += loaded.eq(loaded + completes - freed)

        for number in range(lanes):
            storage = RowMemory(shape=WeightVector(self.config), depth=depth)
            m.submodules[f"lane_{number}"] = storage
            m.d.comb += [
                storage.write_address.eq(write_row),
                storage.write_data.eq(self.i.payload),
                storage.write_enable.eq(arrives & (lane == number)),
                storage.read_address.eq(read_row),
                storage.read_enable.eq(self.read),
                self.row[number].eq(storage.read_data),
            ]
        return m
