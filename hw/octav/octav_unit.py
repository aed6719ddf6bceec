"""The OCTAV iteration unit: the MSE-optimal clipping threshold of a tensor, by Newton steps."""

from amaranth.hdl import Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, enum, stream, wiring
from amaranth.lib.wiring import In, Out

from scalewright.golden.config import CONSTANT_BITS, OctavConfig
from scalewright.hw.octav.octav_row import Magnitude, add_row, magnitude_of
from scalewright.hw.octav.octav_step import OctavStep
from scalewright.hw.octav.sample_memory import SampleMemory
from scalewright.hw.primitives.shared import shared

__all__ = ["End", "OctavUnit", "Samples", "Threshold"]


class End(enum.Enum, shape=unsigned(2)):
    """Why an iteration ended."""

    RUNNING = 0  # streaming only: send the tensor again
    FIXED = 1  # the step gave the threshold again, or nothing is outside it
    CYCLE = 2  # the step gave the threshold before; the larger of the two is the result
    LIMIT = 3  # the last iteration that is allowed


class Samples(data.StructLayout):
    """Some samples of a tensor.

    Members
    -------
    samples : array of `lanes` signed samples; zeros count nowhere, so they pad the last row
    constant : K of the grid, 20 bits, not 0; the same in every row of a tensor
    last : the tensor ends with this row
    """

    def __init__(self, config: OctavConfig):
        super().__init__(
            {
                "samples": data.ArrayLayout(signed(config.sample_bits), config.lanes),
                "constant": unsigned(CONSTANT_BITS),
                "last": 1,
            }
        )


class Threshold(data.StructLayout):
    """A result.

    Members
    -------
    threshold : unsigned, F fraction bits
    iterations : passes over the samples so far
    end : why the iteration ended; RUNNING in streaming mode where it has not
    """

    def __init__(self, config: OctavConfig):
        super().__init__(
            {
                "threshold": unsigned(config.threshold_bits),
                "iterations": unsigned(config.iteration_bits),
                "end": End,
            }
        )


class OctavUnit(wiring.Component):
    """Find the clipping threshold of a tensor by the OCTAV recursion, exactly.

    From s = 0, each pass over the samples x gives (Sakr et al., ICML 2022, in integers)

        s' = K S / (n_in + K n_out), rounded half up to F fraction bits,

    with S the sum of |x| > s, n_out their number, and n_in that of 0 < |x| <= s; until s' = s or
    n_out = 0 (FIXED: s is the result), s' is the value before s (CYCLE: the larger one is the
    result), or `max_iterations` passes are done (LIMIT); of these, the first that holds. K is
    12 qmax^2 for the narrow grid of b-bit elements.

    Resident: the tensor is streamed in once, kept in a memory, and one result comes. The input
    stalls from the last row until the result is taken. Streaming: after each pass a result comes,
    and while its `end` is RUNNING the same tensor must be streamed again. A tensor has at most
    `depth` samples.

    With b rows per tensor, p passes, and d steps (one in each pass but a last one in which n_out is
    0 or as in the pass before, so that s is known to be the result), a resident unit takes

        p (b + 1) + d * step latency + 1

    clock cycles from the transfer of the first row to that of the result, where no port stalls;
    the next tensor's first row can transfer in the cycle after. Reset drops everything.

    Members
    -------
    i : In(stream.Signature(Samples(config)))
    o : Out(stream.Signature(Threshold(config)))

    Attributes:
    ----------
    config : OctavConfig
    step_latency : clock cycles
    timing : latency and throughput in words, for the description
    """

    def __init__(self, config: OctavConfig):
        if not isinstance(config, OctavConfig):
            raise TypeError(f"config must be an OctavConfig, not {config!r}")
        self.config = config
        self.identity = (config,)
        super().__init__(
            {
                "i": In(stream.Signature(Samples(config))),
                "o": Out(stream.Signature(Threshold(config))),
            }
        )

    @property
    def step_latency(self):
        return OctavStep.latency_of(self.config)

    @property
    def timing(self):
        lanes = self.config.lanes
        if not self.config.resident:
            return {
                "latency": f"at most {self.step_latency + 3} cycles from the transfer of `last` "
                "to the result of the pass",
                "throughput": f"{lanes} samples per cycle within a pass",
            }
        return {
            "latency": f"p (b + 1) + {self.step_latency} d + 1 cycles from the first row to the "
            f"result: b rows of {lanes}, p passes, d <= p steps",
            "throughput": f"{lanes} samples per cycle within a pass",
        }

    @shared
    def elaborate(self, platform):
        config = self.config
        m = Module()
        m.submodules.step = step = OctavStep(config)

        constant = Signal(CONSTANT_BITS, reset_less=True)
        threshold = Signal(config.threshold_bits)
        before = Signal(config.threshold_bits)
        iterations = Signal(config.iteration_bits)
        end = Signal(End)
        # Of the pass under way, and of the one before (all samples but zeros, after the first).
        outside_sum = Signal(config.sum_bits)
        outside = Signal(config.count_bits)
        outside_before = Signal(config.count_bits)
        nonzero = Signal(config.count_bits)
        first_pass = Signal(init=1)

        # A row of samples, from the input or from the memory, joins the sums.
        row = Signal(data.ArrayLayout(Magnitude(config), config.lanes))
        row_valid = Signal()
        limit = threshold >> config.fraction_bits  # integers exceed s where they exceed its floor
        new_sum, new_outside = add_row(m, row, limit, outside_sum, outside)
        with m.If(row_valid):
            m.d.sync += [outside_sum.eq(new_sum), outside.eq(new_outside)]

        taken = Signal()
        m.d.comb += taken.eq(self.i.valid & self.i.ready)
        loaded = Signal(row.shape(), reset_less=True)
        loaded_valid = Signal()
        m.d.sync += loaded_valid.eq(taken)
        with m.If(taken):
            m.d.sync += constant.eq(self.i.payload.constant)
            for magnitude, sample in zip(loaded, self.i.payload.samples, strict=True):
                m.d.sync += magnitude.eq(magnitude_of(sample))
        m.d.comb += [row.eq(loaded), row_valid.eq(loaded_valid)]

        total = Signal(config.count_bits)
        m.d.comb += [
            total.eq(Mux(first_pass, outside, nonzero)),
            step.constant.eq(constant),
            step.outside_sum.eq(outside_sum),
            step.outside.eq(outside),
            step.inside.eq(total - outside),
        ]
        m.d.comb += [
            self.o.payload.threshold.eq(threshold),
            self.o.payload.iterations.eq(iterations),
            self.o.payload.end.eq(end),
        ]

        if config.resident:
            m.submodules.samples = samples = SampleMemory(config)
            m.d.comb += [
                samples.take.eq(taken),
                samples.last.eq(self.i.payload.last),
                samples.row.eq(loaded),
            ]

        with m.FSM():
            with m.State("LOAD"):
                m.d.comb += self.i.ready.eq(1)
                with m.If(taken & self.i.payload.last):
                    m.next = "DRAIN"
            with m.State("DRAIN"):
                m.next = "PREPARE"
            with m.State("PREPARE"):
                # Nothing outside: s is 0 in an all-zero tensor only. As many outside as before: the
                # same ones, and so the same step.
                fixed = (outside == 0) | (outside == outside_before)
                m.d.comb += step.start.eq(~fixed)
                m.d.sync += [
                    iterations.eq(iterations + 1),
                    nonzero.eq(total),
                    outside_before.eq(outside),
                ]
                with m.If(fixed):
                    m.d.sync += [end.eq(End.FIXED), outside_sum.eq(0), outside.eq(0)]
                    m.next = "RESULT"
                with m.Else():
                    m.next = "STEP"
            with m.State("STEP"), m.If(step.done):
                m.d.sync += [
                    before.eq(threshold),
                    threshold.eq(step.threshold),
                    first_pass.eq(0),
                    outside_sum.eq(0),
                    outside.eq(0),
                ]
                with m.If(step.threshold == threshold):
                    m.d.sync += end.eq(End.FIXED)
                    m.next = "RESULT"
                with m.Elif((step.threshold == before) & ~first_pass):
                    m.d.sync += end.eq(End.CYCLE)
                    with m.If(threshold > step.threshold):
                        m.d.sync += threshold.eq(threshold)
                    m.next = "RESULT"
                with m.Elif(iterations == config.max_iterations):
                    m.d.sync += end.eq(End.LIMIT)
                    m.next = "RESULT"
                with m.Else():
                    m.next = "SCAN" if config.resident else "RESULT"
            with m.State("RESULT"):
                m.d.comb += self.o.valid.eq(1)
                with m.If(self.o.ready):
                    with m.If(end != End.RUNNING):
                        m.d.sync += [
                            threshold.eq(0),
                            before.eq(0),
                            iterations.eq(0),
                            end.eq(End.RUNNING),
                            outside_before.eq(0),
                            first_pass.eq(1),
                        ]
                    m.next = "LOAD"
            if config.resident:
                with m.State("SCAN"):
                    m.d.comb += [row.eq(samples.scanned), row_valid.eq(1), samples.scan.eq(1)]
                    with m.If(samples.at_last):
                        m.next = "PREPARE"
        return m
