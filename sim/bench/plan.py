"""What a simulation is to do, and what it did: files between the caller and the simulator.

The simulator is another process. The caller writes a plan into the folder of the run, the
testbench reads it, plays it and writes its outcome next to it. All numbers are packed words (see
sim/bench/codec.py), so a plan knows nothing of what they mean.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np

from scalewright.sim.bench.codec import Words
from scalewright.sim.bench.stall import Pattern

# Mismatches of one output stream and phase that are kept with all their details.
MISMATCH_LIMIT = 20

_ARRAYS = ("inputs", "expected", "offers", "accepts")


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
        violations: Breaches of the stream protocol, one sentence each.
    """

    phase: str
    cycles: int
    seconds: float
    results: dict[str, Words]
    mismatch_count: int
    mismatches: list[Mismatch]
    violations: list[str]

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

    def save(self, folder: Path) -> None:
        """Write the plan into the folder of a run."""
        arrays: dict[str, Any] = {}
        for number, phase in enumerate(self.phases):
            for group in _ARRAYS:
                for port, array in getattr(phase, group).items():
                    arrays[f"{number}/{group}/{port}"] = array
        np.savez(folder / "plan.npz", **arrays)
        facts = {
            "inputs": self.inputs,
            "outputs": self.outputs,
            "four_state": self.four_state,
            "phases": [
                {"name": phase.name, "patient": phase.patient, "reset_after": phase.reset_after}
                for phase in self.phases
            ],
        }
        (folder / "plan.json").write_text(json.dumps(facts))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read the plan of a run."""
        facts = json.loads((folder / "plan.json").read_text())
        groups: list[dict[str, Any]] = [{name: {} for name in _ARRAYS} for _ in facts["phases"]]
        with np.load(folder / "plan.npz") as arrays:
            for key in arrays:
                number, group, port = key.split("/")
                groups[int(number)][group][port] = arrays[key]
        phases = [
            Phase(**phase, **group) for phase, group in zip(facts["phases"], groups, strict=True)
        ]
        return cls(**{**facts, "phases": tuple(phases)})


def save_outcome(folder: Path, number: int, outcome: Outcome) -> None:
    """Write the outcome of the phase with this number."""
    facts = {
        "phase": outcome.phase,
        "cycles": outcome.cycles,
        "seconds": outcome.seconds,
        "mismatch_count": outcome.mismatch_count,
        "mismatches": [vars(mismatch) for mismatch in outcome.mismatches],
        "violations": outcome.violations,
    }
    results: dict[str, Any] = dict(outcome.results)
    np.savez(folder / f"outcome{number}.npz", **results)
    (folder / f"outcome{number}.json").write_text(json.dumps(facts))


def load_outcome(folder: Path, number: int) -> Outcome | None:
    """Read the outcome of a phase; None if the simulation did not get so far."""
    path = folder / f"outcome{number}.json"
    if not path.exists():
        return None
    facts = json.loads(path.read_text())
    mismatches = [Mismatch(**mismatch) for mismatch in facts.pop("mismatches")]
    with np.load(folder / f"outcome{number}.npz") as arrays:
        return Outcome(**facts, mismatches=mismatches, results=dict(arrays))
