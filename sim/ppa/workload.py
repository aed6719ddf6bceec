"""What hardware works on while its energy is measured: real tensors, as it would see them."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from scalewright.golden.config import ActivationFunction, DatapathConfig, EngineConfig, Output
from scalewright.golden.mac import matmul
from scalewright.golden.quantize import quantize
from scalewright.golden.rescale import multiplier
from scalewright.sim.demo.digits.network import Digits

Array = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Tensors:
    """Matrices whose product the datapath computes.

    Attributes:
        name: What they are.
        weights: (M, K) float32.
        activations: (N, K) float32.
    """

    name: str
    weights: npt.NDArray[np.floating]
    activations: npt.NDArray[np.floating]


def digits_tensors() -> Tensors:
    """The second layer of the demo's perceptron, (64, 128), and its inputs behind a ReLU."""
    digits = Digits.load()
    hidden = digits.images @ digits.weights[0].T + digits.biases[0]
    return Tensors("digits", digits.weights[1], np.maximum(hidden, np.float32(0)))


def spread_tensors() -> Tensors:
    """Gaussian numbers whose size varies from 16 to 16 elements, log-normally (sigma = 1)."""
    rng = np.random.default_rng(0)
    weights, activations = (
        rng.normal(size=(rows, 128)) * np.repeat(rng.lognormal(size=(rows, 8)), 16, axis=1)
        for rows in (64, 360)
    )
    return Tensors("spread", weights.astype(np.float32), activations.astype(np.float32))


def vector_pairs(
    tensors: Tensors,
    config: DatapathConfig,
    count: int,
    *,
    elements_of: DatapathConfig | None = None,
) -> dict[str, Array]:
    """The vector pairs of the first `count` steps of one lane of an engine.

    The lane holds one row of weights, one after the other, while rows of activations pass by; each
    pair of rows takes J vector pairs. Rows are drawn at random, always the same.

    Args:
        tensors: The matrices.
        config: The datapath.
        count: T.
        elements_of: A datapath with scales to whose elements the tensors are quantized in place of
            `config`, which has none: what the scales cost, and not what they do to the elements.

    Returns:
        The arguments of golden/mac.py's `trace_stream` for T = `count` vector pairs.
    """
    rng = np.random.default_rng(1)
    size = config.vector_size
    source = elements_of or config
    weights = quantize(tensors.weights, source.weights, vector_size=size, coarse_axis=0)
    fmt = source.activation_format_for(float(tensors.activations.min()))
    activations = quantize(tensors.activations, fmt, vector_size=size)
    steps = weights.elements.shape[1]
    products = -(-count // steps)
    # A row of weights stays for eight rows of activations.
    rows = np.repeat(rng.integers(len(weights.elements), size=-(-products // 8)), 8)[:products]
    columns = rng.integers(len(activations.elements), size=products)
    pairs: dict[str, Array] = {}
    for name, operand, chosen, fmt in (
        ("weight", weights, rows, config.weights),
        ("activation", activations, columns, config.activations),
    ):
        pairs[f"{name}s"] = operand.elements[chosen].reshape(-1, size)[:count].astype(np.int64)
        if operand.scales is not None and fmt.scale_bits is not None:
            pairs[f"{name}_scale"] = operand.scales[chosen].reshape(-1)[:count].astype(np.int64)
    if config.either_sign:
        pairs["activation_signed"] = np.full(count, int(activations.format.signed))
    place = np.arange(count) % steps
    pairs["first"] = (place == 0).astype(np.int64)
    pairs["last"] = (place == steps - 1).astype(np.int64)
    return pairs


def accumulator_beats(tensors: Tensors, config: EngineConfig, count: int) -> dict[str, Array]:
    """The first `count` accumulators that a rescaler of one lane sees, channel after channel.

    Factors bring the largest result to half of the range of y; biases are 0, negative results
    become 0.

    Args:
        tensors: The matrices.
        config: The engine; Q = 1.
        count: T.

    Returns:
        The members of `AccumulatorBeat`, (T,) or (T, 1).
    """
    datapath, size = config.datapath, config.datapath.vector_size
    weights = quantize(tensors.weights, datapath.weights, vector_size=size, coarse_axis=0)
    rows = np.arange(-(-count // len(tensors.weights))) % len(tensors.activations)
    fmt = datapath.activation_format_for(float(tensors.activations.min()))
    activations = quantize(tensors.activations[rows], fmt, vector_size=size)
    accumulators = matmul(weights, activations, datapath).accumulators
    largest = np.abs(accumulators * weights.gamma.astype(np.float64)).max() or 1.0
    mantissas, exponents = multiplier(weights.gamma / largest * 2.0 ** (config.result_bits - 2))
    channels = {
        "accumulators": accumulators,
        "mantissas": np.broadcast_to(mantissas, accumulators.shape),
        "exponents": np.broadcast_to(exponents, accumulators.shape),
        "biases": np.zeros_like(accumulators),
    }
    beats = {name: values.reshape(-1, 1)[:count] for name, values in channels.items()}
    flags = {
        "saturated": 0,
        "activation_function": ActivationFunction.RELU.value,
        "output": Output.QUANTIZED.value,
        "fraction_bits": 0,
    }
    return {**beats, **{name: np.full(len(beats["biases"]), flag) for name, flag in flags.items()}}
