"""A row of samples in the OCTAV unit: which are above the threshold, their sum and number."""

from amaranth.hdl import Cat, Signal, unsigned
from amaranth.lib import data

from scalewright.golden.config import OctavConfig
from scalewright.hw.arithmetic.compressor import Compressor

__all__ = ["Magnitude", "add_row", "magnitude_of"]


class Magnitude(data.StructLayout):
    """|x| as the sum of two members, for a compressor to add: no carry goes through a negation.

    Members
    -------
    low : x, or ~x where x is negative; unsigned, sample bits - 1
    one : 1 where x is negative
    """

    def __init__(self, config: OctavConfig):
        super().__init__({"low": unsigned(config.sample_bits - 1), "one": 1})


def magnitude_of(sample):
    """The bits of a signed sample's Magnitude."""
    negative = sample[-1]
    return Cat(sample[:-1] ^ negative.replicate(len(sample) - 1), negative)


def add_row(m, row, limit, outside_sum, outside):
    """Add the magnitudes of a row that are above a limit.

    Parameters
    ----------
    m : the Module that everything is added to
    row : array of Magnitude
    limit : unsigned, sample bits
    outside_sum : the sum of the magnitudes above the limit in the rows before
    outside : their number

    Returns:
    -------
    The new sum and number, of as many bits as those before.
    """
    above = [Signal(name=f"above_{lane}") for lane in range(len(row))]
    for is_above, magnitude in zip(above, row, strict=True):
        # The carry out of low + ~limit + one; the place below carries `one` in.
        difference = Cat(1, magnitude.low) + Cat(magnitude.one, ~limit)
        m.d.comb += is_above.eq(difference[-1])
    sums = Compressor(m, len(outside_sum), name="sum")
    sums.add(outside_sum)
    sums.add_products([magnitude.low for magnitude in row], above)
    sums.add_products([magnitude.one for magnitude in row], above)
    count = Compressor(m, len(outside), name="count")
    count.add(outside)
    for is_above in above:
        count.add(is_above)
    return sums.sum(by_level=True), count.sum(by_level=True)
