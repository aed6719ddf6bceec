"""Values that change in the course of training."""

import math


def cosine(progress: float, start: float, end: float, *, begin: float = 0.0) -> float:
    """From `start` to `end` along half a cosine.

    Args:
        progress: Share of the training that is done, 0 to 1.
        start: The value up to `begin`.
        end: The value at 1.
        begin: Share of the training after which the value changes.
    """
    share = min(max((progress - begin) / (1 - begin), 0.0), 1.0)
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2
