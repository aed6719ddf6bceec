"""Every block in the configurations of the covering set, everywhere but in plain Verilator.

`make regress-all` plays them there, with much more stimulus than here.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from amaranth.lib.wiring import Component

from scalewright.sim.bench.case import Case
from scalewright.sim.blocks import BLOCKS, design_of
from scalewright.sim.regression.regress import Regression, regress
from tests.benches.amaranth import play, records
from tests.benches.designs import ALL, DESIGNS, name_of, product_bits
from tests.tools.ppa import needs_programs
from tests.tools.yosys import YOSYS, run_yosys

needs_icarus = needs_programs("iverilog", "vvp")

# Words of all streams in a phase that Amaranth's simulator plays: seconds, in a large engine.
_WORDS = 250

# Of larger ones, gates take a minute to compile, and Icarus minutes to play all phases.
_MOST_PRODUCT_BITS_AS_GATES = 512
_MOST_PRODUCT_BITS = 1024 if ALL else 512


def _short(cases: list[Case]) -> Case:
    """The longest case that is short enough."""

    def length(case: Case) -> int:
        return sum(map(len, (case.phase.inputs | case.phase.expected).values()))

    played = [case for case in cases if case.phase.reset_after is None]
    return max(
        (case for case in played if length(case) <= _WORDS),
        key=length,
        default=min(played, key=length),
    )


@pytest.mark.parametrize(("block", "config"), DESIGNS, ids=name_of)
def test_equals_golden_in_amaranth(block: str, config: Any) -> None:
    design = design_of(block, config)
    phase = _short(BLOCKS[block].cases(design, config, 30, 1)).phase
    component: Component = BLOCKS[block].component(config)
    inputs = {port: design.codec(port).unpack(words) for port, words in phase.inputs.items()}
    results = play(component, inputs, stalls=0.2, quiet=60 + _latency(block, config))
    assert results == {
        port: records(design.codec(port).unpack(words)) for port, words in phase.expected.items()
    }


@needs_icarus
@pytest.mark.parametrize(("block", "config"), DESIGNS, ids=name_of)
def test_equals_golden_in_icarus(block: str, config: Any) -> None:
    regression = Regression(block, config, transactions=60, seed=1, simulator="icarus")
    phases: list[str | None] = [None]
    if product_bits(block, config) > _MOST_PRODUCT_BITS:
        cases = BLOCKS[block].cases(design_of(block, config), config, 60, 1)
        resets = [case for case in cases if case.phase.reset_after is not None]
        phases = [_short(cases).phase.name, resets[len(resets) // 2].phase.name]
    for phase in phases:
        verdict = regress(replace(regression, phase=phase))
        assert verdict.failure is None, verdict.failure


@pytest.mark.skipif(YOSYS is None, reason="needs a Yosys that is no WebAssembly: yosys")
@pytest.mark.parametrize(("block", "config"), DESIGNS, ids=name_of)
def test_flattened_netlist_equals_golden(block: str, config: Any, tmp_path: Path) -> None:
    (tmp_path / "design.v").write_text(design_of(block, config).verilog)
    top = block.replace("-", "_")
    assert YOSYS is not None
    # Memories stay memories, as in any flow.
    script = f"read_verilog design.v; hierarchy -top {top}; proc; flatten; opt; memory -nomap; opt"
    if product_bits(block, config) <= _MOST_PRODUCT_BITS_AS_GATES:
        script += "; techmap; opt -fast; clean"
    netlist = tmp_path / "netlist.v"
    run_yosys(f"{script}; write_verilog -noattr {netlist.name}", tmp_path, "-q", program=YOSYS)
    regression = Regression(block, config, 6, 1, verilog=netlist, player="compiled")
    verdict = regress(regression)
    assert verdict.failure is None, verdict.failure


def _latency(block: str, config: Any) -> int:
    """About as many cycles as a block may go without a transfer."""
    if block == "vector-mac":
        return 0
    if block == "octav":  # a resident unit iterates
        return int(config.max_iterations * (min(config.rows, _WORDS) + 40))
    # Results are post-processed a few at a time, until they fill a vector.
    return int(8 * max(config.lanes, config.datapath.vector_size) // config.post_lanes)
