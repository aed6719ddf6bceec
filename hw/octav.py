"""The OCTAV iteration unit: the MSE-optimal clipping threshold of a tensor, by Newton steps."""

from amaranth.hdl import Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, enum, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.config import CONSTANT_BITS, OctavConfig
from hw.divider import Divider

__all__ = ["End", "OctavUnit", "Samples", "Threshold"]


class End(enum.Enum, shape=unsigned(2)):
    """Why an iteration ended."""

    RUNNING = 0  # streaming only: send the tensor again
    FIXED = 1  # the step gave the threshold again
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

    with S the sum of |x| > s, n_out their number, and n_in that of 0 < |x| <= s; until s' = s
    (FIXED), s' is the value before s (CYCLE: the larger one is the result), or `max_iterations`
    passes are done (LIMIT). K is 12 qmax^2 for the narrow grid of b-bit elements.

    Resident: the tensor is streamed in once, kept in a memory, and one result comes. The input
    stalls from the last row until the result is taken. Streaming: after each pass a result comes,
    and while its `end` is RUNNING the same tensor must be streamed again. A tensor has at most
    `depth` samples.

    With b rows per tensor, p passes, and d divisions (each pass but those in which n_out is as in
    the pass before, so that s' = s is known without), a resident unit takes

        p (b + 1) + d * divider latency + 1

    clock cycles from the transfer of the first row to that of the result, where no port stalls;
    the next tensor's first row can transfer in the cycle after. Reset drops everything.

    Members
    -------
    i : In(stream.Signature(Samples(config)))
    o : Out(stream.Signature(Threshold(config)))

    Attributes:
    ----------
    config : OctavConfig
    divider_latency : clock cycles
    timing : latency and throughput in words, for the description
    """

    def __init__(self, config: OctavConfig):
        if not isinstance(config, OctavConfig):
            raise TypeError(f"config must be an OctavConfig, not {config!r}")
        self.config = config
        divisor_width = CONSTANT_BITS + config.count_bits + 1
        self._divider = Divider(
            # 2 K S 2^F + D and 2 D, with D <= K * depth.
            dividend_width=CONSTANT_BITS + config.sum_bits + config.fraction_bits + 2,
            divisor_width=divisor_width,
            quotient_width=config.threshold_bits,
        )
        super().__init__(
            {
                "i": In(stream.Signature(Samples(config))),
                "o": Out(stream.Signature(Threshold(config))),
            }
        )

    @property
    def divider_latency(self):
        return self._divider.latency

    @property
    def timing(self):
        lanes = self.config.lanes
        if not self.config.resident:
            return {
                "latency": f"at most {self.divider_latency + 3} cycles from the transfer of `last` "
                "to the result of the pass",
                "throughput": f"{lanes} samples per cycle within a pass",
            }
        return {
            "latency": f"p (b + 1) + {self.divider_latency} d + 1 cycles from the first row to the "
            f"result: b rows of {lanes}, p passes, d <= p divisions",
            "throughput": f"{lanes} samples per cycle within a pass",
        }

    def elaborate(self, platform):
        config = self.config
        m = Module()
        m.submodules.divider = divider = self._divider

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

        # A row of magnitudes, from the input or from the memory, joins the sums.
        row = Signal(data.ArrayLayout(unsigned(config.sample_bits), config.lanes))
        row_valid = Signal()
        limit = threshold >> config.fraction_bits  # integers exceed s where they exceed its floor
        kept = [Mux(magnitude > limit, magnitude, 0) for magnitude in row]
        with m.If(row_valid):
            m.d.sync += [
                outside_sum.eq(outside_sum + _total(kept)),
                outside.eq(outside + _total([magnitude > limit for magnitude in row])),
            ]

        taken = Signal()
        m.d.comb += taken.eq(self.i.valid & self.i.ready)
        loaded = Signal(row.shape(), reset_less=True)
        loaded_valid = Signal()
        m.d.sync += loaded_valid.eq(taken)
        with m.If(taken):
            m.d.sync += constant.eq(self.i.payload.constant)
            for magnitude, sample in zip(loaded, self.i.payload.samples, strict=True):
                m.d.sync += magnitude.eq(Mux(sample < 0, -sample, sample))
        m.d.comb += [row.eq(loaded), row_valid.eq(loaded_valid)]

        # The step of a pass: floor((2 K S 2^F + D) / 2 D) with D = n_in + K n_out.
        total = Signal(config.count_bits)
        divisor = Signal(CONSTANT_BITS + config.count_bits)
        step = divider.o.payload.quotient
        m.d.comb += [
            total.eq(Mux(first_pass, outside, nonzero)),
            divisor.eq(total - outside + constant * outside),
            divider.i.payload.divisor.eq(divisor << 1),
            divider.i.payload.dividend.eq(
                ((constant * outside_sum) << (config.fraction_bits + 1)) + divisor
            ),
        ]
        m.d.comb += [
            self.o.payload.threshold.eq(threshold),
            self.o.payload.iterations.eq(iterations),
            self.o.payload.end.eq(end),
        ]

        if config.resident:
            read, last_address = self._store(m, taken, loaded, loaded_valid)
            address = Signal(range(config.rows))

        with m.FSM():
            with m.State("LOAD"):
                m.d.comb += self.i.ready.eq(1)
                with m.If(taken & self.i.payload.last):
                    m.next = "DRAIN"
            with m.State("DRAIN"):
                m.next = "PREPARE"
            with m.State("PREPARE"):
                # As many outside as before: the same ones, and so the same step.
                unchanged = outside == outside_before
                m.d.comb += divider.i.valid.eq(~unchanged)
                m.d.sync += [
                    iterations.eq(iterations + 1),
                    nonzero.eq(total),
                    outside_before.eq(outside),
                    outside_sum.eq(0),
                    outside.eq(0),
                ]
                with m.If(unchanged):
                    m.d.sync += end.eq(End.FIXED)
                    m.next = "RESULT"
                with m.Else():
                    m.next = "DIVIDE"
            with m.State("DIVIDE"):
                m.d.comb += divider.o.ready.eq(1)
                with m.If(divider.o.valid):
                    m.d.sync += [before.eq(threshold), threshold.eq(step), first_pass.eq(0)]
                    with m.If(step == threshold):
                        m.d.sync += end.eq(End.FIXED)
                        m.next = "RESULT"
                    with m.Elif((step == before) & ~first_pass):
                        m.d.sync += end.eq(End.CYCLE)
                        with m.If(threshold > step):
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
                # The first row is read ahead, whatever the state: its address is 0.
                with m.State("SCAN"):
                    m.d.comb += [
                        row.eq(read.data),
                        row_valid.eq(1),
                        read.addr.eq(address + 1),
                    ]
                    m.d.sync += address.eq(address + 1)
                    with m.If(address == last_address):
                        m.d.sync += address.eq(0)
                        m.next = "PREPARE"
        return m

    def _store(self, m, taken, loaded, loaded_valid):
        """Keep the rows of a tensor as they are loaded; give the read port and the last address."""
        config = self.config
        m.submodules.samples = samples = memory.Memory(
            shape=loaded.shape(), depth=config.rows, init=[]
        )
        write, read = samples.write_port(), samples.read_port()
        first = Signal(init=1)
        last_address = Signal(range(config.rows))
        with m.If(taken):
            m.d.sync += [
                last_address.eq(Mux(first, 0, last_address + 1)),
                first.eq(self.i.payload.last),
            ]
        m.d.comb += [
            write.en.eq(loaded_valid),
            write.addr.eq(last_address),
            write.data.eq(loaded),
        ]
        return read, last_address


def _total(terms):
    """The exact sum of the terms, as a tree of depth log2."""
    terms = list(terms)
    while len(terms) > 1:
        terms = [left + right for left, right in zip(terms[::2], terms[1::2], strict=True)]
    return terms[0]
