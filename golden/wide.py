"""Operands of wider elements: integers x on the grid of two digits, and gamma, in float32.

    x     = clip(rne(v / gamma), lo, R)           lo = -R signed, 0 unsigned
    gamma = max|v| / R over the coarse group      max(v, 0) where unsigned; or threshold / R
    x_hat = x * gamma

There are no per-vector scales: their place is taken by those of the digits, which
golden/composition.py makes. R is that of golden/config/composition.py.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from scalewright.golden import argument
from scalewright.golden.config import VECTOR_SIZES, WideFormat
from scalewright.golden.quantize import (
    Scaling,
    as_finite_float32,
    quantize_integers,
    split_vectors,
)
from scalewright.golden.quantized import (
    Floats,
    along_axis,
    check_groups,
    checked_length,
    require_within,
)


@dataclass(frozen=True, eq=False, kw_only=True)
class Wide:
    """A tensor of wider elements.

    Attributes:
        elements: (..., J, V) int32 from -R (0 where unsigned) to R; J = ceil(K / V) vectors, the
            last one padded with zeros.
        gamma: Coarse scales, float32: one, or one for each index of the coarse axis.
        format: The grid, and what its digits are.
        length: Elements K along the reduction axis, padding excluded; all of them by default.
        coarse_axis: Axis of the original tensor along which gamma varies; None for one gamma.

    Raises:
        TypeError, ValueError: Wrong dtype, shape, or a value outside the grid.
    """

    elements: npt.NDArray[np.int32]
    gamma: Floats
    format: WideFormat
    length: int = -1
    coarse_axis: int | None = None

    def __post_init__(self) -> None:
        argument.instance("format", self.format, WideFormat)
        argument.instance("elements", self.elements, np.ndarray)
        if not isinstance(self.gamma, np.generic):  # a scalar of NumPy is an array without axes
            argument.instance("gamma", self.gamma, np.ndarray)
        if self.elements.dtype != np.int32:
            raise TypeError(f"elements must be int32, not {self.elements.dtype}")
        if self.elements.ndim < 2 or self.vector_size not in VECTOR_SIZES:
            raise ValueError(
                f"elements must be (..., J, V) with V one of {VECTOR_SIZES}, "
                f"not {self.elements.shape}"
            )
        if self.elements.size == 0:
            raise ValueError(f"elements must not be empty: {self.elements.shape}")
        require_within("elements", self.elements, self.format.qmin, self.format.qmax)
        if self.gamma.dtype != np.float32:
            raise TypeError(f"gamma must be float32, not {self.gamma.dtype}")
        argument.not_negative("gamma", self.gamma, np.float32)
        check_groups(self.elements, self.gamma, self.coarse_axis)
        object.__setattr__(self, "length", checked_length(self.elements, self.length))

    @property
    def vector_size(self) -> int:
        """Elements of one vector, V."""
        return int(self.elements.shape[-1])

    def dequantize(self) -> Floats:
        """Real values (..., K), float32: x * gamma."""
        gamma = along_axis(self.gamma, self.coarse_axis, self.elements.ndim - 1)
        with np.errstate(over="ignore", under="ignore"):
            values: Floats = self.elements.astype(np.float32) * gamma[..., None]
        return values.reshape(*values.shape[:-2], -1)[..., : self.length]


def quantize_wide(
    x: npt.ArrayLike,
    fmt: WideFormat,
    *,
    vector_size: int,
    coarse_axis: int | None = None,
    threshold: npt.ArrayLike | None = None,
) -> Wide:
    """Quantize a tensor to a wide grid; see the module's equations.

    Everything is float32 with each operation correctly rounded. Where gamma underflows to 0, its
    whole group is 0.

    Args:
        x: (..., K) real values, as `golden.quantize.quantize` takes them.
        fmt: The grid.
        vector_size: Elements V of one vector: 4, 8, 16, 32 or 64.
        coarse_axis: Axis along which gamma varies: 0 for the output channels of a weight matrix,
            None for one gamma in all, as activations have it.
        threshold: Clipping threshold in place of max|x|, finite and not negative; a number, or
            (M, 1) for one per row. It broadcasts against (..., J).

    Raises:
        TypeError, ValueError: As `golden.quantize.quantize` does.
    """
    argument.instance("fmt", fmt, WideFormat)
    integers = quantize_integers(x, fmt, vector_size, coarse_axis, threshold, Scaling.NEAREST)
    return Wide(
        elements=integers.elements,
        gamma=integers.gamma,
        format=fmt,
        length=integers.length,
        coarse_axis=integers.coarse_axis,
    )


def quantize_wide_statically(
    x: npt.ArrayLike, fmt: WideFormat, *, vector_size: int, gamma: float
) -> Wide:
    """Quantize real numbers (..., K) with a gamma that is known beforehand, in float32.

    Args:
        x: Real numbers.
        fmt: The grid.
        vector_size: Elements V of one vector.
        gamma: Coarse scale, positive: a threshold over R, rounded up where activations of a network
            have it from calibration (golden/network/calibration.py).

    Raises:
        TypeError, ValueError: As `golden.quantize.quantize` does; a gamma that is not positive.
    """
    values = as_finite_float32(x)
    argument.instance("fmt", fmt, WideFormat)
    with np.errstate(over="ignore"):
        unit = np.float32(argument.real("gamma", gamma))
    if not (np.isfinite(unit) and unit > 0):
        raise ValueError(f"gamma must be positive and finite in float32, not {gamma}")
    with np.errstate(over="ignore", under="ignore"):  # what becomes infinite clips
        quotient = np.rint(split_vectors(values, vector_size) / unit)
    elements = np.clip(quotient, np.float32(fmt.qmin), np.float32(fmt.qmax)).astype(np.int32)
    return Wide(
        elements=elements.reshape(*values.shape[:-1], -1, vector_size),
        gamma=np.asarray(unit),
        format=fmt,
        length=values.shape[-1],
    )
