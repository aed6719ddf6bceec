"""Coarse rescaling of accumulators: multiplier, shift, bias, saturation, in integers.

    y = g(sat_R(rne(acc * m / 2^e) + b))          g: the activation function

m * 2^-e stands for gamma_w * gamma_a * 2^sh / gamma_out, rounded to 16 significant bits; `rne`
rounds half to even. The product has at most 64 bits, and everything is exact.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from scalewright.golden import argument
from scalewright.golden.activation import activate
from scalewright.golden.config import EXPONENTS, MANTISSA_BITS, RESULT_BITS, ActivationFunction

Integers = npt.NDArray[np.int64]

# acc * m has to fit 64 bits.
_ACCUMULATOR_LIMIT = 1 << 47


@dataclass(frozen=True, eq=False, kw_only=True)
class Rescaling:
    """Parameters of a layer's M output channels.

    Attributes:
        mantissas: m, (M,): 2^15 to 2^16 - 1, or 0.
        exponents: e, (M,): 0 to 63.
        biases: b, (M,): signed, `result_bits` wide.
        result_bits: R, the width of y.
        activation_function: What is applied to y.

    Raises:
        TypeError: Values that are not integers, or no activation function.
        ValueError: A value out of range, or arrays of different lengths.
    """

    mantissas: Integers
    exponents: Integers
    biases: Integers
    result_bits: int = 18
    activation_function: ActivationFunction = ActivationFunction.IDENTITY

    def __post_init__(self) -> None:
        argument.instance("activation_function", self.activation_function, ActivationFunction)
        widths = f"from {RESULT_BITS[0]} to {RESULT_BITS[-1]}"
        argument.integer("result_bits", self.result_bits, RESULT_BITS, widths)
        bias_limit = 1 << (self.result_bits - 1)
        for name, low, high in (
            ("mantissas", 0, (1 << MANTISSA_BITS) - 1),
            ("exponents", EXPONENTS[0], EXPONENTS[-1]),
            ("biases", -bias_limit, bias_limit - 1),
        ):
            values = argument.integers(name, getattr(self, name), low, high)
            # As int64: with uint64 the products would be floats.
            object.__setattr__(self, name, values)
            if values.shape != self.mantissas.shape or values.ndim != 1:
                shape = self.mantissas.shape if self.mantissas.ndim == 1 else "(M,)"
                raise ValueError(f"{name} must be {shape}, not {values.shape}")
        denormal = self.mantissas[
            (self.mantissas > 0) & (self.mantissas < 1 << (MANTISSA_BITS - 1))
        ]
        if denormal.size:
            raise ValueError(f"mantissas must be 0 or at least 32768, not {denormal[0]}")


def multiplier(scale: npt.ArrayLike) -> tuple[Integers, Integers]:
    """Mantissas and exponents of real factors, rounded half to even to 16 significant bits.

    Args:
        scale: Finite factors, not negative, below 2^16 - 1/2. Those below 2^-48 become 0.

    Raises:
        TypeError: Factors that are not real numbers.
        ValueError: A factor out of range.
    """
    factors = argument.not_negative("scale", scale, np.float64)
    fractions, powers = np.frexp(factors)
    mantissas = np.rint(np.ldexp(fractions, MANTISSA_BITS)).astype(np.int64)
    exponents = MANTISSA_BITS - powers.astype(np.int64)
    carried = mantissas == 1 << MANTISSA_BITS
    mantissas = np.where(carried, mantissas >> 1, mantissas)
    exponents = np.where(carried, exponents - 1, exponents)
    if (exponents < 0).any():
        raise ValueError(f"scale must be below {1 << MANTISSA_BITS}, not {factors.max()}")
    vanishing = (exponents > EXPONENTS[-1]) | (mantissas == 0)
    return np.where(vanishing, 0, mantissas), np.where(vanishing, 0, exponents)


def rescale(accumulators: npt.ArrayLike, rescaling: Rescaling) -> tuple[Integers, Integers]:
    """Rescale accumulators (..., M), at most 48 bits wide.

    Returns:
        y, (..., M), and as flags (0 or 1) where it saturated.

    Raises:
        TypeError: Accumulators that are not integers.
        ValueError: An accumulator of more than 48 bits, or M that does not fit.
    """
    argument.instance("rescaling", rescaling, Rescaling)
    acc = argument.integers(
        "accumulators", accumulators, -_ACCUMULATOR_LIMIT, _ACCUMULATOR_LIMIT - 1
    )
    if acc.shape[-1:] != rescaling.mantissas.shape:
        raise ValueError(f"accumulators must be (..., {len(rescaling.mantissas)}), not {acc.shape}")
    exact = _round_half_even_shift(acc * rescaling.mantissas, rescaling.exponents)
    exact = exact + rescaling.biases
    limit = 1 << (rescaling.result_bits - 1)
    y = np.clip(exact, -limit, limit - 1)
    saturated = (y != exact).astype(np.int64)
    return activate(y, rescaling.result_bits, rescaling.activation_function), saturated


def round_half_even_shift(values: npt.ArrayLike, shifts: npt.ArrayLike) -> Integers:
    """rne(values / 2^shifts) for integers of 64 bits and shifts of 0 to 63.

    Raises:
        TypeError, ValueError: Other values or shifts.
    """
    return _round_half_even_shift(
        argument.integers("values", values), argument.integers("shifts", shifts, 0, 63)
    )


def _round_half_even_shift(values: Integers, amount: Integers) -> Integers:
    quotient = values >> amount
    rest = values - (quotient << amount)
    half = np.int64(1) << np.maximum(amount - 1, 0)  # more than any rest for a shift of 0
    rounded: Integers = quotient + ((rest > half) | ((rest == half) & (quotient & 1 == 1)))
    return rounded
