"""Dynamic per-vector quantization of outputs: y becomes the next layer's elements and scales.

y is integer with f fraction bits, in units of the next layer's gamma (Keller et al., JSSC 2023: the
post-processing unit). For each vector, as exact rationals,

    s_q = min(ceil(max|y| / (qmax * 2^f)), 2^M - 1)     max(y, 0) instead of |y| where unsigned
    x_q = clip(rne(y / (s_q * 2^f)), qmin, qmax)         0 where s_q = 0

Without per-vector scales s_q is 1, and absent. `quantize_statically` does the same to real
numbers, in units of gamma: to a network's input, and to what comes from a host's operators.
"""

import numpy as np
import numpy.typing as npt

from scalewright.golden import argument
from scalewright.golden.config import OUTPUT_FRACTION_BITS, VECTOR_SIZES, OperandFormat
from scalewright.golden.quantize import as_finite_float32, split_vectors
from scalewright.golden.quantized import Quantized

# 2 |y| + s_q * 2^f, at most 2^39, is far from the end of 64 bits.
_Y_LIMIT = 1 << 31


def requantize(
    y: npt.ArrayLike,
    fmt: OperandFormat,
    *,
    vector_size: int,
    fraction_bits: int,
    gamma: float = 1.0,
) -> Quantized:
    """Quantize integers (..., K); a tail shorter than V is padded with zeros.

    Args:
        y: Signed integers of at most 32 bits.
        fmt: Format of the result.
        vector_size: Elements V of one vector: 4, 8, 16, 32 or 64.
        fraction_bits: f, 0 to 23.
        gamma: The next layer's coarse scale, static; it goes to the result as it is.

    Raises:
        TypeError: Values that are not integers.
        ValueError: An empty tensor, or a parameter out of range.
    """
    values = argument.integers("y", y, -_Y_LIMIT, _Y_LIMIT - 1)
    if values.ndim == 0 or values.size == 0:
        raise ValueError(f"y must have at least one axis and one element: {values.shape}")
    argument.instance("fmt", fmt, OperandFormat)
    argument.integer("vector_size", vector_size, VECTOR_SIZES, f"one of {VECTOR_SIZES}")
    fractions = f"from {OUTPUT_FRACTION_BITS[0]} to {OUTPUT_FRACTION_BITS[-1]}"
    argument.integer("fraction_bits", fraction_bits, OUTPUT_FRACTION_BITS, fractions)
    argument.real("gamma", gamma)
    length = values.shape[-1]
    padding = [(0, 0)] * (values.ndim - 1) + [(0, -length % vector_size)]
    vectors = np.pad(values, padding)
    vectors = vectors.reshape(*values.shape[:-1], -1, vector_size)
    scales = np.ones(vectors.shape[:-1], np.int64)
    if fmt.scale_bits is not None:
        peak = np.abs(vectors).max(axis=-1) if fmt.signed else vectors.max(axis=-1).clip(min=0)
        scales = np.minimum(-(-peak // (fmt.qmax << fraction_bits)), fmt.scale_max)
    divisor = np.maximum(scales, 1)[..., None] << fraction_bits
    elements = np.where(scales[..., None] == 0, 0, _divide_half_even(vectors, divisor))
    elements = np.clip(elements, fmt.qmin, fmt.qmax)
    return Quantized(
        elements=elements.astype(np.int8 if fmt.signed else np.uint8),
        scales=None if fmt.scale_bits is None else scales.astype(np.uint16),
        gamma=np.asarray(gamma, np.float32),
        format=fmt,
        length=length,
    )


def quantize_statically(
    x: npt.ArrayLike, fmt: OperandFormat, *, vector_size: int, gamma: float
) -> Quantized:
    """Quantize real numbers (..., K) with a coarse scale that is known beforehand, in float32.

        s_q = min(ceil(max|x| / (qmax * gamma)), 2^M - 1)     max(x, 0) instead of |x| if unsigned
        x_q = clip(rne(x / (s_q * gamma)), qmin, qmax)         0 where s_q = 0

    Unlike in `scalewright.golden.quantize`, gamma does not come from x, and scales round up.

    Args:
        x: Real numbers.
        fmt: Format of the result.
        vector_size: Elements V of one vector.
        gamma: Coarse scale, positive.

    Raises:
        TypeError, ValueError: As `golden.quantize.quantize` does; a gamma that is not positive.
    """
    values = as_finite_float32(x)
    argument.instance("fmt", fmt, OperandFormat)
    with np.errstate(over="ignore"):
        unit = np.float32(argument.real("gamma", gamma))
    if not (np.isfinite(unit) and unit > 0):
        raise ValueError(f"gamma must be positive and finite in float32, not {gamma}")
    vectors = split_vectors(values, vector_size)
    scales = np.ones(len(vectors), np.float32)
    if fmt.scale_bits is not None:
        peak = np.abs(vectors).max(axis=-1) if fmt.signed else vectors.max(axis=-1).clip(min=0)
        steps = np.ceil(peak / (np.float32(fmt.qmax) * unit))
        scales = np.minimum(steps, np.float32(fmt.scale_max))
    divisor = np.where(scales == 0, np.float32(1), scales * unit)[:, None]
    elements = np.clip(np.rint(vectors / divisor), np.float32(fmt.qmin), np.float32(fmt.qmax))
    elements[scales == 0] = 0
    shape = (*values.shape[:-1], -1)
    return Quantized(
        elements=elements.astype(np.int8 if fmt.signed else np.uint8).reshape(*shape, vector_size),
        scales=None if fmt.scale_bits is None else scales.astype(np.uint16).reshape(shape),
        gamma=np.asarray(unit),
        format=fmt,
        length=values.shape[-1],
    )


def _divide_half_even(
    dividend: npt.NDArray[np.int64], divisor: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """rne(dividend / divisor) for positive divisors."""
    quotient, rest = np.divmod(2 * dividend + divisor, 2 * divisor)
    # Half up so far: at a tie an odd quotient is one too large.
    rounded: npt.NDArray[np.int64] = quotient - ((rest == 0) & (quotient & 1 == 1))
    return rounded
