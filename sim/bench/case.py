"""What a regression plays: a phase, and what the block's testbench knows of it."""

from collections.abc import Callable
from dataclasses import dataclass

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
    """

    phase: Phase
    transactions: int
    explain: Callable[[Mismatch], list[str]]
    cycles: int | None = None
