"""Random layers for the engine: legal bit patterns, with results that fill the range of y."""

import numpy as np
import numpy.typing as npt

from scalewright.golden.composition import Operand, expand
from scalewright.golden.config import (
    EXPONENTS,
    OUTPUT_FRACTION_BITS,
    ActivationFunction,
    EngineConfig,
    Format,
    Output,
    WideFormat,
)
from scalewright.golden.layer import Layer
from scalewright.golden.mac import matmul
from scalewright.golden.quantized import Quantized
from scalewright.golden.rescale import Rescaling, multiplier
from scalewright.sim.stimulus.composed import random_wide


def random_operand(
    fmt: Format, shape: tuple[int, int, int], rng: np.random.Generator, *, extreme: bool
) -> Operand:
    """An operand (rows, J, V); with `extreme`, elements and scales at the ends of their ranges."""
    if isinstance(fmt, WideFormat):
        return random_wide(fmt, shape, rng, extreme=extreme)
    low, high = fmt.element_min, fmt.qmax
    elements = rng.integers(low, high, shape, endpoint=True)
    scales = rng.integers(0, fmt.scale_max, shape[:2], endpoint=True)
    if extreme:
        # The same sign along a row: sums reach the accumulator's limits.
        elements = np.where(rng.random((shape[0], 1, 1)) < 0.5, low, high) + 0 * elements
        scales = np.full(shape[:2], fmt.scale_max)
    return Quantized(
        elements=elements.astype(np.int8 if fmt.signed else np.uint8),
        scales=None if fmt.scale_bits is None else scales.astype(np.uint16),
        gamma=np.ones(shape[0], np.float32),
        format=fmt,
        coarse_axis=0,
    )


def random_rescaling(
    peaks: npt.NDArray[np.int64],
    result_bits: int,
    function: ActivationFunction,
    rng: np.random.Generator,
) -> Rescaling:
    """Factors that bring channels with these peaks near the ends of y, and corners among them."""
    count = len(peaks)
    reach = np.exp2(rng.uniform(-3, 1.5, count) + result_bits - 1)
    mantissas, exponents = multiplier(np.minimum(reach / np.maximum(peaks, 1), (1 << 16) - 1))
    corner = rng.random(count)
    mantissas = np.where(corner < 0.04, 0, mantissas)
    exponents = np.where((corner > 0.04) & (corner < 0.08), EXPONENTS[-1], exponents)
    exponents = np.where((corner > 0.08) & (corner < 0.12), 0, exponents)
    # Powers of two give ties.
    mantissas = np.where(corner > 0.9, 1 << 15, mantissas)
    limit = 1 << (result_bits - 1)
    biases = rng.integers(-limit, limit, count) >> rng.integers(0, result_bits, count)
    biases = np.where(corner > 0.97, rng.choice([-limit, limit - 1], count), biases)
    return Rescaling(
        mantissas=mantissas,
        exponents=exponents,
        biases=biases,
        result_bits=result_bits,
        activation_function=function,
    )


def random_layer(
    config: EngineConfig,
    rng: np.random.Generator,
    *,
    rows: int,
    channels: int,
    vectors: int,
    output: Output,
    extreme: bool = False,
    formats: tuple[Format, Format] | None = None,
) -> tuple[Layer, Operand]:
    """A layer (channels, vectors, V) and activations (rows, vectors, V) for it.

    `formats` are those of weights and activations where one of them is composed. Activations and
    quantized results of either sign are of one at random, each by itself.
    """
    datapath = config.datapath
    signs = datapath.activation_formats
    weight_format, activation_format = formats or (
        datapath.weights,
        signs[rng.integers(len(signs))] if datapath.either_sign else signs[0],
    )
    shape = (channels, vectors, datapath.vector_size)
    weights = random_operand(weight_format, shape, rng, extreme=extreme)
    activations = random_operand(activation_format, (rows, *shape[1:]), rng, extreme=extreme)
    output_signed = bool(rng.integers(2)) if datapath.either_sign else None
    sums = matmul(*expand(weights, activations, datapath), datapath).accumulators
    function = ActivationFunction(rng.choice(list(ActivationFunction)))
    rescaling = random_rescaling(np.abs(sums).max(axis=0), config.result_bits, function, rng)
    # Mostly so that the largest y asks for a scale within range.
    levels = datapath.activation_format(signed=output_signed).qmax * config.output.scale_max
    fitting = max(0, config.result_bits - 1 - levels.bit_length())
    fraction_bits = int(np.clip(fitting + rng.integers(-2, 3), 0, OUTPUT_FRACTION_BITS[-1]))
    if rng.random() < 0.2:
        fraction_bits = int(rng.integers(len(OUTPUT_FRACTION_BITS)))
    layer = Layer(
        weights=weights,
        rescaling=rescaling,
        output=output,
        fraction_bits=fraction_bits,
        output_signed=output_signed,
    )
    return layer, activations
