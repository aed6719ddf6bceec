"""Regressions: a block in one configuration against golden, with every kind of stimulus."""

import shlex
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from scalewright.sim.bench.adapter import port_style, with_payload_ports
from scalewright.sim.bench.case import Case
from scalewright.sim.bench.codec import Codec, as_words
from scalewright.sim.bench.design import Design
from scalewright.sim.bench.plan import Outcome, Phase
from scalewright.sim.blocks import BLOCKS, Config, design_of
from scalewright.sim.blocks.block import SOAK_PREFIX
from scalewright.sim.simulators.build import COCOTB, VERILATOR, Build, build, simulator_of
from scalewright.sim.simulators.place import build_folder
from scalewright.sim.simulators.simulation import Run, simulate

# Cycles before a failure from which on waves are recorded.
WINDOW = 500


@dataclass(frozen=True)
class Regression:
    """What to regress.

    Attributes:
        block: Name of the block.
        config: Its configuration.
        transactions: Random transactions (vector pairs, tensors), beside the fixed ones.
        seed: Seed of everything random.
        phase: Name of the only phase to play; None for all.
        waves: Whether to record waves.
        verilog: A file to simulate in place of the generated Verilog, such as a netlist.
        simulator: Name of the simulator, one of `SIMULATORS`.
        player: Name of what plays on it, one of `PLAYERS`.
        top: Name of the top-level module in `verilog`; None for that of the block.
    """

    block: str
    config: Config
    transactions: int
    seed: int
    phase: str | None = None
    waves: bool = False
    verilog: Path | None = None
    simulator: str = VERILATOR.name
    top: str | None = None
    player: str = COCOTB

    @property
    def replay(self) -> str:
        """The command that runs this again."""
        words = [
            "scalewright",
            "regress",
            *BLOCKS[self.block].words(self.config),
            "--block",
            self.block,
        ]
        words += ["--vectors", str(self.transactions), "--seed", str(self.seed)]
        if self.phase is not None:
            words += ["--phase", self.phase]
        if self.verilog is not None:
            words += ["--verilog", str(self.verilog)]
        if self.top is not None:
            words += ["--top", self.top]
        if self.simulator != VERILATOR.name:
            words += ["--simulator", self.simulator]
        if self.player != COCOTB:
            words += ["--player", self.player]
        if self.waves:
            words.append("--waves")
        return shlex.join(words)


@dataclass(frozen=True)
class Verdict:
    """What came of a regression.

    Attributes:
        regression: What was regressed.
        phases: Phases played.
        transactions: Transactions played.
        results: Results compared.
        cycles: Clock cycles they took.
        mismatches: Results that differ, are missing or surplus.
        covered: Events that a regression is to have seen, and how often they occurred.
        missing: Those that never did, and why, where that is known.
        failure: What went wrong, over several lines; None if nothing did.
        waves: The recording.
    """

    regression: Regression
    phases: int
    transactions: int
    results: int
    cycles: int
    mismatches: int
    covered: dict[str, int]
    missing: dict[str, str]
    failure: str | None
    waves: Path | None

    def as_dict(self) -> dict[str, Any]:
        """The verdict, ready for JSON."""
        return {
            **asdict(self),
            "regression": {
                **vars(self.regression),
                "config": self.regression.config.as_dict(),
                "verilog": self.regression.verilog and str(self.regression.verilog),
                "replay": self.regression.replay,
            },
            "waves": self.waves and str(self.waves),
        }


def regress(regression: Regression, *, progress: Callable[[int], None] | None = None) -> Verdict:
    """Run a regression: build, play every phase until one fails, compare every result.

    Raises:
        ValueError: No such phase or simulator.
        ToolError, BuildError, SimulationError: It could not be run.
    """
    config, seed = regression.config, regression.seed
    simulator = simulator_of(regression.simulator, regression.player)
    design = design_of(regression.block, config, name=regression.top)
    if regression.verilog is not None:
        text = regression.verilog.read_text()
        style = port_style(text, design)
        design = design_of(regression.block, config, name=regression.top, style=style)
        design = with_payload_ports(design.with_verilog(text))
    cases = _cases(regression, design)
    waves = None
    if regression.waves:
        name = f"{design.module}_{config.slug}_seed{seed}"
        waves = build_folder("sim/waves") / f"{name}{Path(simulator.waves_file).suffix}"
    # What is doubtful in a file of the user's is the user's business.
    lint = regression.verilog is None
    built = build(design, waves=regression.waves, lint=lint, simulator=simulator)
    phases = [case.phase for case in cases]
    run = simulate(built, phases, progress=progress)
    if waves is not None:
        _record(built, phases, run, waves)
    played = list(zip(cases, run.outcomes, strict=False))  # up to the first that failed
    failure = None
    for case, outcome in played:
        failure = failure_of(case, outcome, design, regression)
        if failure is not None:
            break
    covered = covered_by([case for case, _ in played])
    hurdles = BLOCKS[regression.block].hurdles(config)
    return Verdict(
        regression=regression,
        phases=len(played),
        transactions=sum(case.transactions for case, _ in played),
        results=sum(len(words) for _, outcome in played for words in outcome.results.values()),
        cycles=sum(outcome.cycles for _, outcome in played),
        mismatches=sum(outcome.mismatch_count for _, outcome in played),
        covered=covered,
        missing={event: hurdles.get(event, "") for event, times in covered.items() if not times},
        failure=failure,
        waves=waves,
    )


def _record(built: Build, phases: list[Phase], run: Run, waves: Path) -> None:
    """Play again, and record: all of it, or the phase that failed from a window before that on."""
    failure = run.failure
    if failure is None:
        simulate(built, phases, waves=waves)
        return
    failed = [phase for phase in phases if phase.name == failure.phase]
    # Where results are only missing, nobody knows when they should have come.
    first = 0 if failure.failed_at is None else max(0, failure.failed_at - WINDOW)
    simulate(built, failed, waves=waves, waves_from=first)


def covered_by(cases: list[Case]) -> dict[str, int]:
    """What cases cover: resets and stalls, and the events of their block."""
    phases = [case.phase for case in cases]
    events = Counter(
        {
            "resets in mid-stream": sum(phase.reset_after is not None for phase in phases),
            "phases with stalled sources": sum(bool(phase.offers) for phase in phases),
            "phases with stalled sinks": sum(bool(phase.accepts) for phase in phases),
            "phases with patient sinks": sum(phase.patient for phase in phases),
        }
    )
    for case in cases:
        # Not `+=`, which drops what is 0.
        events.update(case.covers)
    return dict(events)


def failure_of(case: Case, outcome: Outcome, design: Design, regression: Regression) -> str | None:
    """What went wrong in a phase, and the command that plays it again; None if nothing did."""
    failure = _failure(case, outcome, design)
    if failure is None:
        return None
    failed = replace(regression, phase=case.phase.name, waves=True)
    return f"{failure}\nseed {regression.seed}; to replay with waves:\n  {failed.replay}"


def _cases(regression: Regression, design: Design) -> list[Case]:
    """What a regression plays.

    Raises:
        ValueError: It has no such phase.
    """
    block, phase = BLOCKS[regression.block], regression.phase
    number = (phase or "").removeprefix(SOAK_PREFIX)
    if phase == f"{SOAK_PREFIX}{number}" and number.isdecimal():
        return [block.soak_case(design, regression.config, regression.seed, int(number))]
    cases = block.cases(design, regression.config, regression.transactions, regression.seed)
    if phase is None:
        return cases
    names = [case.phase.name for case in cases]
    if phase not in names:
        raise ValueError(f"phase must be one of {', '.join(names)}, not {phase}")
    return [case for case in cases if case.phase.name == phase]


def _failure(case: Case, outcome: Outcome, design: Design) -> str | None:
    """What went wrong in a phase; None if nothing did."""
    if not outcome.failed:
        if case.cycles is None or case.cycles == outcome.cycles:
            return None
        return f"phase {case.phase.name}: took {outcome.cycles} cycles, not {case.cycles}"
    lines = [f"phase {case.phase.name}: {violation}" for violation in outcome.violations[:1]]
    for mismatch in outcome.mismatches[:1]:
        codec = design.codec(mismatch.port)
        lines += [
            f"phase {mismatch.phase}, result {mismatch.index} of stream {mismatch.port}"
            f"{_when(outcome)}:",
            f"  got  {_result(mismatch.got, codec)}",
            f"  want {_result(mismatch.want, codec)}",
        ]
        lines += [f"  {line}" for line in case.explain(mismatch)]
    return "\n".join(lines)


def _when(outcome: Outcome) -> str:
    return "" if outcome.failed_at is None else f", cycle {outcome.failed_at}"


def _result(word: int | None, codec: Codec) -> str:
    if word is None:
        return "nothing"
    fields = codec.unpack(as_words([word], codec.bytes))
    return " ".join(f"{name}={values[0].tolist()}" for name, values in fields.items())
