"""The RTL of the OCTAV unit against golden: threshold, iterations and reason of every tensor."""

import gc
import re
from pathlib import Path

import numpy as np
import pytest

from scalewright.golden.config import OctavConfig
from scalewright.golden.octav import End
from scalewright.hw.octav import OctavUnit
from scalewright.sim.blocks import design_of
from scalewright.sim.regression.configurations import sample
from scalewright.sim.regression.regress import Regression, regress
from scalewright.sim.simulators.build import PLAYER, build
from scalewright.sim.simulators.simulation import simulate
from scalewright.sim.stimulus import tensors as octav_stimulus
from scalewright.sim.testbenches.octav import case, golden, step_latency


@pytest.mark.parametrize("config", sample("octav"), ids=lambda config: config.slug)
def test_equals_golden(config: OctavConfig) -> None:
    # Corners, the demo network, random tensors with every kind of stall, resets in mid-iteration;
    # a resident unit takes exactly the documented number of cycles.
    verdict = regress(Regression("octav", config, 400, 1, player="compiled"))
    assert verdict.failure is None, verdict.failure
    assert verdict.transactions > 1000


@pytest.mark.parametrize(
    ("resident", "tensors"), [(True, 7000), (False, 3000)], ids=["resident", "streaming"]
)
def test_equals_golden_on_ten_thousand_tensors(resident: bool, tensors: int) -> None:
    config = OctavConfig(resident=resident)
    verdict = regress(Regression("octav", config, tensors, 2, player="compiled"))
    assert verdict.failure is None, verdict.failure
    assert verdict.transactions >= tensors


def test_stimulus_has_every_end_every_constant_and_all_sizes() -> None:
    config = OctavConfig()
    tensors = octav_stimulus.random_tensors(config, 2000, np.random.default_rng(0))
    sizes = [len(tensor.samples) for tensor in tensors]
    assert min(sizes) == 1
    assert max(sizes) > 4000
    assert {tensor.constant for tensor in tensors} == set(octav_stimulus.CONSTANTS)
    assert {golden(tensor, config).end for tensor in tensors} == {
        End.FIXED,
        End.CYCLE,
        End.LIMIT,
    }
    three_bit = octav_stimulus.vectors(config, 200, 64, 3, 0)
    ends = [golden(tensor, config).end for tensor in three_bit]
    assert ends.count(End.CYCLE) > 2


@pytest.mark.parametrize(
    "config",
    [OctavConfig(), OctavConfig(resident=False), OctavConfig(depth=64)],
    ids=lambda config: config.slug,
)
def test_corners_find_nothing_outside_in_later_passes_and_in_the_last(config: OctavConfig) -> None:
    passes, ends = set(), set()
    for tensor in octav_stimulus.corner_tensors(config):
        result = golden(tensor, config)
        ends.add(result.end)
        largest = int(np.abs(tensor.samples).max()) << config.fraction_bits
        if result.end is End.FIXED and result.threshold == largest > 0:
            passes.add(result.iterations)
    assert passes == {2, 3, 4, 5, config.max_iterations}
    assert ends == {End.FIXED, End.CYCLE, End.LIMIT}


def test_corners_fit_the_smallest_unit() -> None:
    config = OctavConfig(sample_bits=2, lanes=1, depth=1)
    for tensor in octav_stimulus.corner_tensors(config):
        assert len(tensor.samples) == 1
        assert -2 <= tensor.samples[0] <= 1


# The unit that is asked for its latency is never elaborated.
@pytest.mark.filterwarnings("ignore:.*never used:amaranth.hdl.UnusedElaboratable")
def test_vector_of_64_takes_at_most_160_cycles_on_average() -> None:
    config = OctavConfig(sample_bits=12, lanes=8, depth=64)
    design = design_of("octav", config)
    tensors = octav_stimulus.vectors(config, 1000, 64, 4, 0)
    played = case(design, config, "gaussian", tensors)
    run = simulate(build(design, simulator=PLAYER), [played.phase])
    assert run.failure is None
    cycles = run.outcomes[0].cycles
    assert cycles == played.cycles
    assert cycles / len(tensors) <= 160
    assert OctavUnit(config).step_latency == step_latency(config)
    gc.collect()


@pytest.mark.parametrize(
    ("pattern", "replacement"),
    [
        pytest.param(r", row\[11\]\}", ", 1'b1}", id="comparison-not-strict"),
        pytest.param(r"row\[10:0\], 1'b1\}", "row[10:0], 1'b0}", id="one-of-a-negative-lost"),
        pytest.param(r"\? 2'd2 :", "? 2'd1 :", id="cycle-called-fixed"),
        pytest.param(r"iterations == 4'ha", "iterations == 4'h9", id="limit-one-too-early"),
        pytest.param(
            r"threshold_2 > threshold\b", "threshold_2 < threshold", id="smaller-value-of-a-cycle"
        ),
    ],
)
def test_regression_sees_a_defect(pattern: str, replacement: str, tmp_path: Path) -> None:
    config = OctavConfig(depth=64, lanes=1)
    good = design_of("octav", config).verilog
    bad, count = re.subn(pattern, replacement, good)
    assert count == 1, good
    path = tmp_path / "octav.v"
    path.write_text(bad)
    verdict = regress(Regression("octav", config, 200, seed=1, verilog=path, player="compiled"))
    assert verdict.failure is not None
    assert "golden: steps" in verdict.failure


# What ends a pass that finds nothing outside, and what does not.
_FIXED = re.compile(
    r"assign fixed = \((?P<outside>\w+) == \d+'d0\) \| \((?P=outside) == outside_before\);"
)


@pytest.mark.parametrize(
    "faulty",
    [
        pytest.param("(N == outside_before)", id="a-step-falls-to-0"),
        pytest.param(
            "(N == outside_before) | ((N == 0) & (iterations != 9))",
            id="but-in-the-pass-that-reaches-the-limit",
        ),
        pytest.param(
            "(N == outside_before) | ((N == 0) & (iterations > 1))",
            id="but-in-the-second-pass",
        ),
        pytest.param("(N < 2) | (N == outside_before)", id="one-is-nothing"),
    ],
)
@pytest.mark.parametrize("resident", [True, False], ids=["resident", "streaming"])
def test_regression_sees_a_fault_where_nothing_is_outside(
    faulty: str, resident: bool, tmp_path: Path
) -> None:
    config = OctavConfig(resident=resident, max_iterations=10)

    def replacement(found: re.Match[str]) -> str:
        return f"assign fixed = {faulty.replace('N', found['outside'])};"

    bad, count = _FIXED.subn(replacement, design_of("octav", config).verilog)
    assert count == 1
    path = tmp_path / "octav.v"
    path.write_text(bad)
    verdict = regress(Regression("octav", config, 200, seed=1, verilog=path, player="compiled"))
    assert verdict.failure is not None
    assert verdict.failure.startswith("phase corners")
    assert "golden: steps" in verdict.failure


# Amaranth warns of the component whose constructor raised, when it is collected.
@pytest.mark.filterwarnings("ignore:.*never used:amaranth.hdl.UnusedElaboratable")
def test_takes_a_configuration_only() -> None:
    with pytest.raises(TypeError, match=r"^config must be an OctavConfig, not 12$"):
        OctavUnit(12)  # type: ignore[arg-type]  # what is tested
    gc.collect()
