import pytest

from scalewright.golden.config import DatapathConfig, EngineConfig, OctavConfig
from scalewright.hw.verilog import PortStyle
from scalewright.sim.bench.adapter import with_payload_ports
from scalewright.sim.blocks import BLOCKS, Config, design_of
from scalewright.sim.simulators.build import build
from scalewright.sim.simulators.simulation import simulate

_ENGINE = EngineConfig(
    datapath=DatapathConfig.parse("2/2/2/10", vector_size=8, accumulator_bits=16),
    lanes=1,
    depth=8,
    post_lanes=1,
    result_bits=8,
)
_SMALL: dict[str, Config] = {
    "vector-mac": DatapathConfig.parse("3/3U/4/-", vector_size=4),
    "octav": OctavConfig(sample_bits=6, lanes=1, depth=5, fraction_bits=0, max_iterations=3),
    "rescaler": _ENGINE,
    "vector-quantizer": _ENGINE,
    "engine": _ENGINE,
}


@pytest.mark.parametrize("block", BLOCKS)
def test_every_block_passes_with_a_port_for_each_field(block: str) -> None:
    design = design_of(block, _SMALL[block], style=PortStyle.FIELDS)
    adapted = with_payload_ports(design)
    assert adapted.module == f"{design.module}_bench"
    cases = BLOCKS[block].cases(adapted, _SMALL[block], 300, 1)
    run = simulate(build(adapted), [case.phase for case in cases])
    assert run.failure is None
    assert len(run.outcomes) == len(cases)


def test_payloads_need_no_adapter() -> None:
    design = design_of("vector-mac", _SMALL["vector-mac"])
    assert with_payload_ports(design) is design
