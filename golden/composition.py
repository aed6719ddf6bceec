"""Products of wider elements on the datapath as it is: each wide vector is sent as two of digits.

For x = r*h + l with the ratio r of its grid (golden/config/composition.py), q the largest digit:

    signed      h = clip(rne(x / r), -q, q)       r is odd: there are no ties
    unsigned    h = min(floor(x / r), q)
    both        l = x - r*h

h is sent with the scale r*u and l with u, so that for one pair of wide vectors

    x_w . x_a * u_w * u_a = r_w r_a u_w u_a h_w . h_a + r_w u_w u_a h_w . l_a
                          + r_a u_w u_a l_w . h_a     + u_w u_a l_w . l_a

and the four terms are partial sums of golden/mac.py, in this order; two terms where one operand
only is composed, the other one repeated with its own elements and scales. Accumulators are the sums
of x_w . x_a, in units of gamma_w * gamma_a, where they do not saturate: u_w * u_a is 2^sh. No
partial sum of a wide vector, nor the sum of several, is larger than V * R_w * R_a (of two that are
composed): an accumulator that is exact for J vectors is so for J wide vectors.
"""

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from scalewright.golden import argument
from scalewright.golden.config import DatapathConfig, OperandFormat, WideFormat, compose
from scalewright.golden.quantized import Quantized
from scalewright.golden.wide import Wide

# What a matrix product takes.
Operand: TypeAlias = Quantized | Wide

_HIGH, _LOW = 0, 1


def split_digits(
    x: npt.ArrayLike, fmt: WideFormat
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The digits h and l of integers on a wide grid, of the same shape; both from -q (0) to q.

    Raises:
        TypeError: Values that are not integers, or no wide format.
        ValueError: A value outside the grid.
    """
    argument.instance("fmt", fmt, WideFormat)
    values = argument.integers("x", x, fmt.qmin, fmt.qmax)
    q = fmt.digits.qmax
    # floor(x / r + 1/2) is rne(x / r) where r is odd.
    half = fmt.ratio // 2 if fmt.signed else 0
    high = np.clip((values + half) // fmt.ratio, fmt.digits.qmin, q)
    return high, values - fmt.ratio * high


def require_operand(name: str, operand: object) -> Operand:
    """An operand of a matrix product, after checking that it is one.

    Raises:
        TypeError: It is none.
    """
    return operand if isinstance(operand, Wide) else argument.instance(name, operand, Quantized)


def digit_pairs(weights: Operand, activations: Operand) -> int:
    """Vector pairs that stand for one pair of (wide) vectors: 1, 2, or 4 where both are wide.

    Cycles of the MACs and rows of the weight buffer are as many times more.

    Raises:
        TypeError: Something that is no operand.
    """
    operands = require_operand("weights", weights), require_operand("activations", activations)
    return 1 << sum(isinstance(operand, Wide) for operand in operands)


def expand(
    weights: Operand, activations: Operand, config: DatapathConfig
) -> tuple[Quantized, Quantized]:
    """The vectors that the datapath sees, of operands of which one, both or neither is wide.

    Vector j becomes the 2 or 4 vectors from there on: (w, a) = (h, h), (h, l), (l, h), (l, l) where
    both are wide; h and l of the one that is, and the other one twice. Zeros are sent as zeros,
    with the scales of the digits.

    Args:
        weights: Elements (..., J, V).
        activations: Elements (..., J, V).
        config: The datapath.

    Returns:
        Operands with elements (..., D * J, V), D = `digit_pairs`; their `matmul` is the product of
        the wide ones. Each gamma is divided by the unit u of its operand, so that accumulators are
        in units of gamma_w * gamma_a * 2^sh, as always (u is a power of two, and the quotient
        exact, or below the smallest normal float32). Where neither is wide, they are the operands
        as they are.

    Raises:
        TypeError: Operands that are none.
        ValueError: A grid that this datapath does not make, or operands of different length.
    """
    argument.instance("config", config, DatapathConfig)
    operands = require_operand("weights", weights), require_operand("activations", activations)
    if isinstance(weights, Quantized) and isinstance(activations, Quantized):
        return weights, activations
    digits = [_digits_of(operand) for operand in operands]
    grids = compose(config, weights=digits[0], activations=digits[1])
    for name, operand, grid in zip(("weights", "activations"), operands, grids, strict=True):
        if grid is not None and operand.format != grid:
            raise ValueError(f"{name} must be on the grid of {grid}, not {operand.format}")
    for what in ("length", "vector_size"):
        numbers = getattr(weights, what), getattr(activations, what)
        if numbers[0] != numbers[1]:
            raise ValueError(
                f"weights and activations must have the same {what}, "
                f"not {numbers[0]} and {numbers[1]}"
            )
    if digit_pairs(*operands) == 4:
        return (
            _sent(operands[0], (_HIGH, _HIGH, _LOW, _LOW)),
            _sent(operands[1], (_HIGH, _LOW, _HIGH, _LOW)),
        )
    return _sent(operands[0], (_HIGH, _LOW)), _sent(operands[1], (_HIGH, _LOW))


def _digits_of(operand: Operand) -> OperandFormat | None:
    return operand.format.digits if isinstance(operand, Wide) else None


def _sent(operand: Operand, digits: tuple[int, ...]) -> Quantized:
    """An operand with these digits in place of each vector; or, if not wide, as often."""
    if isinstance(operand, Quantized):
        scales = operand.scales
        return Quantized(
            elements=np.repeat(operand.elements, len(digits), axis=-2),
            scales=None if scales is None else np.repeat(scales, len(digits), axis=-1),
            gamma=operand.gamma,
            format=operand.format,
            coarse_axis=operand.coarse_axis,
        )
    fmt = operand.format
    dtype: type[Any] = np.int8 if fmt.signed else np.uint8
    both = [digit.astype(dtype) for digit in split_digits(operand.elements, fmt)]
    elements = np.stack([both[digit] for digit in digits], axis=-2)
    *outer, vectors, _, size = elements.shape
    scales = np.array([fmt.digit_scales[digit] for digit in digits], np.uint16)
    return Quantized(
        elements=elements.reshape(*outer, -1, size),
        scales=np.tile(scales, (*outer, vectors)),
        gamma=np.asarray(operand.gamma / np.float32(fmt.unit)),
        format=fmt.digits,
        coarse_axis=operand.coarse_axis,
    )
