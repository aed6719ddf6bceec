"""Stimulus for the vector MAC: exhaustive where that is possible, then corners, then random.

A stream is a dictionary of arrays, one row per vector pair, with the fields of the input stream.
Activations are numbers, also where they are of either sign (sim/bench/element.py).
"""

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from scalewright.golden.composition import digit_pairs, expand
from scalewright.golden.config import DatapathConfig, OperandFormat
from scalewright.golden.quantized import Quantized
from scalewright.sim.stimulus.composed import compositions
from scalewright.sim.stimulus.layers import random_operand

Stream: TypeAlias = dict[str, npt.NDArray[Any]]

# Input combinations up to here are tried all.
_EXHAUSTIVE_BITS = 16
# Vectors of the longest sum.
_LONGEST = 1024


def element_products(config: DatapathConfig, rng: np.random.Generator) -> Stream:
    """Every pair of elements, one lane at a time and each lane in turn, other lanes at 0."""
    pairs = [
        np.meshgrid(_patterns(config.weights), _patterns(fmt), indexing="ij")
        for fmt in config.activation_formats
    ]
    weight = np.concatenate([w.ravel() for w, _ in pairs])
    activation = np.concatenate([a.ravel() for _, a in pairs])
    signed = np.repeat([fmt.signed for fmt in config.activation_formats], pairs[0][0].size)
    count = weight.size
    lanes = np.arange(count)[:, None] % config.vector_size == np.arange(config.vector_size)
    # Rows in random order: no pair keeps to one lane.
    order = rng.permutation(count)
    weight_scale, activation_scale = _smallest_scales(config)
    return _stream(
        config,
        weights=np.where(lanes, weight.reshape(-1, 1)[order], 0),
        activations=np.where(lanes, activation.reshape(-1, 1)[order], 0),
        signed=signed[order],
        weight_scale=np.full(count, weight_scale),
        activation_scale=np.full(count, activation_scale),
        last=np.ones(count, np.bool_),
    )


def scale_products(config: DatapathConfig, rng: np.random.Generator) -> Stream:
    """Every pair of scales, or corners and random ones where there are too many; dot = +-1."""
    weight, activation = config.weights.scale_max, config.activations.scale_max
    if config.full_scale_product_bits <= _EXHAUSTIVE_BITS:
        sw, sa = (index.ravel() for index in np.indices((weight + 1, activation + 1)))
    else:
        count = 1 << (_EXHAUSTIVE_BITS - 2)
        sw, sa = _scales(rng, weight, count), _scales(rng, activation, count)
    count = len(sw)
    lane = rng.integers(config.vector_size, size=(count, 1)) == np.arange(config.vector_size)
    return _stream(
        config,
        weights=np.where(lane, rng.choice([-1, 1], (count, 1)), 0),
        activations=np.where(lane, 1, 0),
        signed=np.arange(count) % 2 == 0,
        weight_scale=sw,
        activation_scale=sa,
        last=np.ones(count, np.bool_),
    )


def corners(config: DatapathConfig, rng: np.random.Generator) -> Stream:
    """Vectors of extreme elements and scales, in sums that saturate above, below and both."""
    weight_rows = _corner_vectors(config.weights, config.vector_size)
    by_format = [_corner_vectors(fmt, config.vector_size) for fmt in config.activation_formats]
    activation_rows = np.concatenate(by_format)
    signs = np.repeat([fmt.signed for fmt in config.activation_formats], [*map(len, by_format)])
    w, a = (index.ravel() for index in np.indices((len(weight_rows), len(activation_rows))))
    singles = len(w)
    # Then sums of one sign, of the other, and one after the other: saturation must stick.
    top = _extreme_pair(config, 1)
    bottom = _extreme_pair(config, -1)
    runs = [[top] * _LONGEST, [bottom] * _LONGEST]
    runs += [[top] * n + [bottom] * n for n in (1, 2, 40)]
    runs += [[bottom] * n + [top] * n for n in (1, 2, 40)]
    rows = [row for run in runs for row in run]
    count = singles + len(rows)
    ends = np.cumsum([1] * singles + [len(run) for run in runs]) - 1
    last = np.zeros(count, np.bool_)
    last[ends] = True
    weight_scale = _scales(rng, config.weights.scale_max, count)
    activation_scale = _scales(rng, config.activations.scale_max, count)
    weight_scale[singles:] = config.weights.scale_max
    activation_scale[singles:] = config.activations.scale_max
    return _stream(
        config,
        weights=np.concatenate([weight_rows[w], np.array([row[0] for row in rows])]),
        activations=np.concatenate([activation_rows[a], np.array([row[1] for row in rows])]),
        signed=np.concatenate([signs[a], np.array([row[2] for row in rows])]),
        weight_scale=weight_scale,
        activation_scale=activation_scale,
        last=last,
    )


def random(config: DatapathConfig, vectors: int, rng: np.random.Generator) -> Stream:
    """Sums of 1 to 100 random vectors, some of narrow range, some sparse, some cut off.

    Activations of either sign change it from vector to vector, at random or each time; or never. A
    few sums have no `first`, and go on from the one before; a few are dropped by the `first` of
    the next, before their `last`.
    """
    last = np.zeros(vectors, np.bool_)
    lengths = np.minimum(rng.geometric(rng.choice([1.0, 0.5, 0.05], vectors)), 100)
    ends = np.cumsum(lengths) - 1
    last[ends[ends < vectors]] = True
    if vectors:
        last[-1] = True
    stream = _stream(
        config,
        weights=_elements(rng, config.weights, vectors, config.vector_size),
        **_activations(rng, config, vectors),
        weight_scale=_scales(rng, config.weights.scale_max, vectors),
        activation_scale=_scales(rng, config.activations.scale_max, vectors),
        last=last,
    )
    stream["first"] &= rng.random(vectors) < 0.95
    stream["first"] |= rng.random(vectors) < 0.01
    return stream


def composed(config: DatapathConfig, vectors: int, rng: np.random.Generator) -> Stream | None:
    """Sums of wide vectors, as pairs of digits; None where the datapath cannot compose any.

    In every composition that it can do, about `vectors` wide vectors each: random ones, and then
    extreme ones, whose sums saturate.
    """
    kinds: list[Stream] = []
    for formats in compositions(config):
        for extreme in (False, True):
            count = max(4, vectors // 2)
            shape = (1, count, config.vector_size)
            weights, activations = (
                random_operand(fmt, shape, rng, extreme=extreme) for fmt in formats
            )
            w, a = expand(weights, activations, config)
            last = np.zeros((count, digit_pairs(weights, activations)), np.bool_)
            last[:, -1] = rng.random(count) < rng.choice([1.0, 0.5, 0.05], count)
            last[-1, -1] = True
            kinds.append(
                _stream(
                    config,
                    weights=w.elements[0],
                    activations=a.elements[0],
                    signed=np.full(a.elements.shape[1], a.format.signed),
                    weight_scale=_scales_of(w),
                    activation_scale=_scales_of(a),
                    last=last.ravel(),
                )
            )
    if not kinds:
        return None
    return {name: np.concatenate([kind[name] for kind in kinds]) for name in kinds[0]}


def everything(config: DatapathConfig, vectors: int, rng: np.random.Generator) -> Stream:
    """All kinds in one stream, `vectors` of them random."""
    kinds = [element_products(config, rng)]
    if config.full_scale_product_bits:
        kinds.append(scale_products(config, rng))
    kinds += [corners(config, rng), random(config, vectors, rng)]
    return {name: np.concatenate([kind[name] for kind in kinds]) for name in kinds[0]}


def _stream(
    config: DatapathConfig,
    *,
    weights: npt.NDArray[Any],
    activations: npt.NDArray[Any],
    signed: npt.NDArray[Any],
    weight_scale: npt.NDArray[Any],
    activation_scale: npt.NDArray[Any],
    last: npt.NDArray[np.bool_],
) -> Stream:
    """Keep the fields that this configuration has; each sum starts after the one before."""
    stream = {"weights": weights, "activations": activations}
    if config.weights.scale_bits is not None:
        stream["weight_scale"] = weight_scale
    if config.activations.scale_bits is not None:
        stream["activation_scale"] = activation_scale
    if config.either_sign:
        stream["activation_signed"] = signed
    first = np.roll(last, 1)
    first[:1] = True
    return {**stream, "first": first, "last": last}


def _scales_of(operand: Quantized) -> npt.NDArray[Any]:
    """Scales (J,) of an operand (1, J, V); 1 where it has none."""
    if operand.scales is None:
        return np.ones(operand.elements.shape[1], np.uint16)
    scales: npt.NDArray[np.uint16] = operand.scales[0]
    return scales


def _patterns(fmt: OperandFormat) -> npt.NDArray[np.int64]:
    return np.arange(fmt.element_min, fmt.qmax + 1)


def _corner_vectors(fmt: OperandFormat, size: int) -> npt.NDArray[np.int64]:
    """Rows of extreme vectors: constant, alternating, ramps, and single lanes."""
    values = [fmt.element_min, fmt.qmin, 0, 1, fmt.qmax] + ([-1] if fmt.signed else [])
    lane = np.arange(size)
    rows = [np.full(size, value) for value in values]
    rows += [np.where(lane % 2, fmt.qmax, fmt.element_min), np.where(lane % 2, 0, fmt.qmax)]
    rows += [fmt.element_min + lane % (fmt.qmax - fmt.element_min + 1)]
    rows += [np.where(lane == hot, fmt.qmax, 0) for hot in (0, size // 2, size - 1)]
    return np.array(rows, np.int64)


def _extreme_pair(config: DatapathConfig, sign: int) -> tuple[list[int], list[int], bool]:
    """A vector pair whose dot product is the largest of its sign, and whether it is signed."""
    weights = config.weights
    pairs = [
        (w, a, fmt.signed)
        for w in (weights.element_min, weights.qmax)
        for fmt in config.activation_formats
        for a in (fmt.element_min, fmt.qmax)
    ]
    w, a, signed = max(pairs, key=lambda pair: sign * pair[0] * pair[1])
    return [w] * config.vector_size, [a] * config.vector_size, signed


def _smallest_scales(config: DatapathConfig) -> tuple[int, int]:
    """The scales of smallest product that does not round to 0."""
    smallest = 1 << max(config.scale_product_shift - 1, 0)
    pairs = [(sw, -(-smallest // sw)) for sw in range(1, config.weights.scale_max + 1)]
    fitting = [pair for pair in pairs if pair[1] <= config.activations.scale_max]
    return min(fitting, key=lambda pair: pair[0] * pair[1])


def _elements(
    rng: np.random.Generator, fmt: OperandFormat, vectors: int, size: int
) -> npt.NDArray[np.int16]:
    # Narrow numbers: a soak draws billions.
    values = rng.integers(fmt.element_min, fmt.qmax, (vectors, size), np.int16, endpoint=True)
    kind = rng.integers(4, size=vectors, dtype=np.uint8)
    narrow, sparse, extreme = (np.flatnonzero(kind == number) for number in range(3))
    some = values[narrow]
    values[narrow] = np.where(some & 3, some & 1, some >> 1)
    values[sparse] *= rng.integers(10, size=(len(sparse), size), dtype=np.uint8) == 0
    values[extreme] = np.where(values[extreme] > 0, fmt.qmax, fmt.element_min)
    return values


def _activations(
    rng: np.random.Generator, config: DatapathConfig, vectors: int
) -> dict[str, npt.NDArray[Any]]:
    """Random activations and their flags."""
    drawn = [_elements(rng, fmt, vectors, config.vector_size) for fmt in config.activation_formats]
    if len(drawn) == 1:
        return {"activations": drawn[0], "signed": np.full(vectors, config.activations.signed)}
    place = np.arange(vectors)
    signed = rng.random(vectors) < 0.5
    signed[place % 64 < 16] = (place % 2 == 0)[place % 64 < 16]
    signed[place % 64 >= 56] = bool(rng.integers(2))
    return {"activations": np.where(signed[:, None], *drawn), "signed": signed}


def _scales(rng: np.random.Generator, scale_max: int, count: int) -> npt.NDArray[np.int64]:
    """Random scales, a third of them extreme."""
    extreme = rng.choice(
        [0, 1, scale_max // 2, scale_max // 2 + 1, scale_max - 1, scale_max], count
    )
    return np.where(rng.random(count) < 1 / 3, extreme, rng.integers(0, scale_max + 1, count))
