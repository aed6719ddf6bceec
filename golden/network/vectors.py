"""Tensors of networks as vectors with scales, and as the real numbers that they stand for."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from scalewright.golden.composition import Operand
from scalewright.golden.config import Format, WideFormat
from scalewright.golden.quantized import Floats, Quantized
from scalewright.golden.requantize import quantize_statically
from scalewright.golden.wide import quantize_wide_statically


@dataclass(frozen=True, eq=False, kw_only=True)
class Vectors:
    """A tensor whose vectors lie along one of its axes.

    Attributes:
        values: (..., J, V) elements: that axis is the last one of `values`.
        axis: Which it is in the tensor, 0 or more, or -1 or -2.
    """

    values: Operand
    axis: int

    def real(self) -> Floats:
        """What they stand for, float32, the axis in its place."""
        return np.moveaxis(self.values.dequantize(), -1, self.axis)

    def joined(self, others: Sequence[Operand]) -> "Vectors":
        """The vectors of batches as one, along the first axis."""
        scales = [each for other in others if (each := scales_of(other)) is not None]
        values = rearranged(
            self.values,
            np.concatenate([each.elements for each in others]),
            np.concatenate(scales) if scales else None,
        )
        return Vectors(values=values, axis=self.axis)


# Real numbers (or whatever else a host's operators give), or vectors.
Tensor: TypeAlias = npt.NDArray[Any] | Vectors


def as_real(tensor: Tensor) -> npt.NDArray[Any]:
    """What a tensor stands for."""
    return tensor.real() if isinstance(tensor, Vectors) else tensor


def scales_of(operand: Operand) -> npt.NDArray[np.uint16] | None:
    """Scales (..., J) of an operand's vectors, or None; wider elements have none."""
    return operand.scales if isinstance(operand, Quantized) else None


def rearranged(
    operand: Operand,
    elements: npt.NDArray[Any],
    scales: npt.NDArray[np.uint16] | None,
    **changes: Any,
) -> Operand:
    """An operand with its elements and scales in another order or shape."""
    if isinstance(operand, Quantized):
        return replace(operand, elements=elements, scales=scales, **changes)
    return replace(operand, elements=elements, **changes)


def quantize_along(
    real: Floats, axis: int, fmt: Format, *, vector_size: int, gamma: float
) -> Vectors:
    """Quantize a tensor with vectors along an axis, and a coarse scale that is known beforehand.

    Raises:
        ValueError: It has no such axis, or nothing in it.
    """
    if not -real.ndim <= axis < real.ndim:
        raise ValueError(f"must have an axis {axis}, not shape {real.shape}")
    moved = np.ascontiguousarray(np.moveaxis(real, axis, -1))
    values: Operand
    if isinstance(fmt, WideFormat):
        values = quantize_wide_statically(moved, fmt, vector_size=vector_size, gamma=gamma)
    else:
        values = quantize_statically(moved, fmt, vector_size=vector_size, gamma=gamma)
    return Vectors(values=values, axis=axis)


def flat(operand: Operand, outer: int) -> Operand:
    """An operand with `outer` leading axes, as (R, J, V), its padding a part of it."""
    elements, scales = operand.elements, scales_of(operand)
    rows = int(np.prod(elements.shape[:outer]))
    return rearranged(
        operand,
        elements.reshape(rows, -1, operand.vector_size),
        None if scales is None else scales.reshape(rows, -1),
        length=-1,
        coarse_axis=None if operand.gamma.ndim == 0 else 0,
    )
