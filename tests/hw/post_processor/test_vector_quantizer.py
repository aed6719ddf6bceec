"""The RTL of the vector quantizer against golden; tests/hw/arithmetic/ has its steps."""

import pytest

from scalewright.golden.config import EngineConfig
from scalewright.sim.regression.configurations import sample
from scalewright.sim.regression.regress import Regression, regress


@pytest.mark.parametrize("config", sample("vector-quantizer"), ids=lambda config: config.slug)
def test_equals_golden(config: EngineConfig) -> None:
    # At full rate too: one beat per cycle after the documented latency.
    verdict = regress(Regression("vector-quantizer", config, 5000, 1, player="compiled"))
    assert verdict.failure is None, verdict.failure
    assert verdict.results > 5000
