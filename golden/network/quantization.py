"""Quantizes networks: weights once and for all, coarse scales of activations by calibration.

Each product with constant weights becomes a layer of the engine, with an activation function behind
it a part of it. Where all that follows merely moves or selects values until the next product, its
result is quantized; else it is a rescaled number, exact to the engine's result bits.

The coarse scale of activations is static: with M-bit per-vector scales,

    gamma = threshold / (qmax * (2^M - 1))        threshold: the largest of the vectors' thresholds
    unit  = gamma * 2^-f                           f as large as results of R bits allow

rounded up to a few significant bits (golden/network/calibration.py).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from scalewright.golden.activation import OPERATORS
from scalewright.golden.calibration import Clip, quantize_clipped
from scalewright.golden.config import (
    OUTPUT_FRACTION_BITS,
    ActivationFunction,
    EngineConfig,
    OperandFormat,
)
from scalewright.golden.network import Network, Product, Quantize, Step
from scalewright.golden.network.calibration import SMALLEST_SCALE, Calibration
from scalewright.golden.network.graph import MATRIX_KINDS, Graph, Node, evaluate
from scalewright.golden.quantize import Scaling
from scalewright.golden.quantized import Floats, Quantized

# They give values that were there before.
_MOVING = ("MaxPool", "Flatten", "Reshape", "Transpose")


@dataclass(frozen=True, eq=False, kw_only=True)
class Trained:
    """What quantization-aware training has settled, by the names of the products.

    Each product then quantizes its own input, as it did in training, so that the engine quantizes
    only results that go straight to a product.

    Attributes:
        weights: Quantized weights, one gamma for each output channel.
        gammas: Coarse scale of the activations that a product takes.
    """

    weights: Mapping[str, Quantized] = field(default_factory=dict)
    gammas: Mapping[str, float] = field(default_factory=dict)


def quantize_network(
    graph: Graph,
    inputs: Floats,
    config: EngineConfig,
    clip: Clip,
    *,
    scaling: Scaling = Scaling.NEAREST,
    trained: Trained | None = None,
    progress: Callable[[int], None] | None = None,
) -> Network:
    """Quantize a network for the engine.

    Args:
        graph: The network in floats.
        inputs: Calibration inputs (N, ...), as it will see them.
        config: The engine.
        clip: How clipping thresholds are chosen, of weights and of activations.
        scaling: How the per-vector scales of weights are rounded.
        trained: Integers and scales that stand already; of every product, or None.
        progress: Called with 1 for each node that is evaluated, and for each that is quantized.

    Raises:
        ValueError: An operator that is not supported, inputs that do not suit the network, negative
            activations where the configuration's are unsigned, factors out of range; the message
            names the node.
    """
    products = [node for node in graph.nodes if node.kind in MATRIX_KINDS]
    if not products:
        raise ValueError("the network has no product with constant weights: nothing to quantize")
    tensors = evaluate(graph, inputs, progress=progress)
    for node in graph.nodes:
        if not np.isfinite(tensors[node.output]).all():
            raise ValueError(f"{node.label}: its result on the inputs has NaN or infinity")
    calibration = Calibration(tensors, config, clip)
    steps: list[Step] = []
    vectors: dict[str, tuple[str, float]] = {}  # tensors with the name and gamma of their vectors
    absorbed: set[str] = set()  # of activation functions that are a part of a product

    def gamma_of(tensor: str, node: Node) -> float:
        return trained.gammas[node.name] if trained else calibration.gamma(tensor, node)

    def format_of(tensor: str) -> OperandFormat:
        # Training knows one format.
        return config.output if trained else calibration.format_of(tensor)

    def vectors_of(tensor: str, node: Node) -> tuple[str, float]:
        if node.kind != "Conv" and calibration.tensors[tensor].ndim == 4:
            raise ValueError(f"{node.label}: must have three axes at most, not 4")
        if trained and vectors.get(tensor, ("", gamma_of(tensor, node)))[1] != gamma_of(
            tensor, node
        ):
            raise ValueError(
                f"{node.label}: its input {tensor} goes to another product, too, with another "
                f"coarse scale: {vectors[tensor][1]:.6g} and {gamma_of(tensor, node):.6g}"
            )
        if tensor not in vectors:
            gamma = gamma_of(tensor, node)
            name = f"{tensor}_quantized"
            while name in calibration.tensors or name in graph.constants:
                name += "_"
            signed = format_of(tensor).signed
            steps.append(Quantize(name=name, input=tensor, output=name, gamma=gamma, signed=signed))
            vectors[tensor] = name, gamma
        return vectors[tensor]

    for node in graph.nodes:
        if progress is not None:
            progress(1)
        if node.output in absorbed:
            continue
        if node.kind not in MATRIX_KINDS:
            steps.append(node)
            continue
        name, input_gamma = vectors_of(node.inputs[0], node)
        function, output = _activation_behind(graph, node)
        absorbed.add(output)
        following = _next_product(graph, output, () if trained else _MOVING)
        gamma = None if following is None else gamma_of(output, following)
        if trained:
            weights = trained.weights[node.name]
        else:
            weights = _quantize_weights(graph, node, config, clip, scaling)
        bias = _bias(graph, node, len(weights.gamma))
        if gamma is None:
            unit = calibration.unit(
                output, node, bias, _largest_factor(weights, input_gamma, config)
            )
        else:
            levels = format_of(output).qmax * config.output.scale_max
            unit = _finest_unit(node.label, gamma, levels, weights, input_gamma, bias, config)
            vectors[output] = output, gamma
        attributes = dict(node.attributes) if node.kind == "Conv" else {}
        if node.kind == "Conv":
            attributes.pop("group", None)
            attributes["kernel_shape"] = graph.constants[node.inputs[1]].shape[2:]
        product = Product(
            name=node.name,
            kind=node.kind,
            input=name,
            output=output,
            weights=weights,
            bias=bias,
            attributes=attributes,
            activation_function=function,
            unit=unit,
            gamma=gamma,
            signed=None if gamma is None else format_of(output).signed,
        )
        steps.append(_as_computed(product, input_gamma, config))
    used = {name for step in steps if isinstance(step, Node) for name in step.inputs}
    constants = {name: value for name, value in graph.constants.items() if name in used}
    return Network(
        steps=tuple(steps),
        constants=constants,
        input=graph.input,
        output=graph.output,
        input_shape=graph.input_shape,
    )


def _as_computed(product: Product, input_gamma: float, config: EngineConfig) -> Product:
    """The product with the factors and the bias that the engine computes with.

    Its gammas change by 2^-17 at most, its bias by half a unit, and who computes with these in
    floats finds what the engine finds, but for the rounding of floats.
    """
    rescaling = product.layer(input_gamma, config).rescaling  # raises where something does not fit
    factors = np.ldexp(rescaling.mantissas.astype(np.float64), -rescaling.exponents)
    gamma = factors * product.unit / (input_gamma * 2.0**config.datapath.scale_product_shift)
    return replace(
        product,
        weights=replace(product.weights, gamma=gamma.astype(np.float32)),
        bias=(rescaling.biases * product.unit).astype(np.float32),
    )


def weight_matrix(node: Node, weights: Floats) -> Floats:
    """Weights of a node with output channels first and the reduction last: (M, ..., K).

    Raises:
        ValueError: Weights of a shape that the node cannot have; the message names it.
    """
    if node.kind == "Conv":
        if node.attributes.get("group", 1) != 1 or weights.ndim != 4:
            raise ValueError(
                f"{node.label}: must have two dimensions and one group, not weights "
                f"{weights.shape} and {node.attributes.get('group', 1)} groups"
            )
        return weights.transpose(0, 2, 3, 1)
    if weights.ndim != 2:
        raise ValueError(f"{node.label}: weights must be a matrix, not {weights.shape}")
    if node.kind == "Gemm":
        plain = {"alpha": 1.0, "beta": 1.0, "transA": 0}
        for name, value in plain.items():
            if node.attributes.get(name, value) != value:
                raise ValueError(
                    f"{node.label}: {name} must be {value:g}, not {node.attributes[name]}"
                )
        if node.attributes.get("transB", 0):
            return weights
    return weights.T


def product_problems(graph: Graph) -> list[str]:
    """Why products of a network cannot be quantized, whatever the inputs; each names its node."""
    problems = []
    for node in graph.nodes:
        if node.kind not in MATRIX_KINDS or any(n not in graph.constants for n in node.inputs[1:]):
            continue  # not for this function to say
        try:
            weights = weight_matrix(node, graph.constants[node.inputs[1]])
            _bias(graph, node, len(weights))
        except ValueError as error:
            problems.append(str(error))
            continue
        for name in node.inputs[1:]:
            values = graph.constants[name]
            if values.size == 0 or not np.isfinite(values).all():
                what = "no elements" if values.size == 0 else "NaN or infinity"
                problems.append(f"{node.label}: its constant {name} {values.shape} has {what}")
    return problems


def _quantize_weights(
    graph: Graph, node: Node, config: EngineConfig, clip: Clip, scaling: Scaling
) -> Quantized:
    return quantize_clipped(
        weight_matrix(node, graph.constants[node.inputs[1]]),
        config.datapath.weights,
        clip,
        vector_size=config.datapath.vector_size,
        coarse_axis=0,
        scaling=scaling,
    )


def _bias(graph: Graph, node: Node, channels: int) -> Floats:
    if len(node.inputs) < 3:
        return np.zeros(channels, np.float32)
    bias = np.asarray(graph.constants[node.inputs[2]], np.float32)
    if bias.size not in (1, channels) or bias.shape[-1:] not in ((), (bias.size,)):
        raise ValueError(
            f"{node.label}: its bias must have one number for each of "
            f"{channels} channels, not shape {bias.shape}"
        )
    return np.ascontiguousarray(np.broadcast_to(bias.reshape(-1), channels))


def _activation_behind(graph: Graph, node: Node) -> tuple[ActivationFunction, str]:
    """The activation function that alone takes the result of a node; the tensor it gives."""
    consumers = graph.consumers(node.output)
    if len(consumers) == 1 and consumers[0].kind in OPERATORS and node.output != graph.output:
        return OPERATORS[consumers[0].kind], consumers[0].output
    return ActivationFunction.IDENTITY, node.output


def _next_product(graph: Graph, tensor: str, moving: tuple[str, ...]) -> Node | None:
    """The product that takes a tensor, moved at most; None if it meets anything else first."""
    found: Any = None
    for node in graph.consumers(tensor):
        if node.kind in MATRIX_KINDS:
            found = node
        elif node.kind in moving:
            found = _next_product(graph, node.output, moving)
        else:
            return None
        if found is None:
            return None
    return None if tensor == graph.output else found


def _finest_unit(
    node: str,
    gamma: float,
    levels: int,
    weights: Quantized,
    input_gamma: float,
    bias: Floats,
    config: EngineConfig,
) -> float:
    """Gamma * 2^-f with the largest f at which the grid, the bias and the factors fit."""
    limit = (1 << (config.result_bits - 1)) - 1
    largest_factor = _largest_factor(weights, input_gamma, config)
    for fraction_bits in reversed(OUTPUT_FRACTION_BITS):
        unit = gamma * 2.0**-fraction_bits
        if (
            (levels << fraction_bits <= limit or fraction_bits == 0)
            and unit >= SMALLEST_SCALE
            and np.abs(np.rint(bias.astype(np.float64) / unit)).max() <= limit
            and largest_factor / unit < 1 << 16
        ):
            return unit
    raise ValueError(
        f"{node}: its bias, {np.abs(bias).max():.4g}, does not fit results of "
        f"{config.result_bits} bits in units of {gamma:.4g}"
    )


def _largest_factor(weights: Quantized, input_gamma: float, config: EngineConfig) -> float:
    """What 1 is worth in an accumulator, at most."""
    return float(weights.gamma.max()) * input_gamma * 2.0**config.datapath.scale_product_shift
