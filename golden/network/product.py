"""Matrix products of a network as layers of the engine, and their results as tensors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from scalewright.golden.composition import Operand
from scalewright.golden.config import ActivationFunction, EngineConfig, Output
from scalewright.golden.layer import Layer, LayerResult
from scalewright.golden.network.blocks import gather
from scalewright.golden.network.graph import label
from scalewright.golden.network.vectors import Tensor, Vectors, flat, rearranged, scales_of
from scalewright.golden.network.window import window_of
from scalewright.golden.quantized import Floats, Quantized
from scalewright.golden.rescale import Rescaling, multiplier
from scalewright.golden.wide import Wide


@dataclass(frozen=True, eq=False, kw_only=True)
class Block:
    """Output channels that take the same vectors of activations.

    Attributes:
        weights: (m, kh, kw, J, V) or (m, J, V), one gamma for each output channel; maybe of wider
            elements.
        first: Which vector of a pixel is the first of the J.
    """

    weights: Operand
    first: int = 0


@dataclass(frozen=True, eq=False)
class Part:
    """A layer of the engine, and the rows of activations (R, J, V) that it takes."""

    layer: Layer
    activations: Operand


@dataclass(frozen=True, eq=False, kw_only=True)
class Product:
    """A matrix product or a convolution, rescaled, on the engine.

    Attributes:
        name: Its name.
        kind: Conv, Gemm or MatMul.
        input: Name of the vectors that it takes as activations.
        output: Name of its result.
        blocks: Its weights; none where they are activations, too.
        right: Name of the vectors that it takes in the place of weights, or None.
        bias: (M,), real; empty where there are no weights.
        attributes: Of a convolution: kernel_shape, strides, pads, dilations, auto_pad.
        group: Groups of a convolution.
        activation_function: What is applied to its results.
        unit: What 1 is worth in a rescaled result y: gamma * 2^-f where the result is quantized.
        gamma: Coarse scale of the quantized result; None where y itself is the result.
        signed: Whether the quantized result is; None for what activations always are.
        wide_input: Whether its activations are of wider elements.
    """

    name: str
    kind: str
    input: str
    output: str
    blocks: tuple[Block, ...] = ()
    right: str | None = None
    bias: Floats = field(default_factory=lambda: np.zeros(0, np.float32))
    attributes: Mapping[str, Any] = field(default_factory=dict)
    group: int = 1
    activation_function: ActivationFunction
    unit: float
    gamma: float | None
    signed: bool | None = None
    wide_input: bool = False

    @property
    def wide_weights(self) -> bool:
        """Whether its weights are of wider elements."""
        return any(isinstance(block.weights, Wide) for block in self.blocks)

    @property
    def digit_pairs(self) -> int:
        """Vector pairs that the engine takes for each pair of vectors: 1, 2 or 4."""
        return 1 << (self.wide_input + self.wide_weights)

    def shift(self, config: EngineConfig) -> int:
        """Bits of the scale products that are rounded off: accumulators count in 2^shift.

        Those of wider elements are sums of plain products.
        """
        return 0 if self.digit_pairs > 1 else config.datapath.scale_product_shift

    @property
    def label(self) -> str:
        """How messages call it."""
        return label(self.output, self.kind, self.name)

    @property
    def fraction_bits(self) -> int:
        """Fraction bits f of y: gamma over unit is 2^f."""
        return 0 if self.gamma is None else round(np.log2(self.gamma / self.unit))

    @property
    def axis(self) -> int:
        """Along which axis its activations and its results have their vectors."""
        return 1 if self.kind == "Conv" else -1

    @property
    def channels(self) -> int:
        """Output channels M of its weights."""
        return sum(len(block.weights.elements) for block in self.blocks)

    @property
    def gammas(self) -> Floats:
        """Coarse scales (M,) of its weights."""
        return np.concatenate([block.weights.gamma for block in self.blocks])

    @property
    def inputs(self) -> int:
        """Input channels of a group."""
        last = self.blocks[-1]
        total = last.first * last.weights.vector_size + last.weights.length
        return total // self.group

    @property
    def vectors(self) -> int:
        """Vectors of the longest of its sums, J, taps included; 0 without weights."""
        sizes = [int(np.prod(block.weights.elements.shape[1:-1])) for block in self.blocks]
        return max(sizes, default=0)

    @property
    def length(self) -> int:
        """Multiplications for each number that it gives: K, taps included; 0 without weights."""
        if not self.blocks:
            return 0
        return int(np.prod(self.blocks[0].weights.elements.shape[1:-2])) * self.inputs

    def weights(self) -> Floats:
        """What its weights stand for, (M, kh, kw, C) or (M, K)."""
        blocks = [(block.weights.dequantize(), block.first) for block in self.blocks]
        return gather(blocks, self.inputs, self.group, self.blocks[0].weights.vector_size)

    def parts(
        self, activations: Vectors, right: Vectors | None, config: EngineConfig
    ) -> tuple[list[Part], tuple[int, ...]]:
        """The layers that make it up, with what each takes, and the shape of the rows of results.

        Args:
            activations: What it takes as activations.
            right: What it takes in the place of weights, where it has none.
            config: The engine.

        Raises:
            ValueError: Operands of a shape that it cannot have, a factor or a bias out of the
                engine's range; names the node.
        """
        try:
            if right is not None:
                left = activations.values
                assert isinstance(left, Quantized)
                assert isinstance(right.values, Quantized)
                return self._stack(left, right.values, config)
            return self._blocks(activations.values, config)
        except ValueError as error:
            raise ValueError(f"{self.label}: {error}") from None

    def layer(
        self, weights: Operand, bias: Floats, input_gamma: float, config: EngineConfig
    ) -> Layer:
        """The integers of the engine for weights (m, ..., J, V).

        Raises:
            ValueError: A factor or a bias out of the engine's range.
        """
        shift = self.shift(config)
        scale = weights.gamma.astype(np.float64) * (input_gamma * 2.0**shift / self.unit)
        biases = np.rint(bias.astype(np.float64) / self.unit).astype(np.int64)
        mantissas, exponents = multiplier(scale)
        return Layer(
            weights=flat(weights, 1),
            rescaling=Rescaling(
                mantissas=mantissas,
                exponents=exponents,
                biases=biases,
                result_bits=config.result_bits,
                activation_function=self.activation_function,
            ),
            output=Output.RESCALED if self.gamma is None else Output.QUANTIZED,
            fraction_bits=self.fraction_bits,
            gamma=1.0 if self.gamma is None else self.gamma,
            output_signed=self.signed,
        )

    def layers(self, input_gamma: float, config: EngineConfig) -> list[Layer]:
        """The layers of its blocks, as `layer` makes them."""
        layers, start = [], 0
        for block in self.blocks:
            stop = start + len(block.weights.elements)
            layers.append(self.layer(block.weights, self.bias[start:stop], input_gamma, config))
            start = stop
        return layers

    def tensor(self, results: Sequence[LayerResult], outer: tuple[int, ...]) -> Tensor:
        """The results of its parts as a tensor of the network."""
        values = joined(results, 0 if self.right is not None else 1)
        if values.vectors is not None:
            vectors = values.vectors
            elements, scales = vectors.elements, vectors.scales
            split = replace(
                vectors,
                elements=elements.reshape(*outer, *elements.shape[1:]),
                scales=None if scales is None else scales.reshape(*outer, -1),
            )
            return Vectors(values=split, axis=self.axis)
        assert values.values is not None
        real = values.values.astype(np.float32) * np.float32(self.unit)
        return np.moveaxis(real.reshape(*outer, -1), -1, self.axis)

    def _blocks(
        self, activations: Operand, config: EngineConfig
    ) -> tuple[list[Part], tuple[int, ...]]:
        if activations.length != self.inputs * self.group:
            raise ValueError(
                f"activations must have {self.inputs * self.group} channels, "
                f"not {activations.length}"
            )
        elements, scales, outer = self._windows(activations)
        axes = len(outer)
        parts = []
        for block, layer in zip(
            self.blocks, self.layers(float(activations.gamma), config), strict=True
        ):
            stop = block.first + block.weights.elements.shape[-2]
            taken = rearranged(
                activations,
                np.ascontiguousarray(elements[..., block.first : stop, :]),
                None if scales is None else np.ascontiguousarray(scales[..., block.first : stop]),
                length=-1,
            )
            parts.append(Part(layer, flat(taken, axes)))
        return parts, outer

    def _windows(
        self, activations: Operand
    ) -> tuple[npt.NDArray[Any], npt.NDArray[Any] | None, tuple[int, ...]]:
        """Elements (..., J, V) and scales under each position, taps before vectors; the shape."""
        elements, scales = activations.elements, scales_of(activations)
        if self.kind != "Conv":
            return elements, scales, elements.shape[:-2]
        axes = len(self.attributes["kernel_shape"])
        if elements.ndim != axes + 3:
            raise ValueError(f"must have {axes + 2} axes, not {elements.ndim - 1}")
        window = window_of(elements.shape[1 : axes + 1], **self.attributes)

        def slide(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
            return window.slide(values) if axes == 2 else window.slide(values[:, None])[:, 0]

        elements = slide(elements)
        return elements, None if scales is None else slide(scales), elements.shape[: axes + 1]

    def _stack(
        self, activations: Quantized, right: Quantized, config: EngineConfig
    ) -> tuple[list[Part], tuple[int, ...]]:
        """One layer for each matrix of the right operand."""
        if activations.elements.ndim < 3 or right.elements.ndim < 3:
            raise ValueError("both operands must be matrices, or stacks of matrices")
        if activations.length != right.length:
            raise ValueError(
                f"operands must have one length along the reduction, not {activations.length} and "
                f"{right.length}"
            )
        stack = np.broadcast_shapes(activations.elements.shape[:-3], right.elements.shape[:-3])
        rows = activations.elements.shape[-3]

        def matrices(operand: Quantized) -> list[Quantized]:
            shape = (*stack, *operand.elements.shape[-3:])
            elements = np.broadcast_to(operand.elements, shape).reshape(-1, *shape[-3:])
            scales: Any = [None] * len(elements)
            if operand.scales is not None:
                scales = np.broadcast_to(operand.scales, shape[:-1]).reshape(-1, *shape[-3:-1])
            return [
                replace(operand, elements=e, scales=s, length=-1)
                for e, s in zip(elements, scales, strict=True)
            ]

        columns = right.elements.shape[-3]
        gammas = np.broadcast_to(right.gamma, (columns,)).astype(np.float32)
        whole = replace(matrices(right)[0], gamma=gammas, coarse_axis=0)
        bias = np.zeros(columns, np.float32)
        layer = self.layer(whole, bias, float(activations.gamma), config)
        parts = [
            Part(replace(layer, weights=replace(each, gamma=gammas, coarse_axis=0)), left)
            for each, left in zip(matrices(right), matrices(activations), strict=True)
        ]
        return parts, (*stack, rows)


def joined(results: Sequence[LayerResult], axis: int) -> LayerResult:
    """Results as one: of consecutive rows (axis 0), or of consecutive channels (axis 1)."""
    first = results[0]
    if len(results) == 1:
        return first
    saturated = np.concatenate([result.saturated for result in results], axis=axis)
    if first.vectors is None:
        values = np.concatenate(
            [result.values for result in results if result.values is not None], axis=axis
        )
        return LayerResult(vectors=None, values=values, saturated=saturated)
    parts = [result.vectors for result in results if result.vectors is not None]
    scales = [part.scales for part in parts if part.scales is not None]
    vectors = replace(
        first.vectors,
        elements=np.concatenate([part.elements for part in parts], axis=axis),
        scales=np.concatenate(scales, axis=axis) if scales else None,
        length=sum(part.length for part in parts) if axis == 1 else first.vectors.length,
    )
    return LayerResult(vectors=vectors, values=None, saturated=saturated)
