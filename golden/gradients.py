"""Derivatives that training uses for a quantizer, whose own is 0 almost everywhere.

With the clipping threshold s, of a signed quantizer with respect to its input x:

    STE   1                                  straight through (Bengio et al., arXiv 1308.3432)
    PWL   1 where |x| <= s, 0 outside        the derivative of clipping without rounding
    MAD   1 where |x| <= s, s/|x| outside    magnitude-aware differentiation

MAD (Sakr et al., ICML 2022, arXiv 2206.06501, Section 4) reads clipping as an attenuation of x,
sign(x) s = (s/|x|) x, whose factor is held constant. Unlike PWL it leaves no weight behind that is
clipped once. The hybrid takes MAD for weights and PWL for activations, as OCTAV's authors train.

An unsigned quantizer clips negative inputs to 0, which is an attenuation by 0: there PWL and MAD
are 0.
"""

import enum

import numpy as np
import numpy.typing as npt

from scalewright.golden import argument

Floats = npt.NDArray[np.floating]


class Estimator(enum.Enum):
    """How the derivative of a quantizer is estimated."""

    STE = "ste"  #: 1 everywhere
    PWL = "pwl"  #: 1 inside the clipping range, 0 outside
    MAD = "mad"  #: 1 inside, s/|x| outside
    HYBRID = "hybrid"  #: MAD for weights, PWL for activations

    @property
    def of_weights(self) -> "Estimator":
        """The estimator for weights; HYBRID is none itself."""
        return Estimator.MAD if self is Estimator.HYBRID else self

    @property
    def of_activations(self) -> "Estimator":
        """The estimator for activations; HYBRID is none itself."""
        return Estimator.PWL if self is Estimator.HYBRID else self


def ste(x: npt.ArrayLike) -> Floats:
    """The straight-through derivative: 1, of the shape and type of x."""
    return np.ones_like(_as_floats(x))


def pwl(x: npt.ArrayLike, threshold: npt.ArrayLike, *, signed: bool = True) -> Floats:
    """The piecewise-linear derivative: 1 inside the clipping range, its ends included, else 0.

    Args:
        x: Inputs of the quantizer.
        threshold: s, not negative; broadcasts against x.
        signed: Whether the range is -s to s, or 0 to s.
    """
    values = _as_floats(x)
    argument.truth("signed", signed)
    inside = _magnitude(values, signed) <= _as_threshold(threshold)
    return (inside & (signed | (values >= 0))).astype(values.dtype)


def mad(x: npt.ArrayLike, threshold: npt.ArrayLike, *, signed: bool = True) -> Floats:
    """The magnitude-aware derivative: 1 inside the clipping range, s/|x| beyond s.

    Args:
        x: Inputs of the quantizer.
        threshold: s, not negative; broadcasts against x.
        signed: Whether the range is -s to s, or 0 to s; below 0 the latter's derivative is 0.
    """
    values = _as_floats(x)
    argument.truth("signed", signed)
    limit = _as_threshold(threshold)
    magnitude = _magnitude(values, signed)
    outside = magnitude > limit
    factor = np.where(outside, limit / np.where(outside, magnitude, 1), 1)
    return (factor * (signed | (values >= 0))).astype(values.dtype)


def derivative(
    estimator: Estimator, x: npt.ArrayLike, threshold: npt.ArrayLike, *, signed: bool = True
) -> Floats:
    """The derivative by an estimator; HYBRID must have been resolved.

    Raises:
        TypeError: No estimator, or values that are not floating-point numbers.
        ValueError: HYBRID, which is one estimator for weights and another for activations; or a
            negative threshold.
    """
    argument.instance("estimator", estimator, Estimator)
    if estimator is Estimator.STE:
        return ste(x)
    if estimator is Estimator.PWL:
        return pwl(x, threshold, signed=signed)
    if estimator is Estimator.MAD:
        return mad(x, threshold, signed=signed)
    raise ValueError("estimator must be that of weights or of activations, not HYBRID itself")


def _as_floats(x: npt.ArrayLike) -> Floats:
    values = np.asarray(x)
    if values.dtype.kind != "f":
        raise TypeError(f"x must be floating-point numbers, not dtype {values.dtype}")
    return values


def _as_threshold(threshold: npt.ArrayLike) -> Floats:
    # An infinite one clips nothing.
    return argument.not_negative("threshold", threshold, np.asarray(threshold).dtype, finite=False)


def _magnitude(values: Floats, signed: bool) -> Floats:
    return np.abs(values) if signed else np.maximum(values, 0)
