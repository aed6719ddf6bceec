"""Groups of convolutions as dense blocks, against loops."""

from itertools import pairwise

import numpy as np
import pytest

from scalewright.golden.network.blocks import gather, ranges, spread

# Output channels, input channels of a group, groups, vector size.
_CASES = [
    (12, 1, 12, 4),
    (24, 1, 12, 4),
    (6, 2, 3, 4),
    (9, 4, 3, 4),
    (48, 24, 2, 16),
    (10, 3, 5, 8),
    (64, 16, 4, 16),
    (7, 5, 1, 4),
    (5, 1, 5, 16),
]


@pytest.mark.parametrize(("channels", "inputs", "group", "size"), _CASES)
def test_a_block_has_each_weight_at_its_channel(
    channels: int, inputs: int, group: int, size: int
) -> None:
    weights = np.random.default_rng(0).integers(1, 99, (channels, 2, inputs))
    dense = np.zeros((channels, 2, group * inputs), weights.dtype)
    for m in range(channels):
        start = m // (channels // group) * inputs
        dense[m, :, start : start + inputs] = weights[m]
    found = np.zeros_like(dense)
    row = 0
    for block, first in spread(weights, group, size):
        found[row : row + len(block), :, first * size : first * size + block.shape[-1]] = block
        row += len(block)
    assert row == channels
    np.testing.assert_array_equal(found, dense)
    again = gather(spread(weights, group, size), inputs, group, size)
    np.testing.assert_array_equal(again, weights)


@pytest.mark.parametrize(("channels", "inputs", "group", "size"), _CASES)
def test_blocks_are_whole_vectors_of_results(
    channels: int, inputs: int, group: int, size: int
) -> None:
    blocks = [*ranges(channels, inputs, group, size)]
    assert [rows.start for rows, _ in blocks] == [0, *(rows.stop for rows, _ in blocks[:-1])]
    assert blocks[-1][0].stop == channels
    assert all(rows.stop % size == 0 for rows, _ in blocks[:-1])
    # Neighbours that take the same vectors are one.
    assert all(a != b for (_, a), (_, b) in pairwise(blocks))


def test_a_depthwise_convolution_takes_a_vector_each() -> None:
    blocks = [*ranges(40, 1, 40, 16)]
    assert blocks == [
        (slice(0, 16), slice(0, 1)),
        (slice(16, 32), slice(1, 2)),
        (slice(32, 40), slice(2, 3)),
    ]
