"""The tasks of a soak: which configuration each plays, and what came of it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import count
from time import perf_counter
from typing import Any

import numpy as np

from scalewright.golden.config import DatapathConfig, EngineConfig
from scalewright.sim.blocks import BLOCKS, Config, design_of
from scalewright.sim.regression.regress import Regression, failure_of
from scalewright.sim.regression.rows import is_affordable
from scalewright.sim.simulators.build import PLAYER, build
from scalewright.sim.simulators.simulation import simulate

# Blocks that multiply.
SOAKED = tuple(name for name, block in BLOCKS.items() if block.soak is not None)


@dataclass(frozen=True)
class Task:
    """A configuration and how much of it is played.

    Attributes:
        number: Its place in the soak.
        block: Name of the block.
        config: The configuration.
        seed: Seed of its stimulus.
        pairs: Vector pairs to play, at least.
    """

    number: int
    block: str
    config: Config
    seed: int
    pairs: int


@dataclass(frozen=True)
class Done:
    """What came of a task.

    Attributes:
        number: Its place in the soak.
        block: Name of the block.
        config: Name of the configuration.
        seed: Seed of its stimulus.
        phases: Phases played.
        pairs: Vector pairs multiplied: each activation vector of an engine, by all its lanes.
        products: Products of two elements.
        results: Results compared.
        cycles: Clock cycles.
        mismatches: Results that differ, are missing or surplus.
        seconds: Time it took, with the build.
        failure: What went wrong, over several lines; None if nothing did.
    """

    number: int
    block: str
    config: str
    seed: int
    phases: int
    pairs: int
    products: int
    results: int
    cycles: int
    mismatches: int
    seconds: float
    failure: str | None

    def as_dict(self) -> dict[str, Any]:
        """A line of the log."""
        return asdict(self)


def tasks(seed: int, configs: Mapping[str, Sequence[Config]], pairs: int) -> Iterator[Task]:
    """The tasks of a soak, without end; each is the same whatever was done before.

    Args:
        seed: Seed of everything random.
        configs: For each block, which take turns, its configurations, which do so too; random ones
            where there are none.
        pairs: Vector pairs of each task, at least.
    """
    for number in count():
        rng = np.random.default_rng([seed, number])
        turn, place = divmod(number, len(configs))
        block = list(configs)[place]
        named = configs[block]
        config = named[turn % len(named)] if named else _random(block, rng)
        yield Task(number, block, config, int(rng.integers(1 << 31)), pairs)


def play(task: Task) -> Done:
    """Play a task on the compiled player, until something is wrong.

    Raises:
        ToolError, BuildError, SimulationError: It could not be played.
    """
    started = perf_counter()
    block, config = BLOCKS[task.block], task.config
    assert block.soak is not None
    design = design_of(task.block, config)
    built = build(design, simulator=PLAYER, optimised=True)
    lanes = config.lanes if isinstance(config, EngineConfig) else 1
    phases = pairs = results = cycles = mismatches = 0
    failure = None
    while failure is None and pairs < task.pairs:
        case = block.soak_case(design, config, task.seed, phases)
        (outcome,) = simulate(built, [case.phase]).outcomes
        phases += 1
        pairs += case.transactions * lanes
        results += sum(len(words) for words in outcome.results.values())
        cycles += outcome.cycles
        mismatches += outcome.mismatch_count
        regression = Regression(task.block, config, 1, task.seed)
        failure = failure_of(case, outcome, design, regression)
    return Done(
        number=task.number,
        block=task.block,
        config=config.slug,
        seed=task.seed,
        phases=phases,
        pairs=pairs,
        products=pairs * _vector_size(config),
        results=results,
        cycles=cycles,
        mismatches=mismatches,
        seconds=perf_counter() - started,
        failure=failure,
    )


def _vector_size(config: Config) -> int:
    if isinstance(config, EngineConfig):
        return config.datapath.vector_size
    assert isinstance(config, DatapathConfig)
    return config.vector_size


def _random(block: str, rng: np.random.Generator) -> Config:
    """A random configuration whose simulator is built within minutes."""
    parameters = BLOCKS[block].parameters
    while True:
        row = {}
        for name, levels in parameters.items():
            level = levels[rng.integers(len(levels))]
            row[name] = level[rng.integers(len(level))]
        try:
            if is_affordable(block, row):
                return BLOCKS[block].configuration_of(row)
        except ValueError:
            continue  # a combination that is not legal
