"""A phase of a soak of the vector MAC."""

import numpy as np

from scalewright.golden.config import DatapathConfig
from scalewright.sim.bench.case import Case
from scalewright.sim.bench.design import Design
from scalewright.sim.soak.stalls import random_stalls
from scalewright.sim.stimulus import vector_pairs
from scalewright.sim.testbenches.vector_mac import INPUT, OUTPUT, case

# A tenth of a second to play.
_VECTORS = 1 << 16


def soak(name: str, design: Design, config: DatapathConfig, rng: np.random.Generator) -> Case:
    """A phase of random vector pairs, now and then with stalls or with a reset in mid-stream.

    Args:
        name: Of the phase.
        design: The design.
        config: Its configuration.
        rng: Draws everything.
    """
    stream = vector_pairs.random(config, _VECTORS, rng)
    if rng.random() < 0.2:
        # Long sums, of which many saturate.
        stream["first"] &= rng.random(_VECTORS) < 0.1
    return case(name, design, config, stream, **random_stalls([INPUT], [OUTPUT], rng))
