"""Two-level quantization of tensors: integer elements, integer per-vector scales, coarse scales.

For one vector x of V consecutive elements along the last axis (the reduction axis), in a coarse
group that shares one gamma (VS-Quant, Dai et al., MLSys 2021, Eq. 7, with the choices below):

    s      = max|x| / qmax                            per-vector scale
    gamma  = max over the group of s / (2^M - 1)      coarse scale
    s_q    = R(s / gamma)                             M-bit integer, R as `Scaling` says
    x_q    = clip(rne(x / (s_q * gamma)), qmin, qmax)
    x_hat  = x_q * (s_q * gamma)

Everything is float32 with each operation correctly rounded, in the order written; `rne` rounds
half to even. A scale is always a multiplier. What the equations leave open:

- Unsigned formats take max over max(x, 0), and negative input clips to 0.
- An all-zero vector has s_q = 0 and x_q = 0; any other has s_q >= 1 (except in paper mode).
- s_q never exceeds 2^M - 1, although s / gamma may round to a little more.
- Where gamma underflows to 0, its whole group is 0.
- A tail shorter than V is padded with zeros.
- Within a few units in the last place of the largest float32, s_q * gamma or x_hat may round to
  infinity; then so be it, as in ONNX Runtime (x / inf = 0).
- Without a per-vector scale, gamma = max|x| over the group / qmax and x_q = clip(rne(x / gamma)).
"""

import enum
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from scalewright.golden import argument
from scalewright.golden.config import (
    VECTOR_SIZES,
    Format,
    OperandFormat,
    WideFormat,
    require_format,
)
from scalewright.golden.quantized import Floats, Quantized, along_axis

# Elements of one block: its temporaries fit in a level-2 cache (0.5 MB of float32).
_BLOCK_ELEMENTS = 1 << 17


class Scaling(enum.Enum):
    """How s / gamma becomes the integer scale s_q, and which scale the elements are divided by."""

    NEAREST = "nearest"  #: s_q = max(rne(s / gamma), 1); elements against the rounded scale
    CEIL = "ceil"  #: s_q = ceil(s / gamma): no element clips; elements against the rounded scale
    PAPER = "paper"  #: Eq. 7 to the letter: s_q = rne(s / gamma), may be 0; x_q against s


def quantize(
    x: npt.ArrayLike,
    fmt: OperandFormat,
    *,
    vector_size: int,
    coarse_axis: int | None = None,
    threshold: npt.ArrayLike | None = None,
    scaling: Scaling = Scaling.NEAREST,
) -> Quantized:
    """Quantize a tensor; see the module's equations.

    Args:
        x: (..., K) real values. float16 and bfloat16 are widened exactly, float64 and integers
            are rounded to float32.
        fmt: Format of the result.
        vector_size: Elements V of one vector: 4, 8, 16, 32 or 64.
        coarse_axis: Axis along which gamma varies (0 for the output channels of a weight matrix),
            not the last one; None for one gamma in all.
        threshold: Clipping threshold in place of max|x|, finite and not negative; broadcast
            against (..., J): a number, or (M, 1) for one per row, or (M, J) for one per vector.
        scaling: How the per-vector scales are rounded.

    Raises:
        TypeError: Values that are not real numbers.
        ValueError: NaN or infinity (how many, and where the first is), an empty tensor, a
            parameter out of range.
    """
    argument.instance("fmt", fmt, OperandFormat)
    argument.instance("scaling", scaling, Scaling)
    integers = quantize_integers(x, fmt, vector_size, coarse_axis, threshold, scaling)
    return Quantized(**vars(integers), format=fmt)


@dataclass(frozen=True, eq=False)
class Integers:
    """What a tensor becomes, of whatever format; the attributes are those of `Quantized`."""

    elements: npt.NDArray[Any]
    scales: npt.NDArray[np.uint16] | None
    gamma: Floats
    length: int
    coarse_axis: int | None


def quantize_integers(
    x: npt.ArrayLike,
    fmt: Format,
    vector_size: int,
    coarse_axis: int | None,
    threshold: npt.ArrayLike | None,
    scaling: Scaling,
) -> Integers:
    """Quantize a tensor to any format; see `quantize`."""
    values = as_float32(x)
    require_format(fmt)
    if coarse_axis is not None:
        axes = [axis for axis in range(-values.ndim, values.ndim - 1) if axis != -1]
        before_last = f"an axis of {values.shape} before the last"
        coarse_axis = argument.integer("coarse_axis", coarse_axis, axes, before_last) % values.ndim
    length = values.shape[-1]
    vectors = split_vectors(values, vector_size)
    peak = _vector_peak(vectors, fmt.signed).reshape(*values.shape[:-1], -1)
    if not np.isfinite(peak).all():
        _raise_not_finite(values)
    if fmt.signed is False:
        np.maximum(peak, np.float32(0), out=peak)

    limit = peak if threshold is None else _as_threshold(threshold, peak.shape)
    group_axes = tuple(axis for axis in range(peak.ndim) if axis != coarse_axis)
    # Slightly beyond the range of float32 a quotient is infinite, and clips as it should.
    with np.errstate(over="ignore", under="ignore", divide="ignore", invalid="ignore"):
        scale = limit / np.float32(fmt.qmax)
        gamma = scale.max(axis=group_axes)
        if fmt.scale_bits is None:
            scales = None
            divisor = np.broadcast_to(along_axis(gamma, coarse_axis, peak.ndim), peak.shape)
        else:
            gamma = gamma / np.float32(fmt.scale_max)
            broadcast_gamma = along_axis(gamma, coarse_axis, peak.ndim)
            rounded = _round_scale(scale / broadcast_gamma, scaling, fmt.scale_max)
            rounded[(peak == 0) | (broadcast_gamma == 0)] = 0
            scales = rounded.astype(np.uint16)
            divisor = scale if scaling is Scaling.PAPER else rounded * broadcast_gamma
            divisor = np.where((broadcast_gamma == 0) | (peak == 0), np.float32(0), divisor)
        # x / inf = 0: what has no scale has no elements.
        divisor = np.where(divisor == 0, np.float32(np.inf), divisor)
        elements = _divide(vectors, divisor.reshape(-1), fmt)
    return Integers(
        elements=elements.reshape(*peak.shape, vector_size),
        scales=scales,
        gamma=np.asarray(gamma, np.float32),
        length=length,
        coarse_axis=coarse_axis,
    )


def as_finite_float32(x: npt.ArrayLike) -> Floats:
    """A tensor as a contiguous float32 array, after checking that it is one, and finite.

    Raises:
        TypeError, ValueError: As `quantize` does.
    """
    values = as_float32(x)
    if not np.isfinite(values).all():
        _raise_not_finite(values)
    return values


def as_float32(x: npt.ArrayLike) -> Floats:
    """A tensor as a contiguous float32 array, after checking that it is one.

    Raises:
        TypeError: Values that are not real numbers.
        ValueError: No axis or no element.
    """
    values = np.asarray(x)
    kind = values.dtype.kind
    # ml_dtypes' bfloat16 and float8 are of kind V, and know how they widen.
    if kind not in "fiu" and not (kind == "V" and np.can_cast(values.dtype, np.float32)):
        raise TypeError(f"a tensor must have real numbers, not dtype {values.dtype}")
    if values.ndim == 0 or values.size == 0:
        raise ValueError(f"a tensor must have at least one axis and one element: {values.shape}")
    with np.errstate(over="ignore"):  # a float64 beyond float32 becomes infinite: reported as such
        return np.ascontiguousarray(values, dtype=np.float32)


def _as_threshold(threshold: npt.ArrayLike, shape: tuple[int, ...]) -> Floats:
    limit = argument.not_negative("threshold", threshold, np.float32)
    try:
        return np.broadcast_to(limit, shape)
    except ValueError:
        raise ValueError(f"threshold must broadcast to {shape}, not {limit.shape}") from None


def split_vectors(values: Floats, vector_size: int) -> Floats:
    """View (..., K) as (T, V), zero-padded where V does not divide K.

    Raises:
        TypeError, ValueError: A vector size that no datapath has.
    """
    argument.integer("vector_size", vector_size, VECTOR_SIZES, f"one of {VECTOR_SIZES}")
    padding = -values.shape[-1] % vector_size
    if padding:
        values = np.pad(values, [(0, 0)] * (values.ndim - 1) + [(0, padding)])
    return values.reshape(-1, vector_size)


def _blocks(vectors: Floats) -> list[slice]:
    rows = max(1, _BLOCK_ELEMENTS // vectors.shape[1])
    return [slice(start, start + rows) for start in range(0, len(vectors), rows)]


def _vector_peak(vectors: Floats, signed: bool) -> Floats:
    """Largest |x| (signed) or x (unsigned) of each vector; not finite where the vector is not."""
    peak = np.empty(len(vectors), np.float32)
    with np.errstate(invalid="ignore"):
        for block in _blocks(vectors):
            # Transposed, so that the reduction runs over long contiguous rows; always a copy.
            columns = vectors[block].T.copy()
            if signed:
                np.maximum.reduce(np.abs(columns, out=columns), axis=0, out=peak[block])
            else:
                np.maximum.reduce(columns, axis=0, out=peak[block])
                lowest = np.minimum.reduce(columns, axis=0)
                peak[block][lowest == -np.inf] = np.inf
    return peak


def _round_scale(ratio: Floats, scaling: Scaling, scale_max: int) -> Floats:
    rounded = np.ceil(ratio) if scaling is Scaling.CEIL else np.rint(ratio)
    smallest = 0 if scaling is Scaling.PAPER else 1
    return np.clip(rounded, np.float32(smallest), np.float32(scale_max), out=rounded)


def _divide(vectors: Floats, divisor: Floats, fmt: Format) -> npt.NDArray[Any]:
    narrow = np.int8 if fmt.signed else np.uint8
    elements = np.empty(vectors.shape, np.int32 if isinstance(fmt, WideFormat) else narrow)
    for block in _blocks(vectors):
        quotient = np.repeat(divisor[block], vectors.shape[1]).reshape(-1, vectors.shape[1])
        np.divide(vectors[block], quotient, out=quotient)
        np.rint(quotient, out=quotient)
        np.clip(quotient, np.float32(fmt.qmin), np.float32(fmt.qmax), out=quotient)
        elements[block] = quotient
    return elements


def _raise_not_finite(values: Floats) -> None:
    finite = np.isfinite(values)
    first = np.unravel_index(int(finite.argmin()), values.shape)
    where = ", ".join(str(index) for index in first)
    raise ValueError(
        f"a tensor must be finite in float32, but {values.size - np.count_nonzero(finite)} of "
        f"{values.size} elements are NaN or infinite, the first at [{where}]: {values[first]}"
    )
