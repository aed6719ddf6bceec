"""What blocks cost: transistors by Yosys's estimate, as NAND, NOR, NOT and flip-flops."""

import re
from pathlib import Path

import pytest

from scalewright.golden.config import DatapathConfig, EngineConfig, OctavConfig
from scalewright.sim.blocks import Config, design_of
from tests.benches.designs import ONLY_IN_ALL
from tests.tools.yosys import run_yosys

# Enables and resets become gates: `opt` would undo that, hence its parts.
_SCRIPT = (
    "read_verilog top.v; synth -flatten -top top; dfflegalize -cell $_DFF_P_ 01; opt_expr; "
    "opt_clean; abc -g cmos2; opt_clean; tee -o stat.txt stat -tech cmos"
)


def _transistors(block: str, config: Config, folder: Path) -> int:
    (folder / "top.v").write_text(design_of(block, config, name="top").verilog)
    run_yosys(_SCRIPT, folder, "-q")
    statistics = (folder / "stat.txt").read_text()
    found = re.search(r"Estimated number of transistors:\s+(\d+)", statistics)
    assert found is not None
    return int(found[1])


_DATAPATH = DatapathConfig.parse("4/4U/4/6")


def _engine(post_lanes: int) -> EngineConfig:
    return EngineConfig(datapath=_DATAPATH, lanes=16, post_lanes=post_lanes)


@pytest.fixture(scope="module")
def yardstick(tmp_path_factory: pytest.TempPathFactory) -> int:
    """Transistors of a MAC of 64 elements."""
    mac = DatapathConfig.parse("4/4U/4/6", vector_size=64)
    return _transistors("vector-mac", mac, tmp_path_factory.mktemp("mac"))


@pytest.mark.parametrize(
    # How much of the MAC each may cost.
    ("block", "config", "share"),
    [
        ("vector-quantizer", _engine(1), 0.26),
        ("vector-quantizer", _engine(4), 0.43),
        ("vector-quantizer", _engine(16), 1.12),
        ("rescaler", _engine(1), 0.42),
        # Minutes.
        pytest.param("rescaler", _engine(4), 1.65, marks=ONLY_IN_ALL),
        ("octav", OctavConfig(resident=False), 0.54),
        ("octav", OctavConfig(resident=False, depth=64), 0.45),
    ],
)
def test_other_blocks_cost_their_shares_of_a_64_wide_mac(
    block: str, config: Config, share: float, yardstick: int, tmp_path: Path
) -> None:
    assert _transistors(block, config, tmp_path) < share * yardstick
