"""Whole networks on integers: matrix products on the engine, other operators in floats beside it.

A quantized network is a list of steps. `Quantize` turns real numbers into vectors with scales: the
network's input, and what the host's operators give. `Product` is a layer of the engine: it takes
such vectors, and gives either vectors again or real numbers on a fixed grid. Anything else is a
`Node`, which the host computes in float32 from what vectors stand for.

Vectors lie along the reduction axis. A tensor of four axes is an image (N, C, H, W), whose vectors
lie along the channels; those of others lie along the last axis. A convolution is a product with
the vectors under its window, tap by tap (im2col).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np

from scalewright.golden.config import ActivationFunction, EngineConfig, Output
from scalewright.golden.layer import Layer, LayerResult, run_layer
from scalewright.golden.network.graph import Node, apply_operator, label
from scalewright.golden.network.operators import window_of
from scalewright.golden.quantize import as_finite_float32
from scalewright.golden.quantized import Floats, Quantized
from scalewright.golden.requantize import quantize_statically
from scalewright.golden.rescale import Rescaling, multiplier

# (N, ...) real numbers, channels first; or (N, ..., J, V) elements, channels last.
Tensor: TypeAlias = Floats | Quantized

# Runs one layer on activations; golden, or the hardware.
Run: TypeAlias = Callable[["Product", Layer, Quantized], LayerResult]


@dataclass(frozen=True, eq=False, kw_only=True)
class Quantize:
    """Quantize real numbers on the host.

    Attributes:
        name: Its name.
        input: Name of the tensor.
        output: Name of the vectors.
        gamma: Coarse scale.
        signed: Whether the vectors are; None for what activations always are.
    """

    name: str
    input: str
    output: str
    gamma: float
    signed: bool | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Product:
    """A matrix product or a convolution, rescaled, on the engine.

    Attributes:
        name: Its name.
        kind: Conv, Gemm or MatMul.
        input: Name of the vectors that it takes.
        output: Name of its result.
        weights: (M, kh, kw, J, V) or (M, J, V), one gamma for each output channel.
        bias: (M,), real.
        attributes: Of a convolution: kernel_shape, strides, pads, dilations, auto_pad.
        activation_function: What is applied to its results.
        unit: What 1 is worth in a rescaled result y: gamma * 2^-f where the result is quantized.
        gamma: Coarse scale of the quantized result; None where y itself is the result.
        signed: Whether the quantized result is; None for what activations always are.
    """

    name: str
    kind: str
    input: str
    output: str
    weights: Quantized
    bias: Floats
    attributes: Mapping[str, Any]
    activation_function: ActivationFunction
    unit: float
    gamma: float | None
    signed: bool | None = None

    @property
    def label(self) -> str:
        """How messages call it."""
        return label(self.output, self.kind, self.name)

    @property
    def fraction_bits(self) -> int:
        """Fraction bits f of y: gamma over unit is 2^f."""
        return 0 if self.gamma is None else round(np.log2(self.gamma / self.unit))

    @property
    def vectors(self) -> int:
        """Vectors of a sum, J, taps included."""
        return int(np.prod(self.weights.elements.shape[1:-1]))

    @property
    def length(self) -> int:
        """Multiplications for each number that it gives: K, taps included."""
        taps = int(np.prod(self.weights.elements.shape[1:-2]))
        return taps * self.weights.length

    def layer(self, input_gamma: float, config: EngineConfig) -> Layer:
        """The integers of the engine, for activations with a coarse scale.

        Raises:
            ValueError: A factor or a bias out of the engine's range.
        """
        shift = config.datapath.scale_product_shift
        scale = self.weights.gamma.astype(np.float64) * (input_gamma * 2.0**shift / self.unit)
        biases = np.rint(self.bias.astype(np.float64) / self.unit).astype(np.int64)
        try:
            mantissas, exponents = multiplier(scale)
            rescaling = Rescaling(
                mantissas=mantissas,
                exponents=exponents,
                biases=biases,
                result_bits=config.result_bits,
                activation_function=self.activation_function,
            )
        except ValueError as error:
            raise ValueError(f"{self.label}: {error}") from None
        return Layer(
            weights=_flat(self.weights, 1),
            rescaling=rescaling,
            output=Output.RESCALED if self.gamma is None else Output.QUANTIZED,
            fraction_bits=self.fraction_bits,
            gamma=1.0 if self.gamma is None else self.gamma,
            output_signed=self.signed,
        )

    def rows(self, activations: Quantized) -> tuple[Quantized, tuple[int, ...]]:
        """Activations (R, J, V) of the R products, and the shape that the R results have.

        Raises:
            ValueError: Activations of another shape than the weights want; names the node.
        """
        elements, scales = activations.elements, activations.scales
        where = self.label
        if (self.kind == "Conv") != (elements.ndim == 5):
            kind = "images" if self.kind == "Conv" else "rows of features"
            raise ValueError(f"{where}: must have {kind}, not {elements.ndim - 1} axes")
        if activations.length != self.weights.length:
            raise ValueError(
                f"{where}: activations must have {self.weights.length} channels, "
                f"not {activations.length}"
            )
        if self.kind == "Conv":
            try:
                window = window_of(elements.shape[1:3], **self.attributes)
                elements = window.slide(elements)
                scales = None if scales is None else window.slide(scales)
            except ValueError as error:
                raise ValueError(f"{where}: {error}") from None
        outer = elements.shape[: elements.ndim - self.weights.elements.ndim + 1]
        split = replace(
            activations,
            elements=np.ascontiguousarray(elements),
            scales=None if scales is None else np.ascontiguousarray(scales),
        )
        return _flat(split, len(outer)), outer


Step: TypeAlias = Quantize | Product | Node


@dataclass(frozen=True, eq=False, kw_only=True)
class Network:
    """A quantized network.

    Attributes:
        steps: What it does, in order.
        constants: Constants of the host's operators, by name.
        input: Name of its input tensor.
        output: Name of its output tensor.
        input_shape: Of its input, the batch first, None where any size will do; None if unknown.
    """

    steps: tuple[Step, ...]
    constants: Mapping[str, Any]
    input: str
    output: str
    input_shape: tuple[int | None, ...] | None = None

    @property
    def products(self) -> list[Product]:
        """The layers of the engine."""
        return [step for step in self.steps if isinstance(step, Product)]


def run_network(
    network: Network,
    x: Floats,
    config: EngineConfig,
    *,
    run: Run | None = None,
    progress: Callable[[int], None] | None = None,
) -> dict[str, Tensor]:
    """All tensors of a network for an input (N, ...).

    Args:
        network: The network.
        x: Its input.
        config: The engine.
        run: What runs a layer; golden by default.
        progress: Called with 1 for each step that is done.

    Raises:
        ValueError: An input that does not suit the network, NaN or infinity in it.
    """
    tensors: dict[str, Any] = {**network.constants, network.input: as_finite_float32(x)}
    for step in network.steps:
        if isinstance(step, Quantize):
            real = as_real(tensors[step.input])
            tensors[step.output] = quantize_statically(
                np.moveaxis(real, 1, -1) if real.ndim == 4 else real,
                config.datapath.activation_format(signed=step.signed),
                vector_size=config.datapath.vector_size,
                gamma=step.gamma,
            )
        elif isinstance(step, Product):
            activations = tensors[step.input]
            rows, outer = step.rows(activations)
            layer = step.layer(float(activations.gamma), config)
            result = (run or _run_golden(config))(step, layer, rows)
            tensors[step.output] = as_tensor(step, result, outer)
        else:
            inputs = [as_real(tensors[name]) for name in step.inputs]
            tensors[step.output] = apply_operator(step, inputs)
        if progress is not None:
            progress(1)
    names = (network.input, *(step.output for step in network.steps))
    return {name: tensors[name] for name in names}


def as_real(tensor: Tensor) -> Floats:
    """What a tensor stands for, float32, channels at axis 1 of an image."""
    if not isinstance(tensor, Quantized):
        return tensor
    real = tensor.dequantize()
    return np.moveaxis(real, -1, 1) if real.ndim == 4 else real


def as_tensor(product: Product, result: LayerResult, outer: tuple[int, ...]) -> Tensor:
    """The result of R products as a tensor of the network."""
    if result.vectors is not None:
        vectors = result.vectors
        return replace(
            vectors,
            elements=vectors.elements.reshape(*outer, *vectors.elements.shape[1:]),
            scales=None if vectors.scales is None else vectors.scales.reshape(*outer, -1),
        )
    assert result.values is not None
    real = result.values.astype(np.float32) * np.float32(product.unit)
    real = real.reshape(*outer, -1)
    return np.moveaxis(real, -1, 1) if product.kind == "Conv" else real


def _run_golden(config: EngineConfig) -> Run:
    return lambda _, layer, activations: run_layer(layer, activations, config)


def _flat(operand: Quantized, outer: int) -> Quantized:
    """An operand with `outer` leading axes, as (R, J, V), its padding a part of it."""
    elements, scales = operand.elements, operand.scales
    rows = int(np.prod(elements.shape[:outer]))
    return replace(
        operand,
        elements=elements.reshape(rows, -1, operand.vector_size),
        scales=None if scales is None else scales.reshape(rows, -1),
        length=-1,
        coarse_axis=None if operand.gamma.ndim == 0 else 0,
    )
