"""A phase of a soak of the matrix engine."""

import numpy as np

from scalewright.golden.composition import Operand
from scalewright.golden.config import EngineConfig, Output
from scalewright.golden.layer import Layer
from scalewright.sim.bench.case import Case
from scalewright.sim.bench.design import Design
from scalewright.sim.execution.tiling import ACTIVATIONS, PARAMETERS, RESULTS, WEIGHTS
from scalewright.sim.soak.stalls import random_stalls
from scalewright.sim.stimulus.layers import random_layer
from scalewright.sim.testbenches.engine import case

# Activation vectors of a phase, about: a tenth of a second to play.
_VECTORS = 1 << 13
_LAYERS = 4
_LONGEST = 40
_OUTPUTS = (Output.QUANTIZED, Output.RESCALED, Output.ACCUMULATOR)


def soak(name: str, design: Design, config: EngineConfig, rng: np.random.Generator) -> Case:
    """A phase of random layers, now and then with stalls or with a reset in mid-stream.

    Args:
        name: Of the phase.
        design: The design.
        config: Its configuration.
        rng: Draws everything.
    """
    layers = [_layer(config, rng) for _ in range(_LAYERS)]
    stalls = random_stalls([WEIGHTS, PARAMETERS, ACTIVATIONS], [RESULTS], rng)
    return case(name, design, config, layers, **stalls)


def _layer(config: EngineConfig, rng: np.random.Generator) -> tuple[Layer, Operand]:
    most = config.depth // config.groups
    if rng.random() < 0.1:
        most *= 2  # longer than the buffer: weights are loaded again for each row
    length = int(rng.integers(1, min(most, _LONGEST), endpoint=True))
    channels = int(rng.integers(1, 2 * config.channels, endpoint=True))
    tiles = config.groups * -(-channels // config.channels)
    rows = max(1, _VECTORS // _LAYERS // (length * tiles))
    if length * config.groups > config.depth:
        rows = min(rows, 8)
    return random_layer(
        config,
        rng,
        rows=rows,
        channels=channels,
        vectors=length,
        output=_OUTPUTS[rng.integers(len(_OUTPUTS))],
        extreme=bool(rng.random() < 0.1),
    )
