"""The parameter buffer: two tiles' parameters, one in use while the next one arrives."""

from amaranth.hdl import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from scalewright.golden.config import ActivationFunction, EngineConfig, Output
from scalewright.hw.arithmetic.quantization import FRACTION_SHAPE
from scalewright.hw.post_processor.rescaler import factor_members
from scalewright.hw.primitives.memory import RowMemory
from scalewright.hw.primitives.operand import output_sign
from scalewright.hw.primitives.shared import shared

__all__ = ["ParameterBuffer", "Parameters", "Tile"]


def _tile_members(config):
    return {
        "vectors": unsigned(config.depth.bit_length()),
        "groups": unsigned(config.groups.bit_length()),
        "output": Output,
        "activation_function": ActivationFunction,
        "fraction_bits": FRACTION_SHAPE,
        **output_sign(config),
    }


class Tile(data.StructLayout):
    """What holds for all channels of a tile.

    Members
    -------
    vectors : J, vectors of a sum; 1 to the depth of the weight buffer over `groups`
    groups : groups of L channels; 1 to max(1, V / L)
    output : Output
    activation_function : ActivationFunction
    fraction_bits : f, 0 to 23
    output_signed : quantized results are signed; only where they are of either sign
    """

    def __init__(self, config: EngineConfig):
        super().__init__(_tile_members(config))


class Parameters(data.StructLayout):
    """One channel of a tile, and the tile: the same in each of its channels.

    Members
    -------
    mantissa : m, 16 bits
    exponent : e, 6 bits
    bias : b, signed, R bits
    vectors, groups, output, activation_function, fraction_bits, output_signed : as in Tile
    """

    def __init__(self, config: EngineConfig):
        super().__init__({**factor_members(config), **_tile_members(config)})


class ParameterBuffer(wiring.Component):
    """Hold the parameters of two tiles; `groups` * L transfers bring a tile's.

    Two readers go through the tiles in order: the sequencer, which needs the shape of a tile, and
    the post-processor, which comes later and frees it.

    Members
    -------
    i : In(stream.Signature(Parameters(config)))
    tile_valid : Out(1), the sequencer's next tile is there
    tile : Out(Tile), that tile
    tile_done : In(1), the sequencer goes on to the next one
    post_tile : Out(Tile), the tile of the post-processor
    post_beat : In, Q channels of that tile
    post_read : In(1), take that beat: from the next cycle on, `factors` has it
    post_done : In(1), the post-processor goes on to the next tile, and this one is free
    factors : Out, array of Q structures `mantissa`, `exponent`, `bias`; held until `post_read`
    """

    def __init__(self, config: EngineConfig):
        self.config = config
        self._factor = data.StructLayout(factor_members(config))
        self.identity = (config,)
        super().__init__(
            {
                "i": In(stream.Signature(Parameters(config))),
                "tile_valid": Out(1),
                "tile": Out(Tile(config)),
                "tile_done": In(1),
                "post_tile": Out(Tile(config)),
                "post_beat": In(range(config.channels // config.post_lanes)),
                "post_read": In(1),
                "post_done": In(1),
                "factors": Out(data.ArrayLayout(self._factor, config.post_lanes)),
            }
        )

    @shared
    def elaborate(self, platform):
        config = self.config
        beats = config.channels // config.post_lanes
        m = Module()

        banks = [Signal(Tile(config), name=f"tile_{bank}", reset_less=True) for bank in range(2)]
        load_bank, tile_bank, post_bank = Signal(), Signal(), Signal()
        unread = Signal(range(3))  # whole tiles that the sequencer has not done
        held = Signal(range(3))  # whole tiles that the post-processor has not done
        m.d.comb += [
            self.tile_valid.eq(unread != 0),
            self.tile.eq(Mux(tile_bank, banks[1].as_value(), banks[0].as_value())),
            self.post_tile.eq(Mux(post_bank, banks[1].as_value(), banks[0].as_value())),
            self.i.ready.eq(held != 2),
        ]

        channel = Signal(range(config.channels))
        arrives, completes = Signal(), Signal()
        m.d.comb += [
            arrives.eq(self.i.valid & self.i.ready),
            completes.eq(arrives & (channel + 1 == self.i.payload.groups * config.lanes)),
        ]
        with m.If(arrives):
            m.d.sync += channel.eq(Mux(completes, 0, channel + 1))
            for number, bank in enumerate(banks):
                with m.If(load_bank == number):
                    m.d.sync += [
                        bank[name].eq(self.i.payload[name]) for name in Tile(config).members
                    ]
        m.d.sync += [
            unread.eq(unread + completes - self.tile_done),
            held.eq(held + completes - self.post_done),
            load_bank.eq(load_bank ^ completes),
            tile_bank.eq(tile_bank ^ self.tile_done),
            post_bank.eq(post_bank ^ self.post_done),
        ]

        lane_bits = config.post_lanes.bit_length() - 1
        for number in range(config.post_lanes):
            storage = RowMemory(shape=self._factor, depth=2 * beats)
            m.submodules[f"lane_{number}"] = storage
            for name in self._factor.members:
                m.d.comb += storage.write_data[name].eq(self.i.payload[name])
            m.d.comb += [
                storage.write_address.eq(Cat(channel[lane_bits:], load_bank)),
                storage.write_enable.eq(arrives & (channel[:lane_bits] == number)),
                storage.read_address.eq(Cat(self.post_beat, post_bank)),
                storage.read_enable.eq(self.post_read),
                self.factors[number].eq(storage.read_data),
            ]
        return m
