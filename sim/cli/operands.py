"""The two tensors that a user names on the command line."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from scalewright.golden.calibration import Clip, quantize_clipped
from scalewright.golden.config import DatapathConfig
from scalewright.golden.quantize import Quantized, Scaling
from scalewright.sim.files import tensors as tensor_file


@dataclass(frozen=True, eq=False)
class Operands:
    """Weights (M, K) and activations (N, K), quantized, and their product in float64.

    Attributes:
        weights: One coarse scale for each row.
        activations: One coarse scale in all.
        exact: activations @ weights.T of the unquantized tensors, (N, M).
    """

    weights: Quantized
    activations: Quantized
    exact: npt.NDArray[np.float64]


def load_operands(
    weights: str, activations: str, config: DatapathConfig, scaling: str, clip: Clip
) -> Operands:
    """Read and quantize two tensors.

    Raises:
        ValueError: A file that is no tensor file, or a tensor that cannot be quantized or does
            not fit the other; the message names the file.
        OSError: A file that cannot be read.
    """
    tensors: list[npt.NDArray[Any]] = []
    for name, source in (("weights", weights), ("activations", activations)):
        tensor = tensor_file.load(source)
        if tensor.ndim != 2:
            raise ValueError(f"{source}: {name} must be a matrix, not of shape {tensor.shape}")
        tensors.append(tensor)
    if tensors[0].shape[1] != tensors[1].shape[1]:
        raise ValueError(
            f"weights {tensors[0].shape} and activations {tensors[1].shape} must have the same "
            f"reduction length, the second{_transposed(tensors[0].shape, tensors[1].shape)}"
        )
    quantized = []
    for source, tensor, fmt, coarse_axis in (
        (weights, tensors[0], config.weights, 0),
        (activations, tensors[1], config.activations, None),
    ):
        try:
            quantized.append(
                quantize_clipped(
                    tensor,
                    fmt,
                    clip,
                    vector_size=config.vector_size,
                    coarse_axis=coarse_axis,
                    scaling=Scaling(scaling),
                )
            )
        except (TypeError, ValueError) as error:
            raise ValueError(f"{source}: {error}") from None
    exact = tensors[1].astype(np.float64) @ tensors[0].astype(np.float64).T
    return Operands(quantized[0], quantized[1], exact)


def _transposed(weights: tuple[int, ...], activations: tuple[int, ...]) -> str:
    """What would make the shapes fit, for a message."""
    if weights[0] == activations[1]:
        return ": are the weights stored as (K, M)? save them transposed, as (M, K)"
    if weights[1] == activations[0]:
        return ": are the activations stored as (K, N)? save them transposed, as (N, K)"
    return ""
