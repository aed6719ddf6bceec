"""The two tensors that a user names on the command line."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from scalewright.golden.calibration import Clip, quantize_clipped
from scalewright.golden.config import DatapathConfig
from scalewright.golden.quantize import Scaling
from scalewright.golden.quantized import Quantized
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
    return load_matrices(weights, activations).quantize(config, Scaling(scaling), clip)


@dataclass(frozen=True, eq=False)
class Matrices:
    """The two tensors as they were read, with where they came from.

    Attributes:
        sources: Of weights and activations.
        weights: (M, K).
        activations: (N, K).
    """

    sources: tuple[str, str]
    weights: npt.NDArray[Any]
    activations: npt.NDArray[Any]

    @cached_property
    def exact(self) -> npt.NDArray[np.float64]:
        """The product of the floats, activations @ weights.T, in float64."""
        return self.activations.astype(np.float64) @ self.weights.astype(np.float64).T

    def quantize(self, config: DatapathConfig, scaling: Scaling, clip: Clip) -> Operands:
        """Quantize both for a datapath; activations of either sign as their own says.

        Raises:
            ValueError: One cannot be; the message names its file.
        """
        quantized = []
        for source, tensor, fmt, coarse_axis in (
            (self.sources[0], self.weights, config.weights, 0),
            (
                self.sources[1],
                self.activations,
                config.activation_format_for(self.activations.min(initial=0)),
                None,
            ),
        ):
            try:
                quantized.append(
                    quantize_clipped(
                        tensor,
                        fmt,
                        clip,
                        vector_size=config.vector_size,
                        coarse_axis=coarse_axis,
                        scaling=scaling,
                    )
                )
            except (TypeError, ValueError) as error:
                raise ValueError(f"{source}: {error}") from None
        return Operands(quantized[0], quantized[1], self.exact)


def load_matrices(weights: str, activations: str) -> Matrices:
    """Read two tensors whose product is to be computed.

    Raises:
        ValueError: A file that is no tensor file, no matrix, or two that do not fit; the message
            says which to transpose where that would do.
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
            f"reduction length, the second{_transposing(*tensors)}"
        )
    return Matrices((weights, activations), tensors[0], tensors[1])


def _transposing(weights: npt.NDArray[Any], activations: npt.NDArray[Any]) -> str:
    """What to transpose, where that makes two matrices fit; else nothing."""
    if weights.shape[0] == activations.shape[1]:
        return f": transpose the weights, to {weights.shape[::-1]}"
    if weights.shape[1] == activations.shape[0]:
        return f": transpose the activations, to {activations.shape[::-1]}"
    if weights.shape[0] == activations.shape[0]:
        return (
            f": transpose both, to {weights.shape[::-1]} and {activations.shape[::-1]}, "
            "if the first is the reduction"
        )
    return ""
