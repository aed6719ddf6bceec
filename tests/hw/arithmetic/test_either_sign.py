"""Dot products of activations of either sign, of all vector sizes, against Python's integers."""

from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from amaranth.sim import Simulator

from scalewright.golden.config import VECTOR_SIZES, DatapathConfig
from scalewright.hw.arithmetic.either_sign import signed_digits
from scalewright.hw.mac.dot_product import DotProduct

_digits: Any = signed_digits  # untyped, as all of hw/
# In 4 lanes, test_compressor.py proves those of up to 4 bits.
_WIDTHS = ((2, 2), (3, 8), (8, 3), (4, 4), (8, 8))


def _operands(
    config: DatapathConfig, rng: np.random.Generator
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Weights and bits of activations, (T, V): anything, and extremes of one kind or of two."""
    shape = (60, config.vector_size)
    weights = rng.integers(config.weights.element_min, config.weights.qmax, shape, endpoint=True)
    top = 1 << config.activations.element_bits
    activations = rng.integers(top, size=shape)
    weight_ends = [config.weights.element_min, -1, 0, config.weights.qmax]
    activation_ends = [top // 2, 0, top // 2 - 1, top - 1]
    for row in range(16):
        weights[row], activations[row] = weight_ends[row % 4], activation_ends[row // 4]
    weights[16:30] = rng.choice(weight_ends, weights[16:30].shape)
    activations[20:34] = rng.choice(activation_ends, activations[20:34].shape)
    return weights, activations


@pytest.mark.parametrize("vector_size", VECTOR_SIZES)
@pytest.mark.parametrize(("weight_bits", "activation_bits"), _WIDTHS)
def test_equals_integers(weight_bits: int, activation_bits: int, vector_size: int) -> None:
    config = DatapathConfig.parse(f"{weight_bits}/{activation_bits}X/-/-", vector_size=vector_size)
    dot_product = DotProduct(config)
    weights, activations = _operands(config, np.random.default_rng(vector_size))
    got: list[int] = []
    want: list[int] = []

    async def process(ctx: Any) -> None:
        for row, (w, a) in enumerate(zip(weights.tolist(), activations.tolist(), strict=True)):
            # Each with both signs, one behind the other.
            for is_signed in (row % 2, 1 - row % 2):
                ctx.set(dot_product.weights, w)
                ctx.set(dot_product.activations, a)
                ctx.set(dot_product.activation_signed, is_signed)
                await ctx.tick()
                got.append(ctx.get(dot_product.dot))
                half = 1 << activation_bits - 1
                values = [x - 2 * half if is_signed and x >= half else x for x in a]
                want.append(sum(x * y for x, y in zip(w, values, strict=True)))

    simulator = Simulator(dot_product)
    simulator.add_clock(1e-6)
    simulator.add_testbench(process)
    simulator.run()
    assert got == want


def test_numbers_are_the_sums_of_their_digits_with_no_two_neighbours() -> None:
    for number in range(-1000, 1000):
        digits = _digits(number)
        assert sum(digit << place for place, digit in enumerate(digits)) == number
        assert set(digits) <= {-1, 0, 1}
        assert not any(one and other for one, other in pairwise(digits))
