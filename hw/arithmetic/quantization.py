"""Exact quantization of integers, step by step: what the vector quantizer is made of.

A result y with f fraction bits becomes an element on the scale of its vector (Keller et al., JSSC
2023; all of it exact, for every input):

    scale   = min(ceil(peak / (qmax * 2^f)), 2^M - 1)      peak = max|y| of the vector
    element = clip(rne(y / (scale * 2^f)))                  0 where the scale is 0

Most bits of y do not matter. Halves of 2^f decide on rounding, whatever lies below them only by
being zero or not, and whatever is above qmax * (2^M - 1) is the same as all that is larger. So
`Magnitude` keeps n + M + 1 bits of 2|y| / 2^f and one for the rest, and two small restoring arrays
divide: `PeakScale` by the constant qmax = 2^n - 1, where subtracting is adding one, and
`ElementQuotient` by the scale. Of results of either sign, n is that of unsigned ones, and a flag
halves 2^n where they are signed. tests/hw/arithmetic/test_quantization.py tries the inputs of each.
"""

from amaranth.hdl import Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from scalewright.golden.config import OUTPUT_FRACTION_BITS, EngineConfig
from scalewright.hw.primitives.shared import shared

__all__ = [
    "FRACTION_SHAPE",
    "ElementQuotient",
    "HalfSteps",
    "Magnitude",
    "PeakScale",
    "shift_right",
    "sign_member",
]

FRACTION_SHAPE = unsigned((len(OUTPUT_FRACTION_BITS) - 1).bit_length())


def shift_right(m, value, amount, *, name):
    """Shift right by a variable amount, in stages of powers of two.

    Returns:
        The shifted value, sign-extended if signed, and whether any bit shifted out was 1.
    """
    lost = Signal(name=f"{name}_lost_0")
    for stage in reversed(range(len(amount))):
        shifted = Signal(value.shape(), name=f"{name}_{stage}")
        lost_too = Signal(name=f"{name}_lost_{stage + 1}")
        m.d.comb += [
            shifted.eq(Mux(amount[stage], value >> (1 << stage), value)),
            lost_too.eq(lost | (amount[stage] & value[: 1 << stage].any())),
        ]
        value, lost = shifted, lost_too
    return value, lost


def sign_member(config: EngineConfig):
    """The port that says whether results are signed; none where they have one format only."""
    return {"is_signed": In(1)} if config.datapath.either_sign else {}


class HalfSteps(data.StructLayout):
    """2|y| / 2^f, as far as it matters.

    Members
    -------
    rest : whether there is anything below `halves`
    halves : floor(2|y| / 2^f), n + M + 1 bits; all ones, with `rest`, where it is more
    """

    def __init__(self, config: EngineConfig):
        scale_bits = config.output.scale_bits or 0
        super().__init__({"rest": 1, "halves": config.magnitude_bits + scale_bits + 1})


class Magnitude(wiring.Component):
    """|y| in half steps of 2^f; for unsigned results, max(y, 0).

    Members
    -------
    y : In, signed, R bits
    fraction_bits : In, f
    is_signed : In(1), results are signed; only where they are of either sign
    magnitude : Out, HalfSteps
    """

    def __init__(self, config: EngineConfig):
        self._signed = config.output.signed
        self.identity = (config.result_bits, config.outputs)
        super().__init__(
            {
                "y": In(signed(config.result_bits)),
                "fraction_bits": In(FRACTION_SHAPE),
                **sign_member(config),
                "magnitude": Out(HalfSteps(config)),
            }
        )

    @shared
    def elaborate(self, platform):
        m = Module()
        doubled = Signal(unsigned(len(self.y) + 1))
        negated = -self.y if self._signed else 0
        if "is_signed" in self.signature.members:
            negated = Mux(self.is_signed, negated, 0)
        m.d.comb += doubled.eq(Mux(self.y < 0, negated, self.y) << 1)
        halves, rest = shift_right(m, doubled, self.fraction_bits, name="halves")
        kept = len(self.magnitude.halves)
        beyond = Signal()
        m.d.comb += [
            beyond.eq(halves[kept:].any()),
            self.magnitude.halves.eq(halves | beyond.replicate(kept)),
            self.magnitude.rest.eq(rest | beyond),
        ]
        return m


class PeakScale(wiring.Component):
    """The scale of a vector: its peak over qmax, rounded up, at most 2^M - 1.

    Members
    -------
    peak : In, HalfSteps
    is_signed : In(1), qmax is that of signed results; only where they are of either sign
    scale : Out, unsigned, M bits
    """

    def __init__(self, config: EngineConfig):
        self._scale_bits = config.output.scale_bits
        self._magnitude_bits = config.magnitude_bits
        self._either_sign = config.datapath.either_sign
        self.identity = (config.outputs,)
        super().__init__(
            {
                "peak": In(HalfSteps(config)),
                **sign_member(config),
                "scale": Out(unsigned(self._scale_bits)),
            }
        )

    @shared
    def elaborate(self, platform):
        m = Module()
        steps = self.peak.halves[1:]
        below = self.peak.halves[0] | self.peak.rest
        # Divide `steps` by qmax = 2^n - 1.
        remainder = Signal(self._magnitude_bits, name="remainder_top")
        too_large = Signal()
        bits = []
        m.d.comb += [
            remainder.eq(steps[self._scale_bits :]),
            too_large.eq(self._reaches_qmax(remainder)),
        ]
        for bit in reversed(range(self._scale_bits)):
            shifted = Signal(self._magnitude_bits + 1, name=f"shifted_{bit}")
            reduced = Signal(self._magnitude_bits, name=f"remainder_{bit}")
            fits = Signal(name=f"fits_{bit}")
            m.d.comb += [
                shifted.eq(Cat(steps[bit], remainder)),
                fits.eq(self._reaches_qmax(shifted)),
                reduced.eq(self._residue(shifted + fits)),  # - qmax is + 1, modulo 2^n
            ]
            remainder = reduced
            bits.insert(0, fits)
        quotient = Cat(bits)
        upward = Signal()
        m.d.comb += [
            upward.eq(remainder.any() | below),
            self.scale.eq(
                quotient + (upward & ~quotient.all()) | too_large.replicate(len(quotient))
            ),
        ]
        return m

    def _reaches_qmax(self, number):
        """Whether a number of n or n + 1 bits is qmax or more."""
        bits = self._magnitude_bits
        above, below = number[bits:], number[:bits]
        if not self._either_sign:
            return above | below.all() if len(above) else below.all()
        top, others = below[-1], below[:-1].all()
        return Mux(self.is_signed, top | others, above.any() | (top & others))

    def _residue(self, number):
        """A number modulo qmax + 1, in n bits."""
        if not self._either_sign:
            return number
        bits = self._magnitude_bits
        return Cat(number[: bits - 1], number[bits - 1] & ~self.is_signed)


class ElementQuotient(wiring.Component):
    """The magnitude of an element: half steps over the scale, rounded half to even, at most qmax.

    Without per-vector scales there is no port `scale`, and the scale is 1.

    Members
    -------
    magnitude : In, HalfSteps
    scale : In, unsigned, M bits
    is_signed : In(1), qmax is that of signed results; only where they are of either sign
    element : Out, unsigned, n bits
    """

    def __init__(self, config: EngineConfig):
        members = {"magnitude": In(HalfSteps(config)), "element": Out(config.magnitude_bits)}
        if config.output.scale_bits is not None:
            members["scale"] = In(unsigned(config.output.scale_bits))
        self.identity = (config.outputs,)
        super().__init__({**members, **sign_member(config)})

    @shared
    def elaborate(self, platform):
        m = Module()
        halves = self.magnitude.halves
        width = len(self.element)
        too_large = Signal()
        upward = Signal()
        nonzero = Signal(init=1)
        if "scale" not in self.signature.members:
            quotient = halves[1:]
            m.d.comb += upward.eq(halves[0] & (self.magnitude.rest | halves[1]))
        else:
            # Divide by twice the scale.
            remainder = Signal(len(halves) - width, name="remainder_top")
            m.d.comb += [
                nonzero.eq(self.scale.any()),
                remainder.eq(halves[width:]),
                too_large.eq(remainder[1:] >= self.scale),
            ]
            bits = []
            for bit in reversed(range(width)):
                shifted = Signal(len(self.scale) + 2, name=f"shifted_{bit}")
                reduced = Signal(len(self.scale) + 1, name=f"remainder_{bit}")
                fits = Signal(name=f"fits_{bit}")
                m.d.comb += [
                    shifted.eq(Cat(halves[bit], remainder)),
                    fits.eq(shifted[1:] >= self.scale),
                    reduced.eq(Cat(shifted[0], shifted[1:] - Mux(fits, self.scale, 0))),
                ]
                remainder = reduced
                bits.insert(0, fits)
            quotient = Cat(bits)
            tie = remainder == self.scale
            m.d.comb += upward.eq(
                (remainder > self.scale) | (tie & (self.magnitude.rest | quotient[0]))
            )
        element = (
            (quotient + (upward & ~quotient.all())) | too_large.replicate(width)
        ) & nonzero.replicate(width)
        if "is_signed" in self.signature.members:
            # Beyond qmax of signed results, 2^(n-1) - 1, the highest bit is set.
            unsigned_element = Signal(width)
            m.d.comb += unsigned_element.eq(element)
            low, high = unsigned_element[:-1], unsigned_element[-1]
            beyond = self.is_signed & high
            element = Cat(low | beyond.replicate(width - 1), high & ~self.is_signed)
        m.d.comb += self.element.eq(element)
        return m
