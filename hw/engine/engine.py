"""The matrix engine: lanes of vector MACs between buffers, a sequencer and a post-processor."""

from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from scalewright.golden.config import EngineConfig
from scalewright.hw.engine.sequencer import ActivationVector, Sequencer
from scalewright.hw.engine.weight_buffer import WeightBuffer, WeightVector
from scalewright.hw.mac import VectorMac
from scalewright.hw.post_processor import PostProcessor, Result
from scalewright.hw.post_processor.parameter_buffer import ParameterBuffer, Parameters
from scalewright.hw.primitives.shared import shared

__all__ = ["Engine"]


class Engine(wiring.Component):
    """Multiply matrices tile by tile, and post-process the sums.

    A tile is L output channels (or V, in V / L groups, where V > L) and any number of activation
    rows. For it the engine takes

    - `weights`: for each group, for each of its J vectors, the vector of lane 0, 1, ... L - 1;
    - `parameters`: for each channel, its factor and bias, and with each the shape of the tile;
    - `activations`: row after row, each once for every group, J vectors; `last` with the very last.

    and gives `results`: row after row, channel after channel, as vectors of V quantized results
    with their scale, as Q rescaled results, or as Q accumulators. What a channel gets is

        acc = sum over J vectors, as VectorMac does it
        y   = g(sat_R(rne(acc * m / 2^e) + b)), g: activation function     (Rescaler)
        vectors of y, with their scale                                      (VectorQuantizer)

    The streams are independent: whatever arrives early waits in its buffer or stalls. While a tile
    is computed, the next one's weights are taken as far as the ring of `depth` rows has room, and
    the parameters of one more tile. A reduction longer than the buffer takes several tiles of one
    activation row and one group each: all but the last with output PARTIAL. Results that are not
    quantized wait until no quantized ones are under way; so a vector must be complete before.

    The throughput is one activation vector per clock cycle, L * V multiply-accumulates, as long as
    J >= L / Q and the weights come in time: L transfers per row of the buffer. Every stream may
    stall. Reset drops everything.

    Members
    -------
    weights : In(stream.Signature(WeightVector(config)))
    parameters : In(stream.Signature(Parameters(config)))
    activations : In(stream.Signature(ActivationVector(config)))
    results : Out(stream.Signature(Result(config)))
    """

    def __init__(self, config: EngineConfig):
        if not isinstance(config, EngineConfig):
            raise TypeError(f"config must be an EngineConfig, not {config!r}")
        self.config = config
        self.identity = (config,)
        super().__init__(
            {
                "weights": In(stream.Signature(WeightVector(config))),
                "parameters": In(stream.Signature(Parameters(config))),
                "activations": In(stream.Signature(ActivationVector(config))),
                "results": Out(stream.Signature(Result(config))),
            }
        )

    @property
    def timing(self):
        config = self.config
        return {
            "throughput": "1 activation vector per cycle for sums of at least "
            f"{config.lanes // config.post_lanes} vectors",
            "weights": f"{config.lanes} transfers per row of the buffer, while computing",
        }

    @shared
    def elaborate(self, platform):
        config = self.config
        m = Module()
        m.submodules.weight_buffer = weight_buffer = WeightBuffer(config)
        m.submodules.parameter_buffer = parameter_buffer = ParameterBuffer(config)
        m.submodules.sequencer = sequencer = Sequencer(config)
        m.submodules.post_processor = post_processor = PostProcessor(config)
        connect(m, flipped(self.weights), weight_buffer.i)
        connect(m, flipped(self.parameters), parameter_buffer.i)
        connect(m, flipped(self.activations), sequencer.i)
        connect(m, post_processor.o, flipped(self.results))
        m.d.comb += [
            sequencer.tile_valid.eq(parameter_buffer.tile_valid),
            sequencer.tile.eq(parameter_buffer.tile),
            parameter_buffer.tile_done.eq(sequencer.tile_done),
            sequencer.available.eq(weight_buffer.available),
            weight_buffer.read.eq(sequencer.read),
            weight_buffer.rewind.eq(sequencer.rewind),
            weight_buffer.release.eq(sequencer.release),
            post_processor.tile.eq(parameter_buffer.post_tile),
            post_processor.factors.eq(parameter_buffer.factors),
            parameter_buffer.post_beat.eq(post_processor.beat),
            parameter_buffer.post_read.eq(post_processor.read),
            parameter_buffer.post_done.eq(post_processor.done),
        ]

        # The lanes move in step: lane 0 speaks for all.
        placed, sums = sequencer.o, post_processor.i
        for number in range(config.lanes):
            lane = VectorMac(config.datapath, tag_bits=1)
            m.submodules[f"lane_{number}"] = lane
            weight = weight_buffer.row[number]
            m.d.comb += [
                lane.i.valid.eq(placed.valid),
                lane.i.payload.weights.eq(weight.elements),
                lane.i.payload.activations.eq(placed.payload.elements),
                lane.i.payload.first.eq(placed.payload.first),
                lane.i.payload.last.eq(placed.payload.last),
                lane.o.ready.eq(sums.ready),
                sums.payload.accumulators[number].eq(lane.o.payload.accumulator),
                sums.payload.saturated[number].eq(lane.o.payload.saturated),
            ]
            if config.datapath.weights.scale_bits is not None:
                m.d.comb += lane.i.payload.weight_scale.eq(weight.scale)
            if config.datapath.activations.scale_bits is not None:
                m.d.comb += lane.i.payload.activation_scale.eq(placed.payload.scale)
            if config.datapath.either_sign:
                m.d.comb += lane.i.payload.activation_signed.eq(placed.payload.signed)
            if number == 0:
                m.d.comb += [
                    placed.ready.eq(lane.i.ready),
                    lane.i.payload.tag.eq(placed.payload.ends_tile),
                    sums.valid.eq(lane.o.valid),
                    sums.payload.ends_tile.eq(lane.o.payload.tag),
                ]
        return m
