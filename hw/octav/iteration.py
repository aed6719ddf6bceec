"""The state of an OCTAV iteration: how far it is, and the sums of its passes."""

from amaranth.hdl import Mux, Signal, unsigned
from amaranth.lib import enum

from scalewright.golden.config import CONSTANT_BITS, OctavConfig
from scalewright.hw.octav.octav_row import add_row

__all__ = ["End", "Progress", "Sums"]


class End(enum.Enum, shape=unsigned(2)):
    """Why an iteration ended."""

    RUNNING = 0  # streaming only: send the tensor again
    FIXED = 1  # the step gave the threshold again, or nothing is outside it
    CYCLE = 2  # the step gave the threshold before; the larger of the two is the result
    LIMIT = 3  # the last iteration that is allowed


class Progress:
    """How far an iteration is; registers.

    Attributes:
    ----------
    constant : K of the tensor's grid
    threshold : s, F fraction bits
    before : s of the pass before
    iterations : passes so far
    end : why it ended, or RUNNING
    first_pass : no step has been taken yet
    """

    def __init__(self, config: OctavConfig):
        self._max_iterations = config.max_iterations
        self.constant = Signal(CONSTANT_BITS, reset_less=True)
        self.threshold = Signal(config.threshold_bits)
        self.before = Signal(config.threshold_bits)
        self.iterations = Signal(config.iteration_bits)
        self.end = Signal(End)
        self.first_pass = Signal(init=1)

    def judge(self, m, threshold):
        """Why a step to s' is the last one; RUNNING where it is not."""
        verdict = Signal(End)
        with m.If(threshold == self.threshold):
            m.d.comb += verdict.eq(End.FIXED)
        with m.Elif((threshold == self.before) & ~self.first_pass):
            m.d.comb += verdict.eq(End.CYCLE)
        with m.Elif(self.iterations == self._max_iterations):
            m.d.comb += verdict.eq(End.LIMIT)
        return verdict

    def take_step(self, threshold, verdict):
        """Statements: go on to s', or to the larger value of a cycle."""
        is_smaller = (verdict == End.CYCLE) & (self.threshold > threshold)
        return [
            self.before.eq(self.threshold),
            self.threshold.eq(Mux(is_smaller, self.threshold, threshold)),
            self.first_pass.eq(0),
            self.end.eq(verdict),
        ]

    def start_over(self):
        """Statements: another tensor comes."""
        return [
            self.threshold.eq(0),
            self.before.eq(0),
            self.iterations.eq(0),
            self.end.eq(End.RUNNING),
            self.first_pass.eq(1),
        ]


class Sums:
    """The sums of the pass under way, and what is kept of those before; registers.

    Attributes:
    ----------
    outside_sum : S, the sum of |x| > s
    outside : n_out, their number
    outside_before : n_out of the pass before
    nonzero : samples that are not 0, from the end of the first pass on
    """

    def __init__(self, config: OctavConfig):
        self.outside_sum = Signal(config.sum_bits)
        self.outside = Signal(config.count_bits)
        self.outside_before = Signal(config.count_bits)
        self.nonzero = Signal(config.count_bits)

    @property
    def are_final(self):
        """Whether the pass shows that s is the result.

        Nothing is outside: s is 0 in an all-zero tensor only. Or as many as before: the same ones,
        and so the same step.
        """
        return (self.outside == 0) | (self.outside == self.outside_before)

    def add(self, m, row, valid, limit):
        """Add a row, while `valid`. Integers exceed s where they exceed `limit`, its floor."""
        new_sum, new_outside = add_row(m, row, limit, self.outside_sum, self.outside)
        with m.If(valid):
            m.d.sync += [self.outside_sum.eq(new_sum), self.outside.eq(new_outside)]

    def total(self, m, first_pass):
        """Samples that are not 0: all of those outside s = 0, in the first pass."""
        total = Signal(self.outside.shape())
        m.d.comb += total.eq(Mux(first_pass, self.outside, self.nonzero))
        return total

    def keep(self, total):
        """Statements, at the end of a pass."""
        return [self.nonzero.eq(total), self.outside_before.eq(self.outside)]

    def clear(self):
        """Statements, before the next pass."""
        return [self.outside_sum.eq(0), self.outside.eq(0)]

    def forget(self):
        """Statements, before the next tensor."""
        return [self.outside_before.eq(0)]
