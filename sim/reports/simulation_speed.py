"""Speed of simulations: the compiled player, cocotb, and a bare loop in C++, on two designs."""

from time import perf_counter

import numpy as np

from scalewright.golden.config import DatapathConfig, EngineConfig, Output
from scalewright.sim.bench import bare_loop
from scalewright.sim.bench.design import Design
from scalewright.sim.bench.plan import Phase
from scalewright.sim.blocks import design_of
from scalewright.sim.reports.measurement import Measurement
from scalewright.sim.simulators.build import PLAYER, VERILATOR, build
from scalewright.sim.simulators.compiled import CompiledPlayer
from scalewright.sim.simulators.simulation import simulate
from scalewright.sim.simulators.simulator import Simulator
from scalewright.sim.simulators.verilator import Verilator
from scalewright.sim.stimulus import vector_pairs
from scalewright.sim.stimulus.layers import random_layer
from scalewright.sim.testbenches import vector_mac
from scalewright.sim.testbenches.engine import engine_phase

_REPEATS = 3
_PAIRS = 400_000
_ROWS = 4000  # of activations, for the engine

_MAC = DatapathConfig.parse("4/4/4/6")
_ENGINE = EngineConfig(datapath=DatapathConfig.parse("4/4U/4/6"))

_BARE = CompiledPlayer("bare.cpp")


def mac() -> tuple[Design, Phase]:
    """A vector MAC of V = 16, and a vector pair for each cycle."""
    design = design_of("vector-mac", _MAC)
    stream = vector_pairs.random(_MAC, _PAIRS, np.random.default_rng(0))
    result, _ = vector_mac.golden(stream, _MAC)
    phase = Phase(
        name="benchmark",
        inputs={vector_mac.INPUT: design.codec(vector_mac.INPUT).pack(stream)},
        expected={
            vector_mac.OUTPUT: vector_mac.pack_results(design.codec(vector_mac.OUTPUT), result)
        },
    )
    return design, phase


def engine() -> tuple[Design, Phase]:
    """The default engine, and a layer that keeps its lanes busy."""
    design = design_of("engine", _ENGINE)
    layer = random_layer(
        _ENGINE,
        np.random.default_rng(0),
        rows=_ROWS,
        channels=32,
        vectors=8,
        output=Output.QUANTIZED,
    )
    phase, _ = engine_phase("benchmark", design, _ENGINE, [layer])
    return design, phase


def measure(
    name: str, design: Design, phase: Phase, of_bare: str, of_cocotb: str
) -> list[Measurement]:
    """Cycles per second of the player, against a bare loop in C++ and against cocotb.

    Args:
        name: Name of the design.
        design: The design.
        phase: What is played.
        of_bare: What the ratio to the bare loop should be.
        of_cocotb: What the ratio to cocotb should be.
    """
    bare, player, cocotb = _rates(design, phase, [_BARE, PLAYER, VERILATOR])
    return [
        _measurement(f"{name}: player / bare loop in C++", bare, player, of_bare),
        _measurement(f"{name}: player / cocotb", cocotb, player, of_cocotb),
    ]


def cocotb_loop(design: Design, phase: Phase) -> Measurement:
    """Cycles per second of the cocotb testbench against a bare loop in cocotb."""
    bare, ours = _rates(design, phase, [Verilator(bare_loop.__name__), VERILATOR])
    return _measurement("MAC: cocotb testbench / bare loop in cocotb", bare, ours, ">= 0.6")


def build_times(name: str, design: Design) -> list[Measurement]:
    """Seconds that a new build of the design takes, quick and optimised, for each player.

    The run-time library has been compiled before.
    """
    fresh = design.with_verilog(f"{design.verilog}// {perf_counter()}\n")
    rows = []
    for simulator, label in ((VERILATOR, "cocotb"), (PLAYER, "player")):
        quick, optimised = (
            _seconds(simulator, fresh, optimised=choice) for choice in (False, True)
        )
        rows.append(
            Measurement(
                f"{name}: build for {label}, -O1 / -O0",
                "s",
                quick,
                optimised,
                optimised / quick,
                "",
            )
        )
    return rows


def _seconds(simulator: Simulator, design: Design, *, optimised: bool) -> float:
    started = perf_counter()
    build(design, optimised=optimised, simulator=simulator)
    return perf_counter() - started


def _rates(design: Design, phase: Phase, simulators: list[Simulator]) -> list[float]:
    """The best of several runs on each simulator, in turn: cycles per second."""
    built = [build(design, optimised=True, simulator=each) for each in simulators]
    best = [0.0] * len(built)
    for _ in range(_REPEATS):
        for index, each in enumerate(built):
            run = simulate(each, [phase])
            assert run.failure is None
            outcome = run.outcomes[0]
            best[index] = max(best[index], outcome.cycles / outcome.seconds)
    return best


def _measurement(name: str, yardstick: float, measured: float, wanted: str) -> Measurement:
    return Measurement(name, "cycles/s", yardstick, measured, measured / yardstick, wanted)
