"""One layer on the engine: a matrix product, rescaled and quantized, all of it in integers.

acc = sum over vectors                             golden/mac.py; of wide ones golden/composition.py
y   = g(sat_R(rne(acc * m / 2^e) + b))             golden/rescale.py, golden/activation.py
s_q, x_q of vectors of y                           golden/requantize.py
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from scalewright.golden import argument
from scalewright.golden.composition import Operand, expand, require_operand
from scalewright.golden.config import OUTPUT_FRACTION_BITS, EngineConfig, Output
from scalewright.golden.mac import MacResult, matmul
from scalewright.golden.quantized import Quantized
from scalewright.golden.requantize import requantize
from scalewright.golden.rescale import Rescaling, rescale


@dataclass(frozen=True, eq=False, kw_only=True)
class Layer:
    """What a layer does to its activations.

    Attributes:
        weights: (M, J, V), one gamma for each row; of wider elements where they are composed.
        rescaling: Factors and biases of the M channels, and the activation function.
        output: What becomes of the sums; not PARTIAL, which is for tiles of a layer.
        fraction_bits: f, fraction bits of y, 0 to 23.
        gamma: Coarse scale of the quantized results.
        output_signed: Whether quantized results are signed, where activations are of either sign;
            else None, or what they always are.

    Raises:
        TypeError, ValueError: Another type, a value out of range, or channels that do not fit.
    """

    weights: Operand
    rescaling: Rescaling
    output: Output
    fraction_bits: int = 0
    gamma: float = 1.0
    output_signed: bool | None = None

    def __post_init__(self) -> None:
        require_operand("weights", self.weights)
        argument.instance("rescaling", self.rescaling, Rescaling)
        argument.instance("output", self.output, Output)
        fractions = f"from {OUTPUT_FRACTION_BITS[0]} to {OUTPUT_FRACTION_BITS[-1]}"
        argument.integer("fraction_bits", self.fraction_bits, OUTPUT_FRACTION_BITS, fractions)
        argument.not_negative("gamma", argument.real("gamma", self.gamma), np.float32)
        if self.output_signed is not None:
            argument.instance("output_signed", self.output_signed, bool)
        if self.output is Output.PARTIAL:
            raise ValueError("output must be QUANTIZED, RESCALED or ACCUMULATOR, not PARTIAL")
        if len(self.weights.elements) != len(self.rescaling.mantissas):
            raise ValueError(
                f"rescaling must have {len(self.weights.elements)} channels like the weights, "
                f"not {len(self.rescaling.mantissas)}"
            )

    @property
    def channels(self) -> int:
        """Output channels M."""
        return len(self.weights.elements)

    def padded(self, multiple: int) -> "Layer":
        """The layer with channels that are 0 at its end, for M to become a multiple."""
        extra = -self.channels % multiple

        def pad(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
            return np.pad(values, [(0, extra)] + [(0, 0)] * (values.ndim - 1))

        padding: dict[str, Any] = {
            "elements": pad(self.weights.elements),
            "gamma": pad(self.weights.gamma),
        }
        if isinstance(self.weights, Quantized) and self.weights.scales is not None:
            padding["scales"] = pad(self.weights.scales)
        return replace(
            self,
            weights=replace(self.weights, **padding),
            rescaling=replace(
                self.rescaling,
                mantissas=pad(self.rescaling.mantissas),
                exponents=pad(self.rescaling.exponents),
                biases=pad(self.rescaling.biases),
            ),
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class LayerResult:
    """What a layer gives for N rows of activations.

    Attributes:
        vectors: With output QUANTIZED: (N, ceil(M / V), V) elements, their scales, and gamma.
        values: Otherwise: (N, M) int64, rescaled results or accumulators.
        saturated: Where an accumulator or a rescaled result saturated, bool: (N, ceil(M / V)),
            anywhere in the vector; or (N, M).
    """

    vectors: Quantized | None
    values: npt.NDArray[np.int64] | None
    saturated: npt.NDArray[np.bool_]


def run_layer(layer: Layer, activations: Operand, config: EngineConfig) -> LayerResult:
    """Run a layer on activations (N, J, V), of any format that the engine's lanes take.

    They may be of wider elements, as weights may.

    Raises:
        TypeError: Another type.
        ValueError: Operands that do not fit the configuration or each other; quantized results
            of a sign that the configuration does not have, or of either and none is said.
    """
    argument.instance("layer", layer, Layer)
    argument.instance("config", config, EngineConfig)
    if layer.rescaling.result_bits != config.result_bits:
        raise ValueError(
            f"rescaling must have results of {config.result_bits} bits, "
            f"not {layer.rescaling.result_bits}"
        )
    sums = matmul(*expand(layer.weights, activations, config.datapath), config.datapath)
    return finish_layer(layer, sums, config)


def finish_layer(layer: Layer, sums: MacResult, config: EngineConfig) -> LayerResult:
    """What a layer makes of its accumulators (N, M)."""
    if layer.output is Output.ACCUMULATOR:
        return LayerResult(vectors=None, values=sums.accumulators, saturated=sums.saturated)
    y, clipped = rescale(sums.accumulators, layer.rescaling)
    saturated = sums.saturated | (clipped != 0)
    if layer.output is Output.RESCALED:
        return LayerResult(vectors=None, values=y, saturated=saturated)
    vector_size = config.datapath.vector_size
    vectors = requantize(
        y,
        config.datapath.activation_format(signed=layer.output_signed),
        vector_size=vector_size,
        fraction_bits=layer.fraction_bits,
        gamma=layer.gamma,
    )
    padding = [(0, 0), (0, -layer.channels % vector_size)]
    marked = np.pad(saturated, padding).reshape(len(y), -1, vector_size)
    return LayerResult(vectors=vectors, values=None, saturated=np.any(marked, axis=-1))
