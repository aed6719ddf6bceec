"""Regressions: a block in one configuration against golden, with every kind of stimulus."""

import shlex
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from golden.config import DatapathConfig
from sim import tb_vector_mac
from sim.build import BUILD_FOLDER, build
from sim.design import Design
from sim.simulation import simulate
from sim.tb_vector_mac import Case


@dataclass(frozen=True)
class Regression:
    """What to regress.

    Attributes:
        block: Name of the block.
        config: Its configuration.
        vectors: Random vector pairs, beside the exhaustive ones and the corners.
        seed: Seed of everything random.
        phase: Name of the only phase to play; None for all.
        waves: Whether to record waves.
        verilog: A file to simulate in place of the generated Verilog, such as a netlist.
    """

    block: str
    config: DatapathConfig
    vectors: int
    seed: int
    phase: str | None = None
    waves: bool = False
    verilog: Path | None = None

    @property
    def replay(self) -> str:
        """The command that runs this again."""
        words = ["scalewright", "regress", str(self.config), "--block", self.block]
        words += ["--vector-size", str(self.config.vector_size)]
        if self.config.scale_product_bits is not None:
            words += ["--scale-product-bits", str(self.config.scale_product_bits)]
        words += ["--accumulator-bits", str(self.config.accumulator_bits)]
        words += ["--vectors", str(self.vectors), "--seed", str(self.seed)]
        if self.phase is not None:
            words += ["--phase", self.phase]
        if self.verilog is not None:
            words += ["--verilog", str(self.verilog)]
        if self.waves:
            words.append("--waves")
        return shlex.join(words)


@dataclass(frozen=True)
class Verdict:
    """What came of a regression.

    Attributes:
        regression: What was regressed.
        phases: Phases played.
        vectors: Vector pairs played.
        results: Results compared.
        cycles: Clock cycles they took.
        mismatches: Results that differ, are missing or surplus.
        failure: What went wrong, over several lines; None if nothing did.
        waves: The recording.
    """

    regression: Regression
    phases: int
    vectors: int
    results: int
    cycles: int
    mismatches: int
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
        ValueError: No such phase.
        ToolError, BuildError, SimulationError: It could not be run.
    """
    config, seed = regression.config, regression.seed
    design = Design.of(regression.block, config)
    if regression.verilog is not None:
        design = Design(regression.verilog.read_text(), design.description)
    cases = tb_vector_mac.cases(design, config, vectors=regression.vectors, seed=seed)
    if regression.phase is not None:
        names = [case.phase.name for case in cases]
        if regression.phase not in names:
            raise ValueError(f"phase must be one of {', '.join(names)}, not {regression.phase}")
        cases = [case for case in cases if case.phase.name == regression.phase]
    waves = None
    if regression.waves:
        waves = BUILD_FOLDER / "waves" / f"{design.module}_{config.slug}_seed{seed}.vcd"
    run = simulate(
        build(design, waves=regression.waves),
        [case.phase for case in cases],
        progress=progress,
        waves=waves,
    )
    played = list(zip(cases, run.outcomes, strict=False))  # up to the first that failed
    failure = None
    if run.failure is not None:
        failure = _failure(played[-1][0], run.failure.violations, run.failure.mismatches, design)
    else:
        for case, outcome in played:
            failure = failure or _late(case, outcome.cycles, design.latency)
    if failure is not None:
        failed = Regression(
            **{**vars(regression), "phase": played[-1][0].phase.name, "waves": True}
        )
        failure += f"\nseed {seed}; to replay with waves:\n  {failed.replay}"
    return Verdict(
        regression=regression,
        phases=len(played),
        vectors=sum(len(case.stream["last"]) for case, _ in played),
        results=sum(len(outcome.results[tb_vector_mac.OUTPUT]) for _, outcome in played),
        cycles=sum(outcome.cycles for _, outcome in played),
        mismatches=sum(outcome.mismatch_count for _, outcome in played),
        failure=failure,
        waves=waves,
    )


def _failure(
    case: Case, violations: Sequence[str], mismatches: Sequence[Any], design: Design
) -> str:
    lines = [f"phase {case.phase.name}: {violation}" for violation in violations[:1]]
    if mismatches:
        codec = design.codec(tb_vector_mac.OUTPUT)
        lines.append(tb_vector_mac.report(case, mismatches[0], codec))
    return "\n".join(lines)


def _late(case: Case, cycles: int, latency: int) -> str | None:
    """A phase at full rate takes one cycle per vector pair and the latency, no more, no less."""
    wanted = len(case.stream["last"]) - 1 + latency
    if not case.full_rate or cycles == wanted:
        return None
    return f"phase {case.phase.name}: took {cycles} cycles, not {wanted}"
