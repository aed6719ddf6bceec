"""Plays a plan on the design, inside the simulator (a cocotb test module).

Wiring only: sources and sinks drive pins, monitors observe, scoreboards compare. Nothing here
knows what the words mean, so every block whose ports are streams has this testbench; what is
played and expected comes from the block's own `tb_<block>.py`.
"""

import os
from collections.abc import Callable, Coroutine, Iterator, Mapping
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any, TypeAlias

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.task import Task
from cocotb.triggers import ClockCycles, Event, RisingEdge, Timer, select
from cocotb.utils import get_sim_time

from scalewright.sim.bench.codec import Words, as_integers, as_words
from scalewright.sim.bench.exchange import load_plan, save_outcome
from scalewright.sim.bench.plan import DETAIL_LIMIT, Outcome, Phase, Plan
from scalewright.sim.bench.scoreboard import Scoreboard
from scalewright.sim.bench.stream import (
    Monitor,
    PortError,
    Sink,
    Source,
    UnknownError,
    find_port,
    port_name,
)

# Set by the caller: the folder with the plan, which takes the outcomes too.
RUN_FOLDER = "SCALEWRIGHT_RUN"
# Holds one uint64, the words sent so far: the caller's progress bar.
PROGRESS_FILE = "progress"
# Says what the design lacks, where it cannot be played at all.
COMPLAINT_FILE = "complaint"

# What runs beside others once it is called.
Action: TypeAlias = Callable[[], Coroutine[Any, Any, None]]

PERIOD_NS = 10
# Words converted to Python integers, and counted, at a time.
_CHUNK = 1024
# Cycles after the last result in which none may follow.
_QUIET = 64
# Cycles without any transfer before the phase is given up; longer than any pause of a pattern.
_PATIENCE = 20_000


class Bench:
    """The design with a source at each input stream, a sink and a monitor at each output."""

    def __init__(self, dut: Any, plan: Plan, folder: Path) -> None:
        self._dut = dut
        self._folder = folder
        self._clock, self._rst = find_port(dut, "clk"), find_port(dut, "rst")
        self._four_state = plan.four_state
        self._sources = {
            name: Source(dut, name, four_state=plan.four_state) for name in plan.inputs
        }
        self._sinks = {name: Sink(dut, name, four_state=plan.four_state) for name in plan.outputs}
        _check_widths(dut, {**plan.inputs, **plan.outputs})
        self._progress = np.memmap(folder / PROGRESS_FILE, np.uint64, mode="r+", shape=1)
        self._transfers = 0

    async def start(self) -> None:
        """Start the clock, and reset."""
        for source in self._sources.values():
            source.idle()
        for sink in self._sinks.values():
            sink.set_ready(False)
        self._rst.value = 1
        Clock(self._clock, PERIOD_NS, unit="ns").start()
        # Its first edge comes before or after these values, as the simulator likes.
        await ClockCycles(self._clock, 1)
        await self._reset()

    async def play(self, phase: Phase) -> Outcome:
        """Play one phase, from reset."""
        violations: list[str] = []
        failed_at: int | None = None
        broken = Event()

        def fail() -> None:
            nonlocal failed_at
            failed_at = self._cycle() if failed_at is None else failed_at

        def violated(sentence: str) -> None:
            fail()
            if len(violations) < DETAIL_LIMIT:
                violations.append(sentence)

        async def known(action: Action) -> None:
            """End the phase where the design drives what is neither 0 nor 1."""
            try:
                await action()
            except UnknownError as unknown:
                if not broken.is_set():
                    violated(f"{unknown} in cycle {self._cycle()} after reset")
                    broken.set()

        def start(action: Action) -> Task[None]:
            return cocotb.start_soon(known(action) if self._four_state else action())

        if phase.reset_after is not None:
            tasks = [start(action) for action in [*self._watch(), *self._drive(phase)]]
            await ClockCycles(self._clock, phase.reset_after)
            for task in tasks:
                task.cancel()
        await self._reset()

        complete = Event()
        scoreboards = {
            port: Scoreboard(phase.name, port, as_integers(words))
            for port, words in phase.expected.items()
        }
        started = perf_counter()
        # The first word is offered in this cycle, and may transfer at its end.
        began = get_sim_time("ns") + PERIOD_NS
        ended = began

        def observe(scoreboard: Scoreboard, word: int) -> None:
            nonlocal ended
            if not scoreboard.receive(word):
                fail()
            self._transfers += 1
            if all(board.complete for board in scoreboards.values()) and not complete.is_set():
                ended = get_sim_time("ns")
                complete.set()

        monitors = [
            Monitor(
                self._dut,
                port,
                partial(observe, board),
                violated,
                four_state=self._four_state,
            )
            for port, board in scoreboards.items()
        ]
        monitoring = [start(monitor.run) for monitor in monitors]
        monitoring += [start(action) for action in self._watch()]
        driving = [start(action) for action in self._drive(phase)]
        if any(not board.complete for board in scoreboards.values()):
            watchdog = cocotb.start_soon(self._give_up())
            await select(complete.wait(), broken.wait(), watchdog)
            watchdog.cancel()
        seconds = perf_counter() - started
        for task in driving:
            task.cancel()
        for sink in self._sinks.values():
            sink.set_ready(True)
        await ClockCycles(self._clock, _QUIET)
        for task in monitoring:
            task.cancel()
        for board in scoreboards.values():
            board.finish()
        return Outcome(
            phase=phase.name,
            cycles=round(ended - began) // PERIOD_NS,
            seconds=seconds,
            results={
                port: as_words(board.results, phase.expected[port].shape[1])
                for port, board in scoreboards.items()
            },
            mismatch_count=sum(board.mismatch_count for board in scoreboards.values()),
            mismatches=[m for board in scoreboards.values() for m in board.mismatches],
            violations=violations,
            failed_at=failed_at,
        )

    def _watch(self) -> list[Action]:
        """What looks at every port in every cycle; nothing where there is no X to see."""
        if not self._four_state:
            return []
        ports: list[Source | Sink] = [*self._sources.values(), *self._sinks.values()]
        return [port.watch for port in ports]

    def _drive(self, phase: Phase) -> list[Action]:
        actions: list[Action] = []
        for port, sink in self._sinks.items():
            accepts = phase.accepts.get(port)
            actions.append(sink.run_patiently if phase.patient else partial(sink.run, accepts))
        for port, words in phase.inputs.items():
            source, offers = self._sources[port], phase.offers.get(port)
            actions.append(partial(source.send, self._counted(words), offers))
        return actions

    async def _reset(self) -> None:
        """Hold the synchronous reset for one cycle; then every stream idles.

        A source in mid-stream goes on offering during the reset: that must not get through.
        """
        for sink in self._sinks.values():
            sink.set_ready(False)
        self._rst.value = 1
        await ClockCycles(self._clock, 1)
        self._rst.value = 0
        self._began = get_sim_time("ns")
        for source in self._sources.values():
            source.idle()

    def _cycle(self) -> int:
        """The cycle that ends with this edge; 0 is the first after reset."""
        return round(get_sim_time("ns") - self._began) // PERIOD_NS - 1

    async def _give_up(self) -> None:
        """Return once nothing has moved for `_PATIENCE` cycles."""
        before = -1
        while self._transfers != before:
            before = self._transfers
            await Timer(_PATIENCE * PERIOD_NS, unit="ns")
            # Which comes at the same time: what is done now, is done after it.
            await RisingEdge(self._clock)

    def _counted(self, words: Words) -> Iterator[int]:
        for start in range(0, len(words), _CHUNK):
            chunk = as_integers(words[start : start + _CHUNK])
            for word in chunk:
                yield word
                self._transfers += 1
            self._progress[0] += len(chunk)


def _check_widths(dut: Any, widths: Mapping[str, int]) -> None:
    for stream, width in widths.items():
        name = port_name(stream, "payload")
        found = len(find_port(dut, name))
        if found != width:
            raise PortError(f"has {found} bits in port {name}, not {width}")


@cocotb.test()
async def play(dut: Any) -> None:
    """Play the plan; fails at the end of a phase with a mismatch or a protocol violation."""
    folder = Path(os.environ[RUN_FOLDER])
    plan = load_plan(folder)
    try:
        bench = Bench(dut, plan, folder)
    except PortError as error:
        (folder / COMPLAINT_FILE).write_text(str(error))
        return
    await bench.start()
    for number, phase in enumerate(plan.phases):
        outcome = await bench.play(phase)
        save_outcome(folder, number, outcome)
        assert not outcome.failed, (outcome.violations + outcome.mismatches)[0]
