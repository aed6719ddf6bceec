"""What blocks cost: transistors by Yosys's estimate, as NAND, NOR, NOT and flip-flops."""

import re
from pathlib import Path

from golden.config import DatapathConfig, EngineConfig
from sim.design import Config, Design
from tests.yosys import run_yosys

# Enables and resets become gates: `opt` would undo that, hence its parts.
_SCRIPT = (
    "read_verilog top.v; synth -flatten -top top; dfflegalize -cell $_DFF_P_ 01; opt_expr; "
    "opt_clean; abc -g cmos2; opt_clean; tee -o stat.txt stat -tech cmos"
)


def _transistors(block: str, config: Config, folder: Path) -> int:
    (folder / "top.v").write_text(Design.of(block, config, name="top").verilog)
    run_yosys(_SCRIPT, folder, "-q")
    statistics = (folder / "stat.txt").read_text()
    found = re.search(r"Estimated number of transistors:\s+(\d+)", statistics)
    assert found is not None
    return int(found[1])


def test_vector_quantizer_of_16_lanes_costs_its_share_of_a_64_wide_mac(tmp_path: Path) -> None:
    mac = DatapathConfig.parse("4/4U/4/6", vector_size=64)
    yardstick = _transistors("vector-mac", mac, tmp_path)
    datapath = DatapathConfig.parse("4/4U/4/6")
    # Results quantized per cycle, and how much of the MAC this may cost.
    for post_lanes, share in ((1, 0.26), (4, 0.43), (16, 1.12)):
        config = EngineConfig(datapath=datapath, lanes=16, post_lanes=post_lanes)
        cost = _transistors("vector-quantizer", config, tmp_path)
        assert cost < share * yardstick, f"{post_lanes}: {cost} of {yardstick}"
