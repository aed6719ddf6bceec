"""Two MACs, an engine and an OCTAV unit, each from a file of its own, in one design."""

from functools import cache
from pathlib import Path

import pytest

from scalewright.golden.config import DatapathConfig, EngineConfig, OctavConfig
from scalewright.sim.bench.design import Design
from scalewright.sim.bench.plan import Phase
from scalewright.sim.blocks import BLOCKS, Config, design_of
from scalewright.sim.simulators.build import SIMULATORS, build
from scalewright.sim.simulators.simulation import simulate
from tests.benches.combined import combine, side_by_side
from tests.tools.linters import complaints
from tests.tools.ppa import needs_programs

_BLOCKS: dict[str, tuple[str, Config]] = {
    "first": ("vector-mac", DatapathConfig.parse("4/4U/4/6")),
    # The same as the first, and alike in most of its modules: the names must not clash.
    "second": ("vector-mac", DatapathConfig.parse("4/4/4/4", scale_product_bits=4)),
    "engine": (
        "engine",
        EngineConfig(
            datapath=DatapathConfig.parse("3/5U/-/4", vector_size=8),
            lanes=4,
            depth=12,
            post_lanes=2,
        ),
    ),
    "octav": ("octav", OctavConfig(depth=64)),
}


@cache
def _designs() -> dict[str, Design]:
    return {
        instance: design_of(block, config, name=f"{instance}_unit")
        for instance, (block, config) in _BLOCKS.items()
    }


@cache
def _phases() -> list[Phase]:
    """Everything at once: without stalls, and with all that each block is stalled by."""
    cases = {
        instance: BLOCKS[block].cases(_designs()[instance], config, 600, 1)
        for instance, (block, config) in _BLOCKS.items()
    }
    named = {instance: {case.phase.name: case for case in each} for instance, each in cases.items()}
    free = {instance: each["random"] for instance, each in named.items()}
    stalled = {
        instance: each.get("random-stalled-both") or each["random-stalled-all"]
        for instance, each in named.items()
    }
    return [side_by_side(free, name="free"), side_by_side(stalled, name="stalled")]


def test_is_clean_in_every_tool(tmp_path: Path) -> None:
    design = combine(_designs(), name="chip")
    file = tmp_path / "chip.v"
    file.write_text(design.verilog)
    assert complaints(file, "chip") == {}


@pytest.mark.parametrize(
    "simulator", ["verilator", pytest.param("icarus", marks=needs_programs("iverilog", "vvp"))]
)
def test_every_result_is_right(simulator: str) -> None:
    design = combine(_designs(), name="chip")
    run = simulate(build(design, simulator=SIMULATORS[simulator]), _phases())
    assert run.failure is None
    assert [outcome.phase for outcome in run.outcomes] == ["free", "stalled"]
    assert all(len(words) for outcome in run.outcomes for words in outcome.results.values())
