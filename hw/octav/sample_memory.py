"""The memory of a resident OCTAV unit."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from scalewright.golden.config import OctavConfig
from scalewright.hw.octav.octav_row import Magnitude
from scalewright.hw.primitives.memory import RowMemory
from scalewright.hw.primitives.shared import shared

__all__ = ["SampleMemory"]


class SampleMemory(wiring.Component):
    """Keep the rows of a tensor as they come, then give them again, from the first.

    Members
    -------
    take : In(1), a row comes in the next cycle
    last : In(1), it is the tensor's last; what is taken next is the first of another tensor
    row : In(array of Magnitude), in the cycle after `take`
    scan : In(1), go on to the next row
    scanned : Out(array of Magnitude), the row; the first one unless it has been gone on from
    at_last : Out(1), it is the last one, and the first comes after it
    """

    def __init__(self, config: OctavConfig):
        self._depth = config.rows
        row = data.ArrayLayout(Magnitude(config), config.lanes)
        self.identity = (config,)
        super().__init__(
            {
                "take": In(1),
                "last": In(1),
                "row": In(row),
                "scan": In(1),
                "scanned": Out(row),
                "at_last": Out(1),
            }
        )

    @shared
    def elaborate(self, platform):
        m = Module()
        m.submodules.rows = rows = RowMemory(shape=self.row.shape(), depth=self._depth)
        first = Signal(init=1)
        taken = Signal()
        last_address = Signal(range(self._depth))
        m.d.sync += taken.eq(self.take)
        with m.If(self.take):
            m.d.sync += [last_address.eq(Mux(first, 0, last_address + 1)), first.eq(self.last)]
        m.d.comb += [
            rows.write_enable.eq(taken),
            rows.write_address.eq(last_address),
            rows.write_data.eq(self.row),
        ]

        # The first row is read ahead: whenever nothing is scanned, the address is 0.
        address = Signal(range(self._depth))
        m.d.comb += [
            rows.read_enable.eq(1),
            self.scanned.eq(rows.read_data),
            self.at_last.eq(address == last_address),
        ]
        with m.If(self.scan):
            m.d.comb += rows.read_address.eq(address + 1)
            m.d.sync += address.eq(Mux(self.at_last, 0, address + 1))
        return m
