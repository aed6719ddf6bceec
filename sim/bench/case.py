"""What a regression plays: a phase, and what the block's testbench knows of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from scalewright.sim.bench.plan import Mismatch, Phase


@dataclass(frozen=True)
class Case:
    """A phase and its meaning.

    Attributes:
        phase: What is played.
        transactions: How many transactions (vector pairs, tensors) it has.
        explain: The lines that show the transaction behind a mismatch: operands, what golden says.
        cycles: How many clock cycles the phase must take, no more, no less; None where stalls
            leave that open.
        covers: Events that a regression is to have seen, and how often they occur; 0 where not.
    """

    phase: Phase
    transactions: int
    explain: Callable[[Mismatch], list[str]]
    cycles: int | None = None
    covers: Mapping[str, int] = field(default_factory=dict)
