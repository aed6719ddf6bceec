"""Sums of many bits: compressor trees of full adders, and one carry-propagate adder at the end."""

from collections import defaultdict

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from scalewright.hw.primitives.shared import shared

__all__ = ["Compressor", "FullAdders", "add_rows"]


class FullAdders(wiring.Component):
    """Add three bits in each of `size` places: `a + b + c == sum + 2 * carry`. Combinational.

    In Verilog it is a module of its own, `<top>_sub_full_adders_<size>`: a flow can map it onto the
    full adders of its cells, or flatten it like anything else.
    """

    def __init__(self, size):
        self.identity = (size,)
        super().__init__(
            {
                **{name: In(size) for name in ("a", "b", "c")},
                **{name: Out(size) for name in ("sum", "carry")},
            }
        )

    @property
    def verilog_name(self):
        return f"full_adders_{len(self.a)}"

    @shared
    def elaborate(self, platform):
        m = Module()
        half = Signal.like(self.a)
        m.d.comb += [
            half.eq(self.a ^ self.b),
            self.sum.eq(half ^ self.c),
            self.carry.eq((self.a & self.b) | (half & self.c)),
        ]
        return m


class Compressor:
    """The sum of bits of different weights, modulo 2^width.

    Terms are gathered first: numbers, and products as their partial products. Negative bits enter
    as their complement with a constant, and all constants as one (Baugh and Wooley, IEEE Trans.
    Computers C-22, 1973, for a sum of products). Then each column of bits of one weight is reduced
    to two bits by full adders, no more of them than bits to get rid of. There are two orders:

    - column by column from the lowest, where adders take those bits first that come first
      (Oklobdzija et al., IEEE Trans. Computers 45(3), 1996): inputs come together, which makes few
      glitches, but carries may go through every column;
    - level by level, in all columns, to heights of ..., 9, 6, 4, 3, 2 (Dadda, Alta Frequenza 34,
      1965): the fewest levels, with some half adders. Where there are more columns than bits in
      each, as in a product of two numbers, that is much faster.

    Time counts in levels of full adders. (Carries come earlier than sums. To reckon with that
    saves 3 % of energy, and makes so many small groups that simulators take twice as long.)

    Parameters
    ----------
    m : the Module that everything is added to
    width : bits of the sum
    name : what its signals are called after
    """

    def __init__(self, m, width, *, name):
        self._m = m
        self._name = name
        # Of each column, vectors of bits by the time at which they come.
        self._columns = [defaultdict(list) for _ in range(width)]
        self._constant = 0

    @property
    def width(self):
        """Bits of the sum."""
        return len(self._columns)

    def add_constant(self, value):
        """Add an integer."""
        self._constant += value

    def add(self, number):
        """Add a number, signed or not."""
        bits = self._wire(number, "number")
        for position, bit in enumerate(bits):
            self.add_column(bit, position, negative=_is_sign(number, position))

    def add_products(self, lefts, rights):
        """Add the products of pairs of numbers of one shape on either side, signed or not."""
        left, right = lefts[0], rights[0]
        # Bits of one weight in one vector: few and wide operations, as a simulator likes them.
        left_bits = [self._wire(Cat(x[i] for x in lefts), "left") for i in range(len(left))]
        right_bits = [self._wire(Cat(x[j] for x in rights), "right") for j in range(len(right))]
        for i, these in enumerate(left_bits):
            for j, those in enumerate(right_bits):
                negative = _is_sign(left, i) != _is_sign(right, j)
                self.add_column(these & those, i + j, negative=negative)

    def columns(self, heights):
        """Reduce each column to its height in bits, from the lowest; the terms are used up.

        Returns:
        -------
        Columns from the lowest, each of pairs: a time, and the bits that come then.
        """
        return [self._reduce(position, height) for position, height in enumerate(heights)]

    def rows(self, *, by_level=False):
        """Reduce to two numbers whose sum is that of the terms; the terms are used up.

        Parameters
        ----------
        by_level : reduce all columns level by level, instead of one column after the other

        Returns:
        -------
        Columns from the lowest: when it has come, and its bits, at most two.
        """
        rows = self._reduce_levels() if by_level else self.columns([2] * self.width)
        return [(max((time for time, _ in row), default=0), Cat(*_bits(row))) for row in rows]

    def sum(self, *, by_level=False, until=0):
        """The sum, `width` bits, see `rows` and `add_rows`; the terms are used up."""
        return add_rows(self._m, self.rows(by_level=by_level), name=self._name, until=until)

    def add_column(self, bits, position, *, negative=False, time=0):
        """Add bits of weight 2^position that come at a time, or subtract them."""
        if position >= len(self._columns):
            return
        if negative:
            # -b = ~b - 1
            self._constant -= len(bits) << position
            bits = ~bits
        self._columns[position][time].append(self._wire(bits, f"bits_{position}"))

    def _take_column(self, position):
        """The bits of a column with the times at which they come, and its constant, 0 or 1."""
        column = [(time, Cat(*bits)) for time, bits in self._columns[position].items()]
        self._columns[position].clear()
        return column, (self._constant >> position) & 1

    def _reduce(self, position, height):
        """Reduce a column to so many bits, and send the carries to the next."""
        column, one = self._take_column(position)
        while (surplus := _size(column) + one - height) > 0:
            time, total, carry = self._add_first(column, one, surplus)
            one = 0
            column.append((time, total))
            self.add_column(carry, position + 1, time=time)
        return column + [(0, Const(1))] * one

    def _reduce_levels(self):
        """Reduce all columns to two bits, level by level; no level adds what comes in it."""
        columns, ones = map(list, zip(*map(self._take_column, range(self.width)), strict=True))
        heights = [2]
        while heights[-1] <= max(map(_size, columns)):
            heights.append(heights[-1] * 3 // 2)
        for height in reversed(heights):
            new = [[] for _ in range(self.width + 1)]
            for position, column in enumerate(columns):
                while (surplus := _size(column + new[position]) + ones[position] - height) > 0:
                    time, total, carry = self._add_first(column, ones[position], surplus)
                    ones[position] = 0
                    new[position].append((time, total))
                    new[position + 1].append((time, self._wire(carry, "carry")))
            columns = [column + late for column, late in zip(columns, new, strict=False)]
        return [column + [(0, Const(1))] * one for column, one in zip(columns, ones, strict=True)]

    def _add_first(self, column, one, surplus):
        """Add the first bits of a column, and the constant; when, and the sums and carries."""
        column.sort(key=lambda entry: entry[0])
        size = _size(column)
        if one and size == 1:
            time, bits = _take(column, 1)
            return time, ~bits, bits
        if one or size == 2:
            time, bits = _take(column, 2)
            if one:
                return time + 1, self._wire(~bits.xor(), "odd"), bits.any()
            return time + 1, self._wire(bits.xor(), "half"), bits.all()
        count = min(len(column[0][1]) // 3, -(-surplus // 2)) or 1
        time, bits = _take(column, 3 * count)
        thirds = (bits[at * count : (at + 1) * count] for at in range(3))
        return time + 1, *add_bits(self._m, *thirds)

    def _wire(self, value, name):
        wire = Signal(len(value), name=f"{self._name}_{name}")
        self._m.d.comb += wire.eq(value)
        return wire


def _bits(column):
    return [bits for _, bits in column]


def _size(column):
    return sum(map(len, _bits(column)))


def _take(column, count):
    """Take the first bits out of a sorted column; when they have all come, and they."""
    taken = []
    while count:
        time, bits = column.pop(0)
        taken.append(bits[:count])
        if len(bits) > count:
            column.insert(0, (time, bits[count:]))
        count -= len(taken[-1])
    return time, Cat(*taken)


def add_bits(m, a, b, c):
    """Sums and carries of three vectors of bits."""
    m.submodules += (adders := FullAdders(len(a)))
    m.d.comb += [adders.a.eq(a), adders.b.eq(b), adders.c.eq(c)]
    return adders.sum, adders.carry


def add_rows(m, rows, *, name, until=0):
    """Add the two numbers that a compressor reduces to, as many bits as there are columns.

    Low columns come early: there the carry ripples, until the last bits have come, and until the
    time `until` where there is so much. The rest is left to the best adder of the synthesis tool.
    """
    until = max(until, *(time for time, _ in rows))
    low, carry, carry_time = [], Cat(), 0
    while len(low) < len(rows) and carry_time < until:
        time, column = rows[len(low)]
        bits = Cat(column, carry)
        if len(bits) == 3:
            total, carry = add_bits(m, *bits)
        else:
            total, carry = bits.xor(), bits.all() if len(bits) == 2 else Cat()
        carry_time = max(time, carry_time) + 1
        low.append(total)
    high = [column for _, column in rows[len(low) :]]
    if not high:
        return Cat(*low)
    left, right = (
        Cat(*(column[row] if row < len(column) else Const(0) for column in high)) for row in (0, 1)
    )
    result = Signal(len(high), name=f"{name}_high")
    m.d.comb += result.eq(left + right + carry)
    return Cat(*low, result)


def _is_sign(number, position):
    return number.shape().signed and position == len(number) - 1
