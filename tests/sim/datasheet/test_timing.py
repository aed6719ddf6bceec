"""The timing diagram of the datasheet is what the hardware does, cycle by cycle."""

import re

import pytest
from amaranth.sim import Simulator

from scalewright.golden.config import PIPELINE_DEPTHS, DatapathConfig
from scalewright.hw.mac import VectorMac
from scalewright.sim.datasheet.timing import mac_wave


def levels(drawn: str, name: str) -> list[bool]:
    (line,) = [line for line in drawn.splitlines() if line.startswith(f"{name} ")]
    return [cell == "###" for cell in re.findall("###|___", line)]


@pytest.mark.parametrize("depth", PIPELINE_DEPTHS)
def test_diagram_is_what_the_hardware_does(depth: int) -> None:
    drawn = mac_wave(depth)
    inputs = ("i_valid", "i_first", "i_last", "o_ready")
    rows = {name: levels(drawn, name) for name in (*inputs, "i_ready", "o_valid")}
    text = next(line for line in drawn.splitlines() if line.startswith("o (sum)"))
    pairs = re.findall(
        r"[A-E]\d|-", next(x for x in drawn.splitlines() if x.startswith("i (pair)"))[8:]
    )
    weights = {"A0": 1, "A1": 2, "B0": 4, "C0": 5, "D0": 6, "E0": 7, "-": 0}
    sums = {"A": 3, "B": 4, "C": 5, "D": 6, "E": 7}
    wanted = [sums.get(cell) for cell in re.findall(r"[A-E-]", text.removeprefix("o (sum)"))]
    assert False in rows["i_ready"]
    assert len(set(wanted)) == 3 + depth  # none, and every sum
    config = DatapathConfig.parse("4/4/-/-", vector_size=4)
    config = type(config)(**{**config.__dict__, "pipeline_depth": depth})
    mac = VectorMac(config)
    seen: dict[str, list[object]] = {"i_ready": [], "o_valid": [], "sum": []}

    async def play(context):  # type: ignore[no-untyped-def]
        for cycle in range(len(wanted)):
            context.set(mac.i.valid, rows["i_valid"][cycle])
            context.set(mac.o.ready, rows["o_ready"][cycle])
            payload = mac.i.payload
            context.set(payload.first, rows["i_first"][cycle])
            context.set(payload.last, rows["i_last"][cycle])
            context.set(payload.weights[0], weights[pairs[cycle]])
            context.set(payload.activations[0], 1)
            valid = bool(context.get(mac.o.valid))
            seen["i_ready"].append(bool(context.get(mac.i.ready)))
            seen["o_valid"].append(valid)
            seen["sum"].append(context.get(mac.o.payload.accumulator) if valid else None)
            await context.tick()

    simulator = Simulator(mac)
    simulator.add_clock(1e-6)
    simulator.add_testbench(play)
    simulator.run()
    assert seen == {"i_ready": rows["i_ready"], "o_valid": rows["o_valid"], "sum": wanted}
