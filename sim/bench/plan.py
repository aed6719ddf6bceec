"""What a simulation is to do, and what it did.

All numbers are packed words (see sim/bench/codec.py), so a plan knows nothing of what they mean.
"""

from dataclasses import dataclass, field

from scalewright.sim.bench.codec import Words
from scalewright.sim.bench.stall import Pattern

# Mismatches of one output stream and phase, and breaches of its protocol, that are kept in detail.
DETAIL_LIMIT = 20


@dataclass(frozen=True, kw_only=True)
class Phase:
    """One stretch of stimulus, played from reset.

    Attributes:
        name: Names it in reports, and on the command line for a replay.
        inputs: Words for each input stream.
        expected: Words wanted from each output stream, in order.
        offers: Stall pattern of each source; without stalls where absent.
        accepts: Stall pattern of each sink; without stalls where absent.
        patient: Sinks accept only after they have seen `valid`: a design whose `valid` waits for
            `ready` hangs.
        reset_after: Play so many cycles first, reset in mid-stream, and then play the phase.
    """

    name: str
    inputs: dict[str, Words]
    expected: dict[str, Words]
    offers: dict[str, Pattern] = field(default_factory=dict)
    accepts: dict[str, Pattern] = field(default_factory=dict)
    patient: bool = False
    reset_after: int | None = None


@dataclass(frozen=True, kw_only=True)
class Mismatch:
    """A result that is not the expected one.

    Attributes:
        phase: Name of the phase.
        port: The output stream.
        index: Position of the result among those of the port in this phase.
        got: The word that came; None where it is missing.
        want: The word expected; None where it is surplus.
    """

    phase: str
    port: str
    index: int
    got: int | None
    want: int | None


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a phase gave.

    Attributes:
        phase: Name of the phase.
        cycles: Clock cycles from the first offer to the last result.
        seconds: Wall-clock time they took.
        results: Words that came from each output stream.
        mismatch_count: Results that differ, are missing or are surplus.
        mismatches: The first of them, in detail.
        violations: The first breaches of the stream protocol, one sentence each.
        failed_at: Clock cycle after reset in which a wrong or surplus result or a breach was first
            seen; None where there was none.
    """

    phase: str
    cycles: int
    seconds: float
    results: dict[str, Words]
    mismatch_count: int
    mismatches: list[Mismatch]
    violations: list[str]
    failed_at: int | None = None

    @property
    def failed(self) -> bool:
        """Whether anything was wrong."""
        return bool(self.mismatch_count or self.violations)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Everything that one simulation is to do.

    Attributes:
        inputs: The design's input streams, and the bits of their payloads.
        outputs: Its output streams, likewise.
        phases: What to play, in order.
        four_state: Whether the simulator knows X: then nothing is driven where nothing is offered,
            and nothing that the design drives may be unknown.
    """

    inputs: dict[str, int]
    outputs: dict[str, int]
    phases: tuple[Phase, ...]
    four_state: bool = False
