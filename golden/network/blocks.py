"""Cuts the channels of grouped convolutions into blocks that the engine takes as dense layers.

Activations keep the vectors that they have: V channels of a pixel, whatever group they belong to. A
block is a run of output channels that take the same vectors; where these hold channels of other
groups, its weights are 0. So a depthwise convolution becomes blocks of V channels, of whose
multiplications one in V is of use, and groups of whole vectors lose nothing. Blocks begin at
multiples of V output channels, for their results to be whole vectors, too.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt


def ranges(
    channels: int, inputs: int, group: int, vector_size: int
) -> Iterator[tuple[slice, slice]]:
    """The blocks of M output channels in G groups: which channels, and which vectors they take.

    Args:
        channels: M, a multiple of G.
        inputs: Input channels of a group, C.
        group: G.
        vector_size: V.
    """
    if group == 1:
        yield slice(0, channels), slice(0, -(-inputs // vector_size))
        return
    outputs = channels // group
    begin, before = 0, None
    for start in range(0, channels, vector_size):
        last = min(start + vector_size, channels) - 1
        first = start // outputs * inputs // vector_size
        stop = -(-(last // outputs + 1) * inputs // vector_size)
        if before not in (None, (first, stop)):
            yield slice(begin, start), slice(*before)
            begin = start
        before = first, stop
    assert before is not None
    yield slice(begin, channels), slice(*before)


def spread(
    values: npt.NDArray[Any], group: int, vector_size: int
) -> Iterator[tuple[npt.NDArray[Any], int]]:
    """Values (M, ..., C) of a grouped convolution's weights as dense blocks (m, ..., K).

    Yields:
        Each block, 0 where a weight would belong to another group, and the first vector it takes.
    """
    channels, inputs = len(values), values.shape[-1]
    outputs, total = channels // group, group * inputs
    for rows, vectors in ranges(channels, inputs, group, vector_size):
        first = vectors.start * vector_size
        length = min(vectors.stop * vector_size, total) - first
        block = np.zeros((rows.stop - rows.start, *values.shape[1:-1], length), values.dtype)
        for each in range(rows.start // outputs, (rows.stop - 1) // outputs + 1):
            start, stop = max(rows.start, each * outputs), min(rows.stop, (each + 1) * outputs)
            place = each * inputs - first
            block[start - rows.start : stop - rows.start, ..., place : place + inputs] = values[
                start:stop
            ]
        yield block, vectors.start


def gather(
    blocks: Iterable[tuple[npt.NDArray[Any], int]], inputs: int, group: int, vector_size: int
) -> npt.NDArray[Any]:
    """The reverse of `spread`: (M, ..., C)."""
    blocks = list(blocks)
    if group == 1:
        return blocks[0][0]
    outputs = sum(len(block) for block, _ in blocks) // group
    rows, channel = [], 0
    for block, first in blocks:
        for row in block:
            place = channel // outputs * inputs - first * vector_size
            rows.append(row[..., place : place + inputs])
            channel += 1
    return np.stack(rows)
