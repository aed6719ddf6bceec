"""The vector MAC: dot products of quantized vectors, rescaled and accumulated in integers.

One vector pair contributes, and one accumulator gathers (VS-Quant, Dai et al., MLSys 2021; the
order of rounding and saturation is that of the 5 nm chip, Keller et al., JSSC 2023):

    dot   = sum over i < V of w_q[i] * a_q[i]
    sp    = sw * sa              1 where neither operand has a scale, the one scale where one has
    sp'   = round_P(sp)          min((sp + 2^(sh-1)) >> sh, 2^P - 1) with sh = ws + as - P > 0
    psum  = dot * sp'
    acc   = sat_C(acc + psum)    after every vector, in arrival order

Where activations are of either sign, a flag of each vector pair says which its a_q are, and nothing
else depends on it. Saturation sets a flag that stays with the result. All of it is exact: where
floats are used, for the speed of their matrix products, every value is an integer that they hold
exactly.
"""

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from scalewright.golden import argument
from scalewright.golden.config import DatapathConfig, OperandFormat
from scalewright.golden.quantized import Quantized
from scalewright.golden.stepwise import accumulate

Integers: TypeAlias = npt.NDArray[np.int64]
Flags: TypeAlias = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False, kw_only=True)
class MacResult:
    """Accumulators and whether each saturated on its way.

    Attributes:
        accumulators: (N, M) int64, in units of gamma_w * gamma_a * 2^sh.
        saturated: (N, M) bool.
    """

    accumulators: Integers
    saturated: Flags


@dataclass(frozen=True, eq=False, kw_only=True)
class StreamTrace:
    """Every intermediate value of a stream of T vector pairs, each (T,).

    Attributes:
        dot: Dot products.
        scale_product: Rounded scale products sp'.
        partial_sum: dot * sp'.
        accumulator: The accumulator after each vector.
        saturated: Whether it has saturated since the last `first`.
    """

    dot: Integers
    scale_product: Integers
    partial_sum: Integers
    accumulator: Integers
    saturated: Flags


def round_scale_product(product: npt.ArrayLike, config: DatapathConfig) -> Integers:
    """Round integer scale products of ws + as bits to P bits, half up, saturating at 2^P - 1.

    Raises:
        TypeError, ValueError: Products that are not integers of ws + as bits.
    """
    argument.instance("config", config, DatapathConfig)
    largest_product = max(1, (1 << config.full_scale_product_bits) - 1)
    return _round_scale_product(argument.integers("product", product, 0, largest_product), config)


def _round_scale_product(exact: Integers, config: DatapathConfig) -> Integers:
    shift = config.scale_product_shift
    if shift == 0:
        return exact
    largest = (1 << config.rounded_scale_product_bits) - 1
    rounded: Integers = np.minimum((exact + (1 << (shift - 1))) >> shift, largest)
    return rounded


def matmul(weights: Quantized, activations: Quantized, config: DatapathConfig) -> MacResult:
    """Multiply quantized activations (N, K) with quantized weights (M, K), as the MAC does it.

    Args:
        weights: Elements (M, J, V) and, where the notation has them, scales (M, J).
        activations: Elements (N, J, V) and scales (N, J); of either of the formats that the
            datapath takes.
        config: The datapath.

    Returns:
        Accumulators and flags (N, M): each the sum over J vectors, in order, from 0.

    Raises:
        TypeError: Operands that are not `Quantized`.
        ValueError: Operands whose format, vector size or reduction length do not fit.
    """
    _check_operands(weights, activations, config)
    if config.scale_product_shift == 0:
        w, a = _scaled(weights), _scaled(activations)
        # Cauchy-Schwarz: no sum of any subset of the products, in any order, exceeds this.
        bound = _largest_norm(w) * _largest_norm(a)
        if bound <= config.accumulator_max:
            if bound >= 1 << 24:
                w, a = w.astype(np.float64), a.astype(np.float64)
            sums = a @ w.T
            return MacResult(
                accumulators=sums.astype(np.int64), saturated=np.zeros(sums.shape, np.bool_)
            )
    accumulators, saturated = accumulate(weights, activations, config)
    return MacResult(accumulators=accumulators, saturated=saturated)


def trace_stream(
    *,
    weights: npt.ArrayLike,
    activations: npt.ArrayLike,
    first: npt.ArrayLike,
    last: npt.ArrayLike,
    config: DatapathConfig,
    weight_scale: npt.ArrayLike | None = None,
    activation_scale: npt.ArrayLike | None = None,
    activation_signed: npt.ArrayLike | None = None,
) -> tuple[MacResult, StreamTrace]:
    """Run a stream of T vector pairs, in arrival order, as the hardware sees them.

    Args:
        weights: (T, V) integer elements.
        activations: (T, V) integer elements: numbers, not bit patterns, where they are of either
            sign.
        first: (T,) flags: the accumulator starts from 0 with this vector. It also does so before
            the first vector of all; a `first` before any `last` drops what was gathered.
        last: (T,) flags: the accumulator is a result after this vector. Without a `first` to
            follow, accumulation goes on.
        config: The datapath.
        weight_scale: (T,) integers; None where the notation has no scale.
        activation_scale: (T,) integers; None where the notation has no scale.
        activation_signed: (T,) flags: these activations are signed; None unless they are of either
            sign.

    Returns:
        The results, (R,) for R flags `last`, and everything on the way to them.

    Raises:
        TypeError: Values that are not integers, or flags that are none.
        ValueError: Shapes that do not fit, or a value outside its format.
    """
    argument.instance("config", config, DatapathConfig)
    w = _elements("weights", weights, config.weights)
    a = _activations(activations, activation_signed, config)
    starts = argument.flags("first", first).copy()
    ends = argument.flags("last", last)
    if starts.ndim != 1 or starts.shape != ends.shape:
        raise ValueError(f"first and last must be (T,), not {starts.shape} and {ends.shape}")
    if w.shape != a.shape or w.shape != (len(starts), config.vector_size):
        raise ValueError(
            f"weights and activations must be ({len(starts)}, {config.vector_size}), "
            f"not {w.shape} and {a.shape}"
        )
    product = np.ones(len(w), np.int64)
    for name, scale, fmt in (
        ("weight_scale", weight_scale, config.weights),
        ("activation_scale", activation_scale, config.activations),
    ):
        if (scale is None) != (fmt.scale_bits is None):
            raise ValueError(f"{name} must be given exactly where {config} has it, not {scale!r}")
        if scale is not None:
            factor = argument.integers(name, scale, 0, fmt.scale_max)
            if factor.shape != product.shape:
                raise ValueError(f"{name} must be {product.shape}, not {factor.shape}")
            product = product * factor
    dot = np.einsum("tv,tv->t", w, a)
    rounded = _round_scale_product(product, config)
    partial_sum = dot * rounded
    if len(starts):
        starts[0] = True
    accumulator, saturated = _accumulate_segments(partial_sum, starts, config)
    return MacResult(accumulators=accumulator[ends], saturated=saturated[ends]), StreamTrace(
        dot=dot,
        scale_product=rounded,
        partial_sum=partial_sum,
        accumulator=accumulator,
        saturated=saturated,
    )


def _elements(name: str, values: npt.ArrayLike, fmt: OperandFormat) -> Integers:
    return argument.integers(name, values, fmt.element_min, fmt.qmax)


def _activations(
    values: npt.ArrayLike, signed: npt.ArrayLike | None, config: DatapathConfig
) -> Integers:
    """Activations (T, V), each vector within the format that its flag says."""
    if (signed is None) == config.either_sign:
        raise ValueError(
            f"activation_signed must be given exactly where activations are of either sign "
            f"({config}), not {signed!r}"
        )
    if signed is None:
        return _elements("activations", values, config.activations)
    low = min(fmt.element_min for fmt in config.activation_formats)
    high = max(fmt.qmax for fmt in config.activation_formats)
    a = argument.integers("activations", values, low, high)
    flags = argument.flags("activation_signed", signed)
    if flags.shape != a.shape[:1]:
        raise ValueError(f"activation_signed must be {a.shape[:1]}, not {flags.shape}")
    for fmt in config.activation_formats:
        _elements(f"activations with format {fmt}", a[flags == fmt.signed], fmt)
    return a


def _check_operands(weights: Quantized, activations: Quantized, config: DatapathConfig) -> None:
    argument.instance("config", config, DatapathConfig)
    for name, operand in (("weights", weights), ("activations", activations)):
        argument.instance(name, operand, Quantized)
        if operand.elements.ndim != 3:
            raise ValueError(f"{name} must be a matrix, not elements {operand.elements.shape}")
        formats = (config.weights,) if name == "weights" else config.activation_formats
        if operand.format not in formats:
            wanted = " or ".join(map(str, formats))
            raise ValueError(f"{name} must have format {wanted}, not {operand.format}")
        if operand.vector_size != config.vector_size:
            raise ValueError(
                f"{name} must have vectors of {config.vector_size}, not {operand.vector_size}"
            )
    if weights.length != activations.length:
        raise ValueError(
            f"weights and activations must have the same reduction length, "
            f"not {weights.length} and {activations.length}"
        )


def _scaled(operand: Quantized) -> npt.NDArray[Any]:
    """x_q * s_q, at most 18 bits, as floats (rows, J * V)."""
    values = operand.elements.astype(np.float32)
    if operand.scales is not None:
        values *= operand.scales.astype(np.float32)[..., None]
    return values.reshape(len(values), -1)


def _largest_norm(rows: npt.NDArray[Any]) -> float:
    """Largest Euclidean norm of the rows, rounded up by more than float32 sums can lose."""
    slack = rows.shape[1] * float(np.finfo(np.float32).eps)
    norm = float(np.sqrt(np.vecdot(rows, rows).max()))
    return float(norm * (1 + slack))


def _accumulate_segments(
    partial_sum: Integers, starts: Flags, config: DatapathConfig
) -> tuple[Integers, Flags]:
    """Saturating running sums of segments that begin where `starts` is set."""
    begin = np.flatnonzero(starts)
    length = np.diff(begin, append=len(partial_sum))
    accumulator = np.empty_like(partial_sum)
    saturated = np.zeros(len(partial_sum), np.bool_)
    # Longest first: the segments that still run at step j are the first so many.
    order = np.argsort(-length, kind="stable")
    begin, length = begin[order], length[order]
    running = np.searchsorted(-length, -np.arange(1, length.max(initial=0) + 1), side="right")
    total = np.zeros(len(begin), np.int64)
    sticky = np.zeros(len(begin), np.bool_)
    for j, count in enumerate(running):
        where = begin[:count] + j
        exact = total[:count] + partial_sum[where]
        total[:count] = np.clip(exact, config.accumulator_min, config.accumulator_max)
        sticky[:count] |= total[:count] != exact
        accumulator[where] = total[:count]
        saturated[where] = sticky[:count]
    return accumulator, saturated
