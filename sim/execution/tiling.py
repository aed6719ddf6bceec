"""Cuts layers into the engine's tiles: the words of its streams, and back from its results."""

from typing import Any

import numpy as np
import numpy.typing as npt

from scalewright.golden.composition import Operand, expand
from scalewright.golden.config import EngineConfig, Output
from scalewright.golden.layer import Layer, LayerResult
from scalewright.golden.quantized import Quantized
from scalewright.sim.bench.codec import Words
from scalewright.sim.bench.design import Design
from scalewright.sim.bench.element import element_bits, elements_of

WEIGHTS, PARAMETERS, ACTIVATIONS, RESULTS = "weights", "parameters", "activations", "results"


def layer_words(
    design: Design, config: EngineConfig, layer: Layer, activations: Operand
) -> dict[str, Words]:
    """Words of the three input streams for a layer (M, J, V) on activations (N, J, V).

    Tiles of L (or V) channels follow one another, each with all activation rows. A reduction that
    is longer than the weight buffer goes through it piece by piece, for one row and one group of L
    channels after the other: exact, but the weights come again for each row. Where an operand is
    wide, J counts what the engine sees: the pairs of digits, of golden/composition.py.
    """
    padded = layer.padded(config.channels)
    sent, activation_vectors = expand(padded.weights, activations, config.datapath)
    vectors = sent.elements.shape[1]
    weights = _weight_words(design, config, sent)
    inputs = _activation_words(design, config, activation_vectors)
    tiles, rows = len(weights), len(inputs)
    if vectors * config.groups <= config.depth:
        repeated = np.tile(inputs[:, None], (1, config.groups, 1, 1)).reshape(-1, inputs.shape[-1])
        repeated[-1] |= _last_word(design)
        parameters = _parameter_words(design, config, padded, config.groups, vectors, padded.output)
        return {
            WEIGHTS: weights.reshape(-1, weights.shape[-1]),
            PARAMETERS: parameters.reshape(-1, parameters.shape[-1]),
            ACTIVATIONS: np.tile(repeated, (tiles, 1)),
        }
    pieces = [
        slice(start, min(start + config.depth, vectors))
        for start in range(0, vectors, config.depth)
    ]
    streams: dict[str, list[Words]] = {WEIGHTS: [], PARAMETERS: [], ACTIVATIONS: []}
    for tile in range(tiles):
        for row in range(rows):
            for group in range(config.groups):
                channels = slice(group * config.lanes, (group + 1) * config.lanes)
                for piece in pieces:
                    output = padded.output if piece.stop == vectors else Output.PARTIAL
                    piece_parameters = _parameter_words(
                        design, config, padded, 1, piece.stop - piece.start, output
                    )
                    vector_words = inputs[row, piece].copy()
                    vector_words[-1] |= _last_word(design)
                    streams[WEIGHTS].append(
                        weights[tile, group, piece].reshape(-1, weights.shape[-1])
                    )
                    streams[PARAMETERS].append(piece_parameters[tile, channels])
                    streams[ACTIVATIONS].append(vector_words)
    return {port: np.concatenate(words) for port, words in streams.items()}


def result_words(design: Design, config: EngineConfig, result: LayerResult) -> Words:
    """Words of the result stream for the result of a padded layer."""
    codec = design.codec(RESULTS)
    fields: dict[str, npt.NDArray[Any]] = {}
    if result.vectors is not None:
        each = config.channels // config.datapath.vector_size
        elements = result.vectors.elements
        if config.datapath.either_sign:
            elements = element_bits(elements, config.output)
        fields["elements"] = _by_tile(elements, each)
        if result.vectors.scales is not None:
            fields["scale"] = _by_tile(result.vectors.scales, each)
        fields["saturated"] = _by_tile(result.saturated, each)
    else:
        assert result.values is not None
        beats = result.values.reshape(len(result.values), -1, config.post_lanes)
        marked = np.any(result.saturated.reshape(beats.shape), axis=-1)
        each = config.channels // config.post_lanes
        fields["values"] = _by_tile(beats, each)
        fields["saturated"] = _by_tile(np.asarray(marked), each)
    return codec.pack(fields)


def read_results(
    design: Design, config: EngineConfig, layer: Layer, rows: int, words: Words
) -> LayerResult:
    """The result of a layer, without the padding of its channels, from the result stream's words.

    Flags of values are those of their beats.
    """
    fields = design.codec(RESULTS).unpack(words)
    channels = layer.channels
    if layer.output is not Output.QUANTIZED:
        each = config.channels // config.post_lanes
        values = _by_row(fields["values"], rows, each).reshape(rows, -1)[:, :channels]
        marked = _by_row(fields["saturated"] != 0, rows, each)
        flags = np.repeat(marked, config.post_lanes, axis=1)[:, :channels]
        return LayerResult(vectors=None, values=values, saturated=flags)
    fmt = config.datapath.activation_format(signed=layer.output_signed)
    vector_size = config.datapath.vector_size
    each, kept = config.channels // vector_size, -(-channels // vector_size)
    elements = _by_row(fields["elements"], rows, each)[:, :kept]
    scales = None
    if fmt.scale_bits is not None:
        scales = _by_row(fields["scale"], rows, each)[:, :kept].astype(np.uint16)
    vectors = Quantized(
        elements=elements_of(elements, fmt),
        scales=scales,
        gamma=np.asarray(layer.gamma, np.float32),
        format=fmt,
        length=channels,
    )
    marked = _by_row(fields["saturated"] != 0, rows, each)[:, :kept]
    return LayerResult(vectors=vectors, values=None, saturated=marked)


def _by_tile(values: npt.NDArray[Any], each: int) -> npt.NDArray[Any]:
    """(N, T * each, ...) in the order of the stream: tile by tile, in each row by row."""
    split = values.reshape(len(values), -1, each, *values.shape[2:])
    return split.swapaxes(0, 1).reshape(-1, *values.shape[2:])


def _by_row(values: npt.NDArray[Any], rows: int, each: int) -> npt.NDArray[Any]:
    """The reverse: (N, T * each, ...)."""
    split = values.reshape(-1, rows, each, *values.shape[1:])
    return split.swapaxes(0, 1).reshape(rows, -1, *values.shape[1:])


def _weight_words(design: Design, config: EngineConfig, weights: Quantized) -> Words:
    """Words (T, G, J, L, B) of T tiles, G groups, J vectors and L lanes."""
    vectors = weights.elements.shape[1]

    def arrange(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        split = values.reshape(-1, config.groups, config.lanes, *values.shape[1:])
        return split.swapaxes(2, 3).reshape(-1, *values.shape[2:])

    fields: dict[str, npt.NDArray[Any]] = {"elements": arrange(weights.elements)}
    if weights.scales is not None:
        fields["scale"] = arrange(weights.scales)
    words = design.codec(WEIGHTS).pack(fields)
    return words.reshape(-1, config.groups, vectors, config.lanes, words.shape[-1])


def _parameter_words(
    design: Design, config: EngineConfig, layer: Layer, groups: int, vectors: int, output: Output
) -> Words:
    """Words (T, C, B) of T tiles of C channels."""
    rescaling = layer.rescaling
    count = layer.channels
    sign = {}
    if config.datapath.either_sign:  # results that are not quantized have none
        sign["output_signed"] = np.full(count, layer.output_signed is not False)
    words = design.codec(PARAMETERS).pack(
        {
            **sign,
            "mantissa": rescaling.mantissas,
            "exponent": rescaling.exponents,
            "bias": rescaling.biases,
            "vectors": np.full(count, vectors),
            "groups": np.full(count, groups),
            "output": np.full(count, int(output)),
            "activation_function": np.full(count, int(rescaling.activation_function)),
            "fraction_bits": np.full(count, layer.fraction_bits),
        }
    )
    return words.reshape(-1, config.channels, words.shape[-1])


def _activation_words(design: Design, config: EngineConfig, activations: Quantized) -> Words:
    """Words (N, J, B)."""
    elements = activations.elements
    fields: dict[str, npt.NDArray[Any]] = {
        "elements": elements.reshape(-1, activations.vector_size)
    }
    if config.datapath.either_sign:
        fields["elements"] = element_bits(fields["elements"], config.output)
        fields["signed"] = np.full(len(fields["elements"]), activations.format.signed)
    if activations.scales is not None:
        fields["scale"] = activations.scales.ravel()
    words = design.codec(ACTIVATIONS).pack(fields)
    return words.reshape(*elements.shape[:2], words.shape[-1])


def _last_word(design: Design) -> npt.NDArray[np.uint8]:
    word: npt.NDArray[np.uint8] = design.codec(ACTIVATIONS).pack({"last": np.ones(1, np.bool_)})[0]
    return word
