"""The OCTAV iteration unit: the MSE-optimal clipping threshold of a tensor, by Newton steps."""

from amaranth.hdl import Module, Signal, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from scalewright.golden.config import CONSTANT_BITS, OctavConfig
from scalewright.hw.octav.iteration import End, Progress, Sums
from scalewright.hw.octav.octav_row import Magnitude, magnitude_of
from scalewright.hw.octav.octav_step import OctavStep
from scalewright.hw.octav.sample_memory import SampleMemory
from scalewright.hw.primitives.shared import shared

__all__ = ["End", "OctavUnit", "Samples", "Threshold"]


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
        progress = Progress(config)
        sums = Sums(config)

        # A row of samples, from the input or from the memory, joins the sums.
        row = Signal(data.ArrayLayout(Magnitude(config), config.lanes))
        row_valid = Signal()
        taken, loaded = self._take(m, row, row_valid, progress)
        sums.add(m, row, row_valid, progress.threshold >> config.fraction_bits)
        if config.resident:
            m.submodules.samples = samples = SampleMemory(config)
            m.d.comb += [
                samples.take.eq(taken),
                samples.last.eq(self.i.payload.last),
                samples.row.eq(loaded),
            ]

        fixed = Signal()
        verdict = progress.judge(m, step.threshold)
        total = sums.total(m, progress.first_pass)
        m.d.comb += [
            fixed.eq(sums.are_final),
            step.constant.eq(progress.constant),
            step.outside_sum.eq(sums.outside_sum),
            step.outside.eq(sums.outside),
            step.inside.eq(total - sums.outside),
            self.o.payload.threshold.eq(progress.threshold),
            self.o.payload.iterations.eq(progress.iterations),
            self.o.payload.end.eq(progress.end),
        ]
        with m.FSM():
            with m.State("LOAD"):
                m.d.comb += self.i.ready.eq(1)
                with m.If(taken & self.i.payload.last):
                    m.next = "DRAIN"
            with m.State("DRAIN"):
                m.next = "PREPARE"
            with m.State("PREPARE"):
                m.d.comb += step.start.eq(~fixed)
                m.d.sync += [progress.iterations.eq(progress.iterations + 1), *sums.keep(total)]
                with m.If(fixed):
                    m.d.sync += [progress.end.eq(End.FIXED), *sums.clear()]
                    m.next = "RESULT"
                with m.Else():
                    m.next = "STEP"
            with m.State("STEP"), m.If(step.done):
                m.d.sync += [*progress.take_step(step.threshold, verdict), *sums.clear()]
                with m.If(verdict != End.RUNNING):
                    m.next = "RESULT"
                with m.Else():
                    m.next = "SCAN" if config.resident else "RESULT"
            with m.State("RESULT"):
                m.d.comb += self.o.valid.eq(1)
                with m.If(self.o.ready):
                    with m.If(progress.end != End.RUNNING):
                        m.d.sync += [*progress.start_over(), *sums.forget()]
                    m.next = "LOAD"
            if config.resident:
                with m.State("SCAN"):
                    m.d.comb += [row.eq(samples.scanned), row_valid.eq(1), samples.scan.eq(1)]
                    with m.If(samples.at_last):
                        m.next = "PREPARE"
        return m

    def _take(self, m, row, row_valid, progress):
        """Turn the samples of the input into magnitudes: a register, then `row`.

        Returns whether a row is taken, and the register.
        """
        taken = Signal()
        m.d.comb += taken.eq(self.i.valid & self.i.ready)
        loaded = Signal(row.shape(), reset_less=True)
        loaded_valid = Signal()
        m.d.sync += loaded_valid.eq(taken)
        with m.If(taken):
            m.d.sync += progress.constant.eq(self.i.payload.constant)
            for magnitude, sample in zip(loaded, self.i.payload.samples, strict=True):
                m.d.sync += magnitude.eq(magnitude_of(sample))
        m.d.comb += [row.eq(loaded), row_valid.eq(loaded_valid)]
        return taken, loaded
