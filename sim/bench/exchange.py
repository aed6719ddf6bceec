"""Plans and outcomes in files, between the caller and the simulator.

The simulator is another process. The caller writes a plan into the folder of the run; the cocotb
testbench or the compiled player (sim/player) reads it, plays it and writes its outcomes next to it.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from scalewright.sim.bench.plan import Mismatch, Outcome, Phase, Plan

# A line for each stream, phase and array; and the arrays one after the other.
_FACTS, _ARRAYS = "plan.txt", "plan.bin"
_WORDS, _PATTERNS = ("inputs", "expected"), ("offers", "accepts")


def save_plan(folder: Path, plan: Plan) -> None:
    """Write a plan into the folder of a run."""
    lines = [f"four_state {int(plan.four_state)}"]
    lines += [f"input {port} {width}" for port, width in plan.inputs.items()]
    lines += [f"output {port} {width}" for port, width in plan.outputs.items()]
    with (folder / _ARRAYS).open("wb") as file:
        for phase in plan.phases:
            reset_after = -1 if phase.reset_after is None else phase.reset_after
            lines.append(f"phase {int(phase.patient)} {reset_after} {json.dumps(phase.name)}")
            for group in (*_WORDS, *_PATTERNS):
                for port, array in getattr(phase, group).items():
                    lines.append(f"{group} {port} {file.tell()} {len(array)}")
                    np.ascontiguousarray(array).tofile(file)
    (folder / _FACTS).write_text("\n".join([*lines, ""]))


def load_plan(folder: Path) -> Plan:
    """Read the plan of a run."""
    content = np.fromfile(folder / _ARRAYS, np.uint8)
    widths: dict[str, dict[str, int]] = {"input": {}, "output": {}}
    phases: list[dict[str, Any]] = []
    four_state = False
    for line in (folder / _FACTS).read_text().splitlines():
        match line.split(" ", 3):
            case ["four_state", value]:
                four_state = value == "1"
            case ["input" | "output" as way, port, width]:
                widths[way][port] = int(width)
            case ["phase", patient, cycles, name]:
                phases.append({group: {} for group in (*_WORDS, *_PATTERNS)})
                phases[-1]["name"] = json.loads(name)
                phases[-1]["patient"] = patient == "1"
                phases[-1]["reset_after"] = None if cycles == "-1" else int(cycles)
            case [group, port, offset, count]:
                rows = content[int(offset) :]
                if group in _WORDS:
                    size = -(-(widths["input"] | widths["output"])[port] // 8)
                    array: npt.NDArray[Any] = rows[: int(count) * size].reshape(-1, size)
                else:
                    array = rows[: int(count)].view(np.bool_)
                phases[-1][group][port] = array
    return Plan(
        inputs=widths["input"],
        outputs=widths["output"],
        phases=tuple(Phase(**phase) for phase in phases),
        four_state=four_state,
    )


def save_outcome(folder: Path, number: int, outcome: Outcome) -> None:
    """Write the outcome of the phase with this number."""
    facts = {
        "cycles": outcome.cycles,
        "seconds": outcome.seconds,
        "failed_at": outcome.failed_at,
        "mismatch_count": outcome.mismatch_count,
        "mismatches": [
            {
                "port": mismatch.port,
                "index": mismatch.index,
                "got": _text(mismatch.got),
                "want": _text(mismatch.want),
            }
            for mismatch in outcome.mismatches
        ],
        "violations": outcome.violations,
    }
    for port, words in outcome.results.items():
        words.tofile(folder / f"outcome{number}-{port}.bin")
    (folder / f"outcome{number}.json").write_text(json.dumps(facts))


def load_outcome(folder: Path, number: int, phase: Phase) -> Outcome | None:
    """Read the outcome of a phase; None if the simulation did not get so far."""
    path = folder / f"outcome{number}.json"
    if not path.exists():
        return None
    facts = json.loads(path.read_text())
    results = {}
    for port, expected in phase.expected.items():
        words = np.fromfile(folder / f"outcome{number}-{port}.bin", np.uint8)
        results[port] = words.reshape(-1, expected.shape[1])
    mismatches = [
        Mismatch(
            phase=phase.name,
            port=each["port"],
            index=each["index"],
            got=_integer(each["got"]),
            want=_integer(each["want"]),
        )
        for each in facts.pop("mismatches")
    ]
    return Outcome(**facts, phase=phase.name, mismatches=mismatches, results=results)


def _text(word: int | None) -> str | None:
    return None if word is None else hex(word)


def _integer(text: str | None) -> int | None:
    return None if text is None else int(text, 16)
