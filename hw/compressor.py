"""Sums of many bits: compressor trees of full adders, and one carry-propagate adder at the end."""

from collections import defaultdict

from amaranth.hdl import Cat, Const, Instance, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Compressor", "FullAdders", "add_rows"]

_MODULE = "full_adders_"


class FullAdders(wiring.Component):
    """Add three bits in each of `size` places: `a + b + c == sum + 2 * carry`. Combinational.

    Compressors instantiate it by name, `full_adders_<size>`, and the Verilog defines it once: a
    flow can map it onto the full adders of its cells, or flatten it like anything else.
    """

    def __init__(self, size):
        super().__init__(
            {
                **{name: In(size) for name in ("a", "b", "c")},
                **{name: Out(size) for name in ("sum", "carry")},
            }
        )

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
    Computers C-22, 1973, for a sum of products). Then each column of bits of one weight, from the
    lowest, is reduced to two bits by full adders that take those first that come first (Oklobdzija
    et al., IEEE Trans. Computers 45(3), 1996): no more full adders than bits to get rid of, and
    inputs that come together, which makes few glitches. Time counts in levels of full adders.
    (Carries come earlier than sums. To reckon with that saves 3 % of energy, and makes so many
    small groups that simulators take twice as long.)

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
        for position, bit in enumerate(number):
            self._add_bits(bit, position, negative=_is_sign(number, position))

    def add_products(self, lefts, rights):
        """Add the products of pairs of numbers of one shape on either side, signed or not."""
        left, right = lefts[0], rights[0]
        # Bits of one weight in one vector: few and wide operations, as a simulator likes them.
        left_bits = [self._wire(Cat(x[i] for x in lefts), "left") for i in range(len(left))]
        right_bits = [self._wire(Cat(x[j] for x in rights), "right") for j in range(len(right))]
        for i, these in enumerate(left_bits):
            for j, those in enumerate(right_bits):
                negative = _is_sign(left, i) != _is_sign(right, j)
                self._add_bits(these & those, i + j, negative=negative)

    def rows(self):
        """Reduce to two numbers whose sum is that of the terms; the terms are used up.

        Returns:
        -------
        Columns from the lowest: when it has come, and its bits, at most two.
        """
        return [self._reduce(position) for position in range(len(self._columns))]

    def sum(self, *, until=0):
        """The sum, `width` bits, see `add_rows`; the terms are used up."""
        return add_rows(self._m, self.rows(), name=self._name, until=until)

    def _add_bits(self, bits, position, *, negative=False, time=0):
        """Add bits of weight 2^position, or subtract them."""
        if position >= len(self._columns):
            return
        if negative:
            # -b = ~b - 1
            self._constant -= len(bits) << position
            bits = ~bits
        self._columns[position][time].append(self._wire(bits, f"bits_{position}"))

    def _reduce(self, position):
        """Reduce a column to two bits, and send the carries to the next."""
        column = [(time, Cat(*bits)) for time, bits in self._columns[position].items()]
        one = (self._constant >> position) & 1
        while (surplus := sum(len(bits) for _, bits in column) + one - 2) > 0:
            column.sort(key=lambda entry: entry[0])
            if one:
                # a + b + 1, the earliest two
                time, bits = _take(column, 2)
                one = 0
                total, carry = self._wire(~bits.xor(), "odd"), bits.any()
            else:
                count = min(len(column[0][1]) // 3, -(-surplus // 2)) or 1
                time, bits = _take(column, 3 * count)
                total, carry = add_bits(
                    self._m, *(bits[at * count : (at + 1) * count] for at in range(3))
                )
            column.append((time + 1, total))
            self._add_bits(carry, position + 1, time=time + 1)
        late = max((time for time, _ in column), default=0)
        return late, Cat(*(bits for _, bits in column), *[Const(1)] * one)

    def _wire(self, value, name):
        wire = Signal(len(value), name=f"{self._name}_{name}")
        self._m.d.comb += wire.eq(value)
        return wire


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
    total, carry = Signal(len(a), name="sum"), Signal(len(a), name="carry")
    m.submodules += Instance(f"{_MODULE}{len(a)}", i_a=a, i_b=b, i_c=c, o_sum=total, o_carry=carry)
    return total, carry


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
