"""Nothing depends on what a memory reads of a row that is being written."""

import re
from pathlib import Path

import pytest

from scalewright.golden.config import DatapathConfig, EngineConfig, OctavConfig
from scalewright.sim.blocks import Config, design_of
from scalewright.sim.regression.regress import Regression, regress
from tests.tools.ppa import needs_programs

_BLOCKS: dict[str, Config] = {
    "engine": EngineConfig(
        datapath=DatapathConfig.parse("3/3U/3/3", vector_size=4), lanes=2, depth=6, post_lanes=1
    ),
    "octav": OctavConfig(sample_bits=6, lanes=2, depth=8),
}
_READ = r"(?<=read_data <= )storage\[read_address\](?=;)"


def _verdict(block: str, collision: str, folder: Path) -> str | None:
    verilog = design_of(block, _BLOCKS[block]).verilog
    unknown = rf"{collision} ? 1'bx : \g<0>"
    text, count = re.subn(_READ, unknown, verilog)
    assert count == {"engine": 2, "octav": 1}[block]
    file = folder / "collisions.v"
    file.write_text(text)
    regression = Regression(block, _BLOCKS[block], 300, 0, verilog=file, simulator="icarus")
    return regress(regression).failure


@needs_programs("iverilog", "vvp")
@pytest.mark.parametrize("block", _BLOCKS)
def test_a_row_that_is_read_while_written_may_be_anything(block: str, tmp_path: Path) -> None:
    collision = "(write_enable && write_address == read_address)"
    assert _verdict(block, collision, tmp_path) is None


@needs_programs("iverilog", "vvp")
@pytest.mark.parametrize("block", _BLOCKS)
def test_another_row_may_not(block: str, tmp_path: Path) -> None:
    assert _verdict(block, "(read_address == 0)", tmp_path) is not None
