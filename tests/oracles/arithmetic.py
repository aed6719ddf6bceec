"""Independent oracle for quantization and the vector MAC, in integers and fractions only.

Written from the arithmetic contract and sharing no code with the golden model or the hardware, so
that agreement between them means something. Correct and obvious beats fast.
"""

import enum
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

# An exact finite value, or the float inf, -inf or nan where binary32 has no finite one.
Real: TypeAlias = Fraction | float


def round_half_even(q: Fraction) -> int:
    """Return the integer nearest to q, the even one of the two when q lies half way."""
    nearest = math.floor(q + Fraction(1, 2))  # half up
    return nearest - nearest % 2 if nearest - q == Fraction(1, 2) else nearest


def float32(q: Fraction) -> Fraction:
    """Return q rounded to IEEE binary32: nearest, ties to even, gradual underflow down to 2^-149.

    With 2^e <= |q| < 2^(e+1), the result is rne(q / ulp) * ulp for ulp = 2^(max(e, -126) - 23).
    Raises OverflowError where binary32 has only an infinity.
    """
    exponent = abs(q.numerator).bit_length() - q.denominator.bit_length()
    if Fraction(2) ** exponent > abs(q):
        exponent -= 1
    ulp = Fraction(2) ** (max(exponent, -126) - 23)
    rounded = round_half_even(q / ulp) * ulp
    if abs(rounded) >= 2**128:
        raise OverflowError("the value rounds to infinity in binary32")
    return rounded


class Rounding(enum.Enum):
    """R in s_q = R(s / gamma); PAPER is rne, may give 0, and divides the elements by s itself."""

    NEAREST = "nearest"
    CEIL = "ceil"
    PAPER = "paper"


@dataclass(frozen=True)
class Operand:
    """Number format of one operand: N element bits, and M scale bits (None: no vector scale)."""

    element_bits: int
    signed: bool
    scale_bits: int | None

    @property
    def qmax(self) -> int:
        """Largest element: 2^(N-1) - 1 signed, 2^N - 1 unsigned."""
        return (1 << self.element_bits - self.signed) - 1

    @property
    def lower(self) -> int:
        """Lower clip bound: -qmax signed, 0 unsigned."""
        return -self.qmax if self.signed else 0


@dataclass(frozen=True)
class QuantizedGroup:
    """Padded elements[row][vector][lane], scales[row][vector], trimmed dequantized[row][column]."""

    elements: list[list[list[int]]]
    scales: list[list[int]] | None
    gamma: Fraction
    dequantized: list[list[Real]]


def _float32_or_infinity(q: Real) -> Real:
    """Return float32(q), or the infinity of its sign on overflow; inf and nan are returned."""
    if isinstance(q, float):
        return q
    try:
        return float32(q)
    except OverflowError:
        return math.inf if q > 0 else -math.inf


def _peak(vector: Sequence[Fraction], operand: Operand) -> Fraction:
    """Return max|x| of a signed vector, max over max(x, 0) of an unsigned one."""
    return max(abs(x) if operand.signed else max(x, Fraction(0)) for x in vector)


def _quantize_scale(s: Fraction, gamma: Fraction, scale_bits: int, scaling: Rounding) -> int:
    """Return s_q = min(R(s / gamma), 2^M - 1) of a vector not all zero; only PAPER may give 0."""
    ratio = float32(s / gamma)
    rounded = math.ceil(ratio) if scaling is Rounding.CEIL else round_half_even(ratio)
    return min(max(rounded, 0 if scaling is Rounding.PAPER else 1), (1 << scale_bits) - 1)


def _quantize_element(x: Fraction, step: Real, operand: Operand) -> int:
    """Return clip(rne(x / step), lower, qmax): 0 where step is 0 or infinite."""
    if isinstance(step, float) or step == 0:
        return 0
    ratio = _float32_or_infinity(x / step)
    if isinstance(ratio, float):
        return operand.qmax if ratio > 0 else operand.lower
    return min(max(round_half_even(ratio), operand.lower), operand.qmax)


def quantize_group(
    rows: Sequence[Sequence[Fraction]],
    operand: Operand,
    vector_size: int,
    scaling: Rounding,
    thresholds: Sequence[Sequence[Fraction]] | None = None,
) -> QuantizedGroup:
    """Quantize one coarse group of exact binary32 values; thresholds[row][vector] replace max|x|.

        s     = max|x| / qmax                                   every operation through float32
        gamma = max over the group of s / (2^M - 1)
        s_q   = R(s / gamma), at most 2^M - 1                   at least 1 unless x is all zero
        x_q   = clip(rne(x / (s_q * gamma)), lower, qmax)       PAPER: clip(rne(x / s), lower, qmax)
        x_hat = x_q * (s_q * gamma)

    Without a per-vector scale gamma is the largest s of the group and the step of every element.
    A vector whose max|x| is 0 has s_q = 0 and x_q = 0, but its threshold still counts for gamma.
    Where gamma is 0 in float32, all of s_q, x_q and x_hat are 0. A quotient that overflows clips;
    an x_hat that overflows is infinite; a step that overflows gives x / inf = 0, 0 * inf = nan.
    """
    bits = operand.scale_bits
    padded = [[*row, *[Fraction(0)] * (-len(row) % vector_size)] for row in rows]
    vectors = [[r[i : i + vector_size] for i in range(0, len(r), vector_size)] for r in padded]
    peaks = [[_peak(vector, operand) for vector in row] for row in vectors]
    limits = peaks if thresholds is None else thresholds
    exact = [[float32(limit / operand.qmax) for limit in row] for row in limits]
    largest = max((s for row in exact for s in row), default=Fraction(0))
    gamma = largest if bits is None else float32(largest / ((1 << bits) - 1))
    paper = scaling is Rounding.PAPER and bits is not None and gamma > 0
    elements: list[list[list[int]]] = []
    scales: list[list[int]] = []
    dequantized: list[list[Real]] = []
    for row, row_vectors, row_peaks, row_exact in zip(rows, vectors, peaks, exact, strict=True):
        elements.append([])
        scales.append([])
        values: list[Real] = []
        for vector, peak, s in zip(row_vectors, row_peaks, row_exact, strict=True):
            s_q = 0
            if peak > 0 and gamma > 0:
                s_q = 1 if bits is None else _quantize_scale(s, gamma, bits, scaling)
            step = _float32_or_infinity(s_q * gamma)
            quantized = [_quantize_element(x, s if paper else step, operand) for x in vector]
            elements[-1].append(quantized)
            scales[-1].append(s_q)
            values.extend(_float32_or_infinity(x_q * step) for x_q in quantized)
        dequantized.append(values[: len(row)])
    return QuantizedGroup(elements, None if bits is None else scales, gamma, dequantized)


@dataclass(frozen=True)
class Datapath:
    """Widths of the MAC: ws and as (None: no scale), P (None: all of sw * sa), C."""

    weight_scale_bits: int | None
    activation_scale_bits: int | None
    scale_product_bits: int | None
    accumulator_bits: int


@dataclass(frozen=True)
class VectorPair:
    """One cycle of the MAC: V weights, V activations, their scales (None: absent), framing."""

    weights: Sequence[int]
    activations: Sequence[int]
    weight_scale: int | None
    activation_scale: int | None
    first: bool
    last: bool


def round_scale_product(product: int, datapath: Datapath) -> int:
    """Return sp' = min((sp + 2^(sh-1)) >> sh, 2^P - 1), sh = ws + as - P; sp where sh = 0.

    An absent scale counts 0 bits, an absent P keeps sp. P may not exceed ws + as (ValueError).
    """
    scale_bits = (datapath.weight_scale_bits or 0) + (datapath.activation_scale_bits or 0)
    kept = datapath.scale_product_bits
    if kept is None or kept == scale_bits:
        return product
    unit = 1 << scale_bits - kept  # 2^sh; a negative shift count is a ValueError
    return min((product + unit // 2) // unit, (1 << kept) - 1)


def saturate(value: int, bits: int) -> int:
    """Return sat_C(value): value clipped to [-2^(C-1), 2^(C-1) - 1]."""
    return min(max(value, -(1 << bits - 1)), (1 << bits - 1) - 1)


def activate(y: int, bits: int, function: str) -> int:
    """The activation function of that name, of a result of so many bits."""
    return {"IDENTITY": y, "RELU": max(y, 0)}[function]


def accumulate(pairs: Iterable[VectorPair], datapath: Datapath) -> list[tuple[int, bool]]:
    """Return (acc, saturated) after every pair with `last`.

        acc = sat_C(acc + dot * round_P(sw * sa)),  dot = sum of w_q[i] * a_q[i]

    after every pair, in order. Only `first` clears acc and the sticky flag, both clear initially:
    a `first` in mid-vector drops what was there, and without one acc goes on after a `last`.
    """
    results: list[tuple[int, bool]] = []
    accumulator, saturated = 0, False
    for pair in pairs:
        if pair.first:
            accumulator, saturated = 0, False
        dot = sum(w * a for w, a in zip(pair.weights, pair.activations, strict=True))
        scales = (pair.weight_scale, pair.activation_scale)
        scale_product = math.prod(scale for scale in scales if scale is not None)
        exact = accumulator + dot * round_scale_product(scale_product, datapath)
        accumulator = saturate(exact, datapath.accumulator_bits)
        saturated = saturated or accumulator != exact
        if pair.last:
            results.append((accumulator, saturated))
    return results
