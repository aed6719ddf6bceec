"""Tensors for the OCTAV unit: usual distributions, degenerate ones, and a real network's."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from scalewright.golden.config import ELEMENT_BITS, OctavConfig, OperandFormat
from scalewright.golden.octav import Grid, step_constant
from scalewright.sim.demo.digits.network import Digits

Integers = npt.NDArray[np.int64]

# K for every element width, both grids, signed and unsigned.
CONSTANTS = sorted(
    {
        step_constant(OperandFormat(element_bits=bits, signed=signed), grid)
        for bits in ELEMENT_BITS
        for signed in (True, False)
        for grid in Grid
    }
)


# More levels of a ladder are tried nowhere; these need samples of 18 bits.
_LEVELS = 16


@dataclass(frozen=True, eq=False)
class Tensor:
    """Samples and the constant K to find their threshold with.

    Attributes:
        samples: (n,) integers.
        constant: K.
    """

    samples: Integers
    constant: int


def _uniform_sizes(rng: np.random.Generator, depth: int) -> int:
    """A size from 1 to the depth, small ones as likely as large ones."""
    return int(np.exp(rng.uniform(0, np.log(depth + 1))))


_DISTRIBUTIONS: tuple[Callable[[np.random.Generator, int], npt.NDArray[Any]], ...] = (
    lambda rng, n: rng.standard_normal(n),
    lambda rng, n: rng.laplace(size=n),
    lambda rng, n: rng.lognormal(size=n) * rng.choice([-1, 1], n),
    lambda rng, n: rng.standard_t(3, n),
    lambda rng, n: rng.standard_normal(n) * (rng.random(n) < 0.1),
    lambda rng, n: np.maximum(rng.standard_normal(n), 0),
    lambda rng, n: np.full(n, rng.standard_normal()),
    lambda rng, n: rng.choice([-8.0, 8.0], n),
    lambda rng, n: rng.choice([0, 1, 8.0], n, p=[0.2, 0.7, 0.1]),
    lambda rng, n: np.zeros(n),
)


def random_tensors(config: OctavConfig, count: int, rng: np.random.Generator) -> list[Tensor]:
    """Tensors of 1 to `depth` samples and every K, all distributions in turn."""
    tensors = []
    for number in range(count):
        real = _DISTRIBUTIONS[number % len(_DISTRIBUTIONS)](rng, _uniform_sizes(rng, config.depth))
        constant = CONSTANTS[int(rng.integers(len(CONSTANTS)))]
        tensors.append(Tensor(_to_samples(real, config, rng.uniform(0.02, 0.5)), constant))
    return tensors


def corner_tensors(config: OctavConfig) -> list[Tensor]:
    """Single samples, the extremes of the range, full and just over-full rows, two-cycles.

    And those of which a later pass finds nothing outside, up to the one that reaches the limit.
    """
    low, high = _range(config)
    depth, lanes = config.depth, config.lanes
    shapes = [
        np.array([0]),
        np.array([1]),
        np.array([-1]),
        np.array([low]),
        np.array([high]),
        np.full(depth, low),
        np.full(depth, high),
        np.where(np.arange(depth) % 2, low, high),
        np.where(np.arange(depth) == depth - 1, low, 0),
        np.where(np.arange(depth) == 0, high, 1),
        np.arange(depth) % (high - low + 1) + low,
        np.zeros(depth, np.int64),
        np.resize([high, 0, 1, low], min(lanes + 1, depth)),
        *(
            np.array(samples[:depth]).clip(low, high)
            for samples in ([1, -2], [1, 3, -4], [1, 7, 9, -10])
        ),
        *_ladders(config),
    ]
    return [
        Tensor(samples.astype(np.int64), constant)
        for samples in shapes
        for constant in (CONSTANTS[0], 12 * 7**2, CONSTANTS[-1])
    ]


def _ladders(config: OctavConfig) -> list[Integers]:
    """Ladders of the most levels that fit, at most the limit of the passes, and of one level less.

    With a large K, these end in the pass that reaches the limit: one as `limit`, the other, of
    which that pass finds nothing outside, as `fixed`.
    """
    most = min(config.max_iterations, _LEVELS)
    ladders = [_ladder(levels) for levels in range(1, most + 1)]
    low, _ = _range(config)
    return [each for each in ladders if len(each) <= config.depth and each.min() >= low][-2:]


def _ladder(levels: int) -> Integers:
    """Negative samples of which, with a large K, each pass brings one level more inside.

    Of n levels, pass n + 1 finds nothing outside. Each level is 1.4 times as frequent as the one
    above, and so far below it that the mean of both and all further up is below the one above, and
    rounds to less.
    """
    below, counts = [0], [1]  # distances from the uppermost level
    for level in range(1, levels):
        count = int(1.4**level)
        total = sum(number * far for number, far in zip(counts, below, strict=True))
        mean = below[-1] + 0.6
        below.append(math.ceil((mean * (sum(counts) + count) - total) / count))
        counts.append(count)
    return np.repeat(np.array(below) - below[-1] - 1, counts)


def vectors(config: OctavConfig, count: int, size: int, bits: int, seed: int) -> list[Tensor]:
    """Gaussian vectors of one size, with K of the narrow signed grid of `bits`."""
    rng = np.random.default_rng(seed)
    constant = step_constant(OperandFormat(element_bits=bits))
    return [
        Tensor(_to_samples(rng.standard_normal(size), config, 0.25), constant) for _ in range(count)
    ]


def network_tensors(config: OctavConfig) -> list[Tensor]:
    """The demo network's weights (a row each) and the activations of some images, at 4 bits."""
    digits = Digits.load()
    inputs: list[npt.NDArray[Any]] = []

    def record(_: int, weights: Any, x: Any) -> Any:
        inputs.append(x)
        return np.matmul(x, weights.T)

    digits.logits(record)
    signed = step_constant(OperandFormat(element_bits=4))
    unsigned = step_constant(OperandFormat(element_bits=4, signed=False))
    rows = [(row, signed) for weights in digits.weights for row in weights]
    rows += [(row, unsigned) for x in inputs for row in x[:40]]
    return [
        Tensor(_to_samples(row[: config.depth], config, 1 / np.abs(row).max(initial=1e-9)), k)
        for row, k in rows
    ]


def _range(config: OctavConfig) -> tuple[int, int]:
    return -(1 << (config.sample_bits - 1)), (1 << (config.sample_bits - 1)) - 1


def _to_samples(real: npt.NDArray[Any], config: OctavConfig, scale: float) -> Integers:
    """Real values as integer samples: 1 / scale at the end of the range, clipped there."""
    low, high = _range(config)
    return np.clip(np.rint(real * (scale * high)), low, high).astype(np.int64)
