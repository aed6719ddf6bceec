"""The RTL of the rescaler against golden, in every configuration of the engine's covering set."""

import pytest

from golden.config import EngineConfig
from sim.coverage import ENGINES
from sim.regress import Regression, regress


@pytest.mark.parametrize("config", ENGINES, ids=lambda config: config.slug)
def test_equals_golden(config: EngineConfig) -> None:
    # At full rate too: one beat per cycle after the documented latency.
    verdict = regress(Regression("rescaler", config, transactions=20_000, seed=1))
    assert verdict.failure is None, verdict.failure
    assert verdict.results > 20_000
