"""Quantized tensors: integers, their scales, and the real numbers that they stand for."""

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from scalewright.golden import argument
from scalewright.golden.config import VECTOR_SIZES, OperandFormat

Floats: TypeAlias = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False, kw_only=True)
class Quantized:
    """A quantized tensor.

    Attributes:
        elements: (..., J, V) int8, or uint8 where the format is unsigned; J = ceil(K / V) vectors,
            the last one padded with zeros.
        scales: (..., J) uint16, or None without per-vector scales.
        gamma: Coarse scales, float32: one, or one for each index of the coarse axis.
        format: Format of the elements and scales.
        length: Elements K along the reduction axis, padding excluded; all of them by default.
        coarse_axis: Axis of the original tensor along which gamma varies; None for one gamma.

    Raises:
        TypeError, ValueError: Wrong dtype, shape, or a value outside the format. Elements of
            -2^(N-1), outside the narrow grid, are legal.
    """

    elements: npt.NDArray[Any]
    scales: npt.NDArray[np.uint16] | None
    gamma: Floats
    format: OperandFormat
    length: int = -1
    coarse_axis: int | None = None

    def __post_init__(self) -> None:
        argument.instance("format", self.format, OperandFormat)
        argument.instance("elements", self.elements, np.ndarray)
        if self.scales is not None:
            argument.instance("scales", self.scales, np.ndarray)
        if not isinstance(self.gamma, np.generic):  # a scalar of NumPy is an array without axes
            argument.instance("gamma", self.gamma, np.ndarray)
        dtype = np.dtype(np.int8 if self.format.signed else np.uint8)
        if self.elements.dtype != dtype:
            raise TypeError(f"elements must be {dtype}, not {self.elements.dtype}")
        if self.elements.ndim < 2 or self.vector_size not in VECTOR_SIZES:
            raise ValueError(
                f"elements must be (..., J, V) with V one of {VECTOR_SIZES}, "
                f"not {self.elements.shape}"
            )
        if self.elements.size == 0:
            raise ValueError(f"elements must not be empty: {self.elements.shape}")
        require_within("elements", self.elements, self.format.element_min, self.format.qmax)
        if (self.scales is None) != (self.format.scale_bits is None):
            raise ValueError(f"scales must be given exactly where {self.format} has them")
        if self.scales is not None:
            if self.scales.dtype != np.uint16:
                raise TypeError(f"scales must be uint16, not {self.scales.dtype}")
            if self.scales.shape != self.elements.shape[:-1]:
                raise ValueError(
                    f"scales must be {self.elements.shape[:-1]}, not {self.scales.shape}"
                )
            require_within("scales", self.scales, 0, self.format.scale_max)
        if self.gamma.dtype != np.float32:
            raise TypeError(f"gamma must be float32, not {self.gamma.dtype}")
        argument.not_negative("gamma", self.gamma, np.float32)
        check_groups(self.elements, self.gamma, self.coarse_axis)
        object.__setattr__(self, "length", checked_length(self.elements, self.length))

    @property
    def vector_size(self) -> int:
        """Elements of one vector, V."""
        return int(self.elements.shape[-1])

    def vector_gamma(self) -> Floats:
        """Gamma with a shape that broadcasts against (..., J)."""
        return along_axis(self.gamma, self.coarse_axis, self.elements.ndim - 1)

    def dequantize(self) -> Floats:
        """Real values (..., K), float32: x_q * (s_q * gamma), the product of the scales first."""
        scale = self.vector_gamma()
        values = self.elements.astype(np.float32)
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            if self.scales is not None:
                scale = self.scales.astype(np.float32) * scale
            values *= scale[..., None]
        flat = values.reshape(*values.shape[:-2], -1)
        return flat[..., : self.length]


def along_axis(values: Floats, axis: int | None, ndim: int) -> Floats:
    """Give `values`, one for each index of `axis`, a shape that broadcasts to `ndim` axes."""
    if axis is None:
        return values
    return values.reshape([-1 if other == axis else 1 for other in range(ndim)])


def check_groups(elements: npt.NDArray[Any], gamma: Floats, coarse_axis: int | None) -> None:
    """Check that elements (..., J, V) have one gamma for each coarse group.

    Raises:
        ValueError: They have not, or there is no such axis.
    """
    shape: tuple[int, ...] = ()
    if coarse_axis is not None:
        axes = elements.ndim - 2
        argument.integer("coarse_axis", coarse_axis, range(axes), f"below {axes}, or None")
        shape = elements.shape[coarse_axis : coarse_axis + 1]
    if gamma.shape != shape:
        raise ValueError(f"gamma must be {shape}, not {gamma.shape}")


def checked_length(elements: npt.NDArray[Any], length: int) -> int:
    """Elements along the reduction axis of elements (..., J, V): all of them for -1.

    Raises:
        TypeError, ValueError: A length that J vectors do not have.
    """
    padded = elements.shape[-2] * elements.shape[-1]
    shortest = padded - elements.shape[-1] + 1
    allowed = range(shortest, padded + 1)
    whole = padded if length == -1 else length
    return argument.integer("length", whole, allowed, f"from {shortest} to {padded}")


def require_within(name: str, values: npt.NDArray[Any], smallest: int, largest: int) -> None:
    """Raise unless all values are from `smallest` to `largest`.

    Raises:
        ValueError: One is not.
    """
    low, high = int(values.min()), int(values.max())
    if low < smallest or high > largest:
        offender = low if low < smallest else high
        raise ValueError(f"{name} must be from {smallest} to {largest}, not {offender}")
