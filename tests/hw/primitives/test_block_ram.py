"""Memories become block RAM in the tools of FPGAs, and no Verilog is longer for their depth."""

import gc
import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from amaranth.lib.wiring import Component

from scalewright.golden.config import DatapathConfig, EngineConfig, OctavConfig
from scalewright.hw.engine import Engine
from scalewright.hw.engine.weight_buffer import WeightBuffer
from scalewright.hw.octav import OctavUnit
from scalewright.hw.octav.sample_memory import SampleMemory
from scalewright.hw.primitives.memory import RowMemory
from scalewright.hw.verilog import convert
from tests.tools.yosys import run_yosys

_DATAPATH = DatapathConfig.parse("4/4U/4/6", vector_size=4)


def _weight_buffer() -> Component:
    """Two memories, of 512 rows of 20 bits: four weights of 4 bits and their scale."""
    return WeightBuffer(EngineConfig(datapath=_DATAPATH, lanes=2, depth=512, post_lanes=1))


def _sample_memory() -> Component:
    """One memory, of 512 rows of 24 bits: two magnitudes."""
    return SampleMemory(OctavConfig(sample_bits=12, lanes=2, depth=1024))


# Of 512 rows, a block RAM of iCE40 holds 8 bits, of ECP5 36, and half of one of Xilinx 36.
@pytest.mark.parametrize(
    ("make", "bits", "command", "expected"),
    [
        (_weight_buffer, 2 * 512 * 20, "synth_ice40 -noabc", {"SB_RAM40_4K": 2 * 3}),
        (_weight_buffer, 2 * 512 * 20, "synth_ecp5 -noabc9", {"DP16KD": 2}),
        (_weight_buffer, 2 * 512 * 20, "synth_xilinx -family xc7", {"RAMB18E1": 2}),
        (_sample_memory, 512 * 24, "synth_ice40 -noabc", {"SB_RAM40_4K": 3}),
        (_sample_memory, 512 * 24, "synth_ecp5 -noabc9", {"DP16KD": 1}),
        (_sample_memory, 512 * 24, "synth_xilinx -family xc7", {"RAMB18E1": 1}),
    ],
)
def test_memories_become_block_ram(
    make: Callable[[], Component],
    bits: int,
    command: str,
    expected: dict[str, int],
    tmp_path: Path,
) -> None:
    (tmp_path / "block.v").write_text(convert(make(), name="block"))
    run_yosys(
        f"read_verilog block.v; {command} -top block; tee -q -o cells.json stat -json",
        tmp_path,
        "-q",
    )
    cells = json.loads((tmp_path / "cells.json").read_text())["design"]["num_cells_by_type"]
    memories = ("RAM", "DP16K", "PDPW16K", "DPR", "SRL")
    assert {name: n for name, n in cells.items() if any(m in name for m in memories)} == expected
    # The block's own registers, and none beside the block RAM.
    registers = sum(n for name, n in cells.items() if "FF" in name or name.startswith("FD"))
    assert 0 < registers < bits / 100


# Amaranth warns of a memory that is not elaborated: it writes its own Verilog.
@pytest.mark.filterwarnings("ignore:.*never used:amaranth.hdl.UnusedElaboratable")
@pytest.mark.parametrize("registered", [True, False])
def test_memories_have_no_contents_at_power_on(registered: bool) -> None:
    text = convert(RowMemory(shape=8, depth=1 << 24, registered=registered), name="rows")
    assert "storage [0:16777215]" in text
    assert "initial" not in text
    assert "rst" not in text
    gc.collect()


def _statements(component: Component) -> int:
    """Unlike lines, these do not depend on the length of names and numbers."""
    return str(convert(component, name="block")).count(";")


@pytest.mark.parametrize("block", [WeightBuffer, Engine])
def test_an_engine_is_as_long_at_any_depth(block: Callable[..., Component]) -> None:
    small, large = (
        _statements(block(EngineConfig(datapath=_DATAPATH, lanes=4, depth=depth)))
        for depth in (64, 65536)
    )
    # Wires of one width are declared together, and some have that of an address.
    assert abs(large - small) < 10


def test_an_octav_unit_grows_by_the_bits_of_its_sums_only() -> None:
    small, large = (OctavConfig(depth=depth) for depth in (1 << 12, 1 << 24))
    assert _statements(SampleMemory(small)) == _statements(SampleMemory(large))
    bits = large.sum_bits - small.sum_bits + large.count_bits - small.count_bits
    assert _statements(OctavUnit(large)) - _statements(OctavUnit(small)) < 20 * bits


@pytest.mark.parametrize(
    ("make", "limit"),
    [
        pytest.param(lambda: OctavUnit(OctavConfig(depth=1 << 24)), 5, id="octav"),
        pytest.param(
            lambda: Engine(
                EngineConfig(
                    datapath=DatapathConfig.parse("4/4U/4/6", vector_size=64),
                    lanes=64,
                    depth=65536,
                )
            ),
            10,
            id="engine",
        ),
    ],
)
def test_largest_blocks_are_written_in_seconds(make: Callable[[], Component], limit: int) -> None:
    started = time.process_time()
    convert(make(), name="block")
    assert time.process_time() - started <= limit


def test_default_engine_has_at_most_8000_lines() -> None:
    config = EngineConfig(datapath=DatapathConfig.parse("4/4U/4/6"))
    assert len(convert(Engine(config), name="engine").splitlines()) <= 8000
