"""The RTL of the engine against golden, in a sample of the covering set."""

import gc

import numpy as np
import pytest

from scalewright.golden.config import DatapathConfig, EngineConfig, Output
from scalewright.hw.engine import Engine
from scalewright.sim.blocks import design_of
from scalewright.sim.execution.tiling import ACTIVATIONS
from scalewright.sim.regression.configurations import sample
from scalewright.sim.regression.regress import Regression, regress
from scalewright.sim.simulators.build import PLAYER, build
from scalewright.sim.simulators.simulation import simulate
from scalewright.sim.stimulus.layers import random_layer
from scalewright.sim.testbenches.engine import engine_phase


@pytest.mark.parametrize("config", sample("engine"), ids=lambda config: config.slug)
def test_equals_golden(config: EngineConfig) -> None:
    # One vector per sum, a full buffer, reductions longer than it, channels that fill no tile,
    # saturation, layers back to back with every kind of output; stalls on every port, resets.
    verdict = regress(Regression("engine", config, 6000, 1, player="compiled"))
    assert verdict.failure is None, verdict.failure
    assert verdict.mismatches == 0
    assert verdict.results > 500


def _utilisation(config: EngineConfig, *, rows: int, channels: int, length: int) -> float:
    """Share of the cycles, from the first offer to the last result, in which the MACs are busy."""
    design = design_of("engine", config)
    layer, activations = random_layer(
        config,
        np.random.default_rng(0),
        rows=rows,
        channels=channels,
        vectors=-(-length // config.datapath.vector_size),
        output=Output.QUANTIZED,
    )
    phase, _ = engine_phase("layer", design, config, [(layer, activations)])
    outcome = simulate(build(design, simulator=PLAYER), [phase]).outcomes[0]
    assert not outcome.failed
    return len(phase.inputs[ACTIVATIONS]) / outcome.cycles


def test_is_busy_in_98_of_100_cycles_of_a_256_by_256_layer_on_64_rows() -> None:
    # 16 tiles of 64 rows of 16 vectors: 16,384 busy cycles. Beyond these only the weights of the
    # first tile, 16 lanes of 16 vectors, and the last results: computed 16,384 / (16,384 + 256) at
    # most.
    config = EngineConfig(datapath=DatapathConfig.parse("4/4U/4/6"))
    busy = _utilisation(config, rows=64, channels=256, length=256)
    assert 0.98 < busy <= 16384 / (16384 + 16)


# Amaranth warns of the component whose constructor raised, when it is collected.
@pytest.mark.filterwarnings("ignore:.*never used:amaranth.hdl.UnusedElaboratable")
def test_takes_a_configuration_only() -> None:
    with pytest.raises(TypeError, match=r"^config must be an EngineConfig, not '4/4/4/6'$"):
        Engine("4/4/4/6")  # type: ignore[arg-type]  # what is tested
    gc.collect()
