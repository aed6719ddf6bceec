"""Random stalls and resets: rare enough that time goes into results."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from scalewright.sim.bench import stall
from scalewright.sim.bench.stall import Pattern

_STALLED, _RESET = 0.3, 0.1
_LATEST_RESET = 5000


def random_stalls(
    inputs: Sequence[str], outputs: Sequence[str], rng: np.random.Generator
) -> dict[str, Any]:
    """Options of a phase: stall patterns of some streams, and a cycle after which to reset."""
    options: dict[str, Any] = {"offers": _patterns(inputs, rng), "accepts": _patterns(outputs, rng)}
    if rng.random() < _RESET:
        options["reset_after"] = int(rng.integers(_LATEST_RESET))
    return options


def _patterns(streams: Sequence[str], rng: np.random.Generator) -> dict[str, Pattern]:
    return {
        name: stall.scattered(rng, float(rng.uniform(0.2, 0.9)))
        if rng.random() < 0.5
        else stall.bursts(rng, int(rng.integers(2, 20)))
        for name in streams
        if rng.random() < _STALLED
    }
