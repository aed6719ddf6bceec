"""The least that a testbench can do: drive a word and sample a result in every clock cycle.

The yardstick of `sim/reports/speed.py`: what the harness adds (handshakes, stalls, protocol checks,
comparison) is measured against it.
"""

import os
from pathlib import Path
from time import perf_counter
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge

from scalewright.sim.bench.codec import as_integers
from scalewright.sim.bench.exchange import load_plan, save_outcome
from scalewright.sim.bench.plan import Outcome
from scalewright.sim.bench.stream import port_name
from scalewright.sim.bench.testbench import PERIOD_NS, RUN_FOLDER


@cocotb.test()
async def bare_loop(dut: Any) -> None:
    """Drive every word of the plan's only phase and sample as often, without looking."""
    folder = Path(os.environ[RUN_FOLDER])
    plan = load_plan(folder)
    (phase,) = plan.phases
    (source,) = plan.inputs
    (result,) = plan.outputs
    Clock(dut.clk, PERIOD_NS, unit="ns").start()
    words = as_integers(phase.inputs[source])
    drive, sample = dut[port_name(source, "payload")], dut[port_name(result, "payload")]
    dut[port_name(source, "valid")].value = 1
    dut[port_name(result, "ready")].value = 1
    edge = RisingEdge(dut.clk)
    samples = []
    started = perf_counter()
    for word in words:
        drive.value = word
        await edge
        samples.append(sample.value)
    outcome = Outcome(
        phase=phase.name,
        cycles=len(samples),
        seconds=perf_counter() - started,
        results={port: words[:0] for port, words in phase.expected.items()},
        mismatch_count=0,
        mismatches=[],
        violations=[],
    )
    save_outcome(folder, 0, outcome)
