"""Weights alone: how much noise each matrix of a checkpoint gets by being quantized."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from scalewright.golden.calibration import quantize_clipped
from scalewright.sim.research.choice import Choice

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Matrix:
    """Weights of one layer.

    Attributes:
        name: Of its tensor.
        values: (M, ..., K): output channels first, the reduction last.
    """

    name: str
    values: Array


@dataclass(frozen=True)
class Noise:
    """What quantization makes of a tensor.

    Attributes:
        signal: Sum of the squares of its values.
        error: Sum of the squares of what they change by.
        elements: How many there are.
    """

    signal: float
    error: float
    elements: int

    @property
    def signal_to_noise_db(self) -> float:
        """10 log10 of signal over error; infinite without error, NaN without signal."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return float(10 * np.log10(np.float64(self.signal) / np.float64(self.error)))

    @classmethod
    def of_all(cls, noises: Sequence["Noise"]) -> "Noise":
        """That of several tensors together."""
        return cls(
            sum(noise.signal for noise in noises),
            sum(noise.error for noise in noises),
            sum(noise.elements for noise in noises),
        )


def split_matrices(tensors: Mapping[str, Array]) -> tuple[list[Matrix], list[str]]:
    """The matrices of a checkpoint, and the names of what is none.

    As PyTorch lays weights out: (M, K), and of convolutions (M, K, ...), whose vectors lie along
    the input channels K as on the engine. What has one axis (biases, norms), no element, or no
    floats is none.
    """
    matrices, others = [], []
    for name, tensor in tensors.items():
        # ml_dtypes' bfloat16 is of kind V.
        floats = tensor.dtype.kind in "fV"
        if tensor.ndim < 2 or tensor.size == 0 or not floats:
            others.append(name)
        else:
            matrices.append(Matrix(name, np.moveaxis(tensor, 1, -1)))
    return matrices, others


def weight_noise(matrix: Matrix, choice: Choice) -> Noise:
    """The noise of a matrix that is quantized, one coarse scale for each output channel.

    Raises:
        TypeError, ValueError: As `golden.quantize.quantize` does; the message names the tensor.
    """
    values = matrix.values
    try:
        quantized = quantize_clipped(
            values,
            choice.config.weights,
            choice.clip,
            vector_size=choice.config.vector_size,
            coarse_axis=0,
            scaling=choice.scaling,
        )
    except (TypeError, ValueError) as error:
        raise type(error)(f"{matrix.name}: {error}") from None
    exact = values.astype(np.float64)
    return Noise(
        float(np.sum(exact**2)),
        float(np.sum((exact - quantized.dequantize()) ** 2)),
        values.size,
    )
