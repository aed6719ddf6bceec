"""What there is to know of a block of hardware, in one record."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from scalewright.golden.config import DatapathConfig, EngineConfig, OctavConfig
from scalewright.sim.bench.case import Case
from scalewright.sim.bench.design import Design

Config: TypeAlias = DatapathConfig | OctavConfig | EngineConfig

# Begins the names of the phases of soaks.
SOAK_PREFIX = "soak-"

Value: TypeAlias = int | str
Level: TypeAlias = tuple[Value, ...]
Row: TypeAlias = Mapping[str, Value]


@dataclass(frozen=True)
class Bound:
    """What a simulator may cost in one respect.

    Attributes:
        parameters: Those that it depends on.
        cost: The cost, of a row that has them.
        most: The bound.
        reason: What it costs beyond.
    """

    parameters: tuple[str, ...]
    cost: Callable[[Row], int]
    most: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class Block:
    """A block: its hardware, its configurations, and what it is tested with.

    Regressions pair levels of parameters. A level is a few values that are as good as each other:
    an extreme alone, or all between extremes, which the rows of a covering array take in turn. A
    row has a value for each parameter. Values that have a meaning only beside others are words:
    `least`, `one`, `half`, `middle`, `all`.

    Attributes:
        name: What the command line calls it; with underscores, the name of its module.
        component: Its Amaranth component, of a configuration.
        cases: What a regression plays: of a design, its configuration, the number of random
            transactions and a seed.
        hurdles: Of a configuration, why a regression may lack an event that it is to have seen.
        complete: Its configuration, of a datapath and of other options by name; None where it has
            no datapath.
        options: Names of these other options.
        configure: Its configuration, of options alone; None where it has a datapath.
        words: What says a configuration on the command line.
        specials: Configurations that somebody uses, before all pairs.
        parameters: The levels of each parameter.
        configuration_of: The configuration that a row means. ValueError: there is none, because a
            rule of golden/config forbids it.
        bounds: What rows may cost.
        soak: A phase of a soak: of its name, a design, its configuration and what draws; None where
            nothing soaks it.
    """

    name: str
    component: Callable[[Any], Any]
    cases: Callable[[Design, Any, int, int], list[Case]]
    hurdles: Callable[[Any], Mapping[str, str]] = lambda _: {}
    complete: Callable[[DatapathConfig, Mapping[str, Any]], Config] | None = None
    options: tuple[str, ...] = ()
    configure: Callable[[Mapping[str, Any]], Config] | None = None
    words: Callable[[Any], list[str]]
    specials: tuple[Config, ...]
    parameters: Mapping[str, tuple[Level, ...]]
    configuration_of: Callable[[Row], Config]
    bounds: tuple[Bound, ...] = field(default=())
    soak: Callable[[str, Design, Any, np.random.Generator], Case] | None = None

    def soak_case(self, design: Design, config: Any, seed: int, number: int) -> Case:
        """A phase of a soak, `soak-NUMBER`: the same for the same seed, whatever else is played.

        Raises:
            ValueError: Nothing soaks this block.
        """
        if self.soak is None:
            raise ValueError(f"block {self.name} has no soak")
        rng = np.random.default_rng([seed, number])
        return self.soak(f"{SOAK_PREFIX}{number}", design, config, rng)

    @property
    def module(self) -> str:
        """Name of its module where nobody gives another."""
        return self.name.replace("-", "_")
