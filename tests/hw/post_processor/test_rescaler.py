"""The RTL of the rescaler against golden, in a sample of the covering set."""

from dataclasses import replace
from pathlib import Path

import pytest

from scalewright.golden.config import DatapathConfig, EngineConfig
from scalewright.sim.blocks import design_of
from scalewright.sim.regression.configurations import covering, sample
from scalewright.sim.regression.regress import Regression, regress
from tests.benches.faults import Fault


@pytest.mark.parametrize("config", sample("rescaler"), ids=lambda config: config.slug)
def test_equals_golden(config: EngineConfig) -> None:
    # At full rate too: one beat per cycle after the documented latency.
    verdict = regress(Regression("rescaler", config, 20_000, 1, player="compiled"))
    assert verdict.failure is None, verdict.failure
    assert verdict.results > 20_000


def test_multipliers_are_operators_where_they_are_for_dsps_only() -> None:
    config = EngineConfig(datapath=DatapathConfig.parse("4/4U/4/6"))
    for dsp in (False, True):
        verilog = design_of("rescaler", replace(config, dsp_multipliers=dsp)).verilog
        # Once: the lanes are one module.
        assert verilog.count(" * ") == int(dsp)
        assert verilog.count("rescaler_sub_rescaler_lane u_") == config.post_lanes
        assert ("full_adders_" in verilog) != dsp


def test_accumulators_narrower_than_results_keep_their_sign() -> None:
    # C = 16 and R = 32: the shifted product has fewer bits than what the bias is added to. The
    # sample need not have this pair.
    datapath = DatapathConfig.parse("4/4/4/6", accumulator_bits=16)
    config = EngineConfig(datapath=datapath, result_bits=32, post_lanes=1)
    verdict = regress(Regression("rescaler", config, transactions=3000, seed=1))
    assert verdict.failure is None, verdict.failure


def test_a_forgotten_sign_is_seen(tmp_path: Path) -> None:
    fault = Fault(
        "rescaler_lane", {"{{2{s1_shifted_0[32]}}, s1_shifted_0[32:1]}": "s1_shifted_0[32:1]"}
    )
    failures = [
        fault.verdict("rescaler", config, tmp_path, 300).failure
        for config in covering("rescaler")
        if (config.datapath.accumulator_bits, config.result_bits) == (16, 32)
    ]
    assert failures
    assert None not in failures
