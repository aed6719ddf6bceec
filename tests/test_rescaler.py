"""The RTL of the rescaler against golden, in every configuration of the engine's covering set."""

from dataclasses import replace

import pytest

from golden.config import EngineConfig
from sim.coverage import ENGINES
from sim.design import Design
from sim.regress import Regression, regress


@pytest.mark.parametrize("config", ENGINES, ids=lambda config: config.slug)
def test_equals_golden(config: EngineConfig) -> None:
    # At full rate too: one beat per cycle after the documented latency.
    verdict = regress(Regression("rescaler", config, transactions=20_000, seed=1))
    assert verdict.failure is None, verdict.failure
    assert verdict.results > 20_000


def test_multipliers_are_operators_where_they_are_for_dsps_only() -> None:
    config = replace(ENGINES[0], dsp_multipliers=False)
    for dsp in (False, True):
        verilog = Design.of("rescaler", replace(config, dsp_multipliers=dsp)).verilog
        assert verilog.count(" * ") == (config.post_lanes if dsp else 0)
        assert ("full_adders_" in verilog) != dsp
