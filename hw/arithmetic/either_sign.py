"""Sums of products in which a flag says whether the numbers of one side are signed.

Signed or not, a number has the same bits, and only the highest one counts -2^(n-1) or 2^(n-1). So

    sum of left * right = sum of left * (right without its highest bit)
                          + 2^(n-1) * (-T if signed else T),   T = sum of left * highest bit

T has one bit of a product in each place of a left number. A compressor of its own reduces T + O to
a few bits in each column; O, an offset, makes it never negative, so that no carry leaves the top.
Negating is complementing bits, as -b = ~b - 1: it takes an exclusive or for each of these few, and
a constant that counts for signed ones only.
"""

from amaranth.hdl import Cat

from scalewright.hw.arithmetic.compressor import Compressor

__all__ = ["add_products_of_either_sign", "signed_digits"]

# Bits that are left of T + O in a column with products, and in one above, where there are carries
# only. Fewer make the way longer (2 and 2: 4 % at V = 16), more take more exclusive ors.
_HEIGHT, _HEIGHT_ABOVE = 3, 2


def add_products_of_either_sign(m, compressor, lefts, rights, is_signed, *, name):
    """Add the products of pairs of numbers to a Compressor.

    The exclusive ors come one level of full adders after what they take.

    Parameters
    ----------
    m : the Module that everything is added to
    compressor : what the products are added to
    lefts : signed numbers of one shape
    rights : unsigned signals of one shape, n bits: the bits of the numbers
    is_signed : 1 bit, the right numbers are signed
    name : what signals are called after
    """
    top = len(rights[0]) - 1
    compressor.add_products(lefts, [right[:top] for right in rights])

    left_bits, carry_bits = len(lefts[0]), (len(lefts) - 1).bit_length()
    offset = len(lefts) << (left_bits - 1)
    highest = Compressor(m, left_bits + carry_bits, name=f"{name}_highest")
    highest.add_products(lefts, [right[top] for right in rights])
    highest.add_constant(offset)  # what the complements of the signs take away
    heights = [_HEIGHT] * left_bits + [_HEIGHT_ABOVE] * carry_bits
    complements = 0
    for position, column in enumerate(highest.columns(heights)):
        for time, bits in column:
            flags = is_signed.replicate(len(bits))
            compressor.add_column(bits ^ flags, top + position, time=time + 1)
            complements += len(bits) << position
    compressor.add_constant(-offset << top)
    for position, digit in enumerate(signed_digits(2 * offset - complements)):
        if digit:
            compressor.add_column(Cat(is_signed), top + position, negative=digit < 0)


def signed_digits(number):
    """Digits -1, 0 and 1 of a number, from the lowest, of which the fewest are not 0."""
    digits = []
    while number:
        # Of odd numbers, the digit after which the rest is a multiple of 4.
        digit = 2 - number % 4 if number % 2 else 0
        digits.append(digit)
        number = (number - digit) // 2
    return digits
