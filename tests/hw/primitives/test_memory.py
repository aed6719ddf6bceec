"""The memory of rows in Amaranth's simulator: one call of the hardware equals one of golden."""

from functools import partial
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import unsigned
from amaranth.sim import Simulator

from scalewright.hw.primitives.memory import RowMemory
from tests.benches import amaranth
from tests.benches.faults import seen

_Operation = dict[str, int]


def row_memory(depth: int, operations: list[_Operation], *, registered: bool) -> list[int]:
    """What can be read in each cycle, before the operation where registered, else during it."""
    memory: Any = amaranth.under_test(
        RowMemory(shape=unsigned(8), depth=depth, registered=registered)
    )
    read: list[int] = []

    async def run(ctx: Any) -> None:
        for operation in operations:
            if registered:
                read.append(ctx.get(memory.read_data))
            for name, value in operation.items():
                if registered or name != "read_enable":
                    ctx.set(getattr(memory, name), value)
            if not registered:
                read.append(ctx.get(memory.read_data))
            await ctx.tick()

    simulator = Simulator(memory)
    simulator.add_clock(1e-6)
    simulator.add_testbench(run)
    simulator.run()
    return read


def golden_row_memory(depth: int, operations: list[_Operation], *, registered: bool) -> list[int]:
    rows, register, read = [0] * depth, 0, []
    for operation in operations:
        now = rows[operation["read_address"]]  # before the row is written: the old one
        read.append(register if registered else now)
        register = now if operation["read_enable"] else register
        if operation["write_enable"]:
            rows[operation["write_address"]] = operation["write_data"]
    return read


@pytest.mark.parametrize("registered", [True, False], ids=["registered", "direct"])
@pytest.mark.parametrize("depth", [1, 5, 8])
def test_row_memory(depth: int, registered: bool) -> None:
    rng = np.random.default_rng(depth)
    operations = [
        {
            "write_enable": int(rng.integers(2)),
            "write_address": int(rng.integers(depth)),
            "write_data": int(rng.integers(256)),
            "read_enable": int(rng.integers(2)),
            "read_address": int(rng.integers(depth)),
        }
        for _ in range(300)
    ]
    read = row_memory(depth, operations, registered=registered)
    assert read == golden_row_memory(depth, operations, registered=registered)


test_sees_a_fault = seen(
    {
        "row-memory-writes-without-being-told": (
            partial(test_row_memory, 5, True),
            lambda bad, good: good.write_enable.eq(1),
        ),
    }
)
