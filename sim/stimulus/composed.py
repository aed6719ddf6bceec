"""Random operands of wider elements: what a datapath can compose, at the corners of its digits."""

import numpy as np

from scalewright.golden.config import DatapathConfig, Format, WideFormat, compose
from scalewright.golden.wide import Wide


def compositions(config: DatapathConfig) -> list[tuple[Format, Format]]:
    """The formats that weights and activations may have where one or both are composed."""
    weights = config.weights
    possible: list[tuple[Format, Format]] = []
    for activations in config.activation_formats:
        for composed in ((weights, None), (None, activations), (weights, activations)):
            try:
                wide = compose(config, weights=composed[0], activations=composed[1])
            except ValueError:  # too few scale bits, or products that would be rounded
                continue
            possible.append((wide[0] or weights, wide[1] or activations))
    return possible


def random_wide(
    fmt: WideFormat, shape: tuple[int, int, int], rng: np.random.Generator, *, extreme: bool
) -> Wide:
    """Wide elements (rows, J, V), many where a digit changes; with `extreme`, at an end."""
    low, high = fmt.qmin, fmt.qmax
    elements = rng.integers(low, high, shape, endpoint=True)
    # Next to the multiples of r, and half way between them.
    digits = rng.integers(fmt.digits.qmin, fmt.digits.qmax, shape, endpoint=True)
    beside = rng.choice([-1, 0, 1, fmt.ratio // 2, fmt.ratio // 2 + 1], shape)
    corners = np.clip(fmt.ratio * digits + beside, low, high)
    elements = np.where(rng.random(shape) < 0.5, elements, corners)
    # All-zero vectors keep the scales of their digits.
    elements[rng.random(shape[:2]) < 0.1] = 0
    if extreme:
        # The same sign along a row: sums reach the accumulator's limits.
        elements = np.where(rng.random((shape[0], 1, 1)) < 0.5, low, high) + 0 * elements
    return Wide(
        elements=elements.astype(np.int32),
        gamma=np.ones(shape[0], np.float32),
        format=fmt,
        coarse_axis=0,
    )
