"""Keeps area and energy from growing: measurements against those of an earlier run."""

import math
from pathlib import Path
from typing import Any

from scalewright.sim.files.json_text import read_json
from scalewright.sim.ppa.measure import Measurement

# Growth that is let through: tools of another release map a little differently.
ALLOWED_GROWTH = 0.03

_WATCHED = ("area", "energy")


def growths(measurements: list[Measurement], baseline: Path) -> list[tuple[str, str, float]]:
    """How much each measurement has grown since.

    Args:
        measurements: Of now.
        baseline: What `scalewright ppa --json` wrote then.

    Returns:
        Configuration, what of it (area or energy), and its growth: 0.01 is 1 %.

    Raises:
        ValueError: No such file, or a configuration that is not in it.
    """
    try:
        then = {
            _key(each): {name: _positive(each[name]) for name in _WATCHED}
            for each in read_json(baseline)["measurements"]
        }
    except (OSError, ValueError, ArithmeticError, KeyError, TypeError):
        raise ValueError(f"{baseline}: not what `scalewright ppa --json` writes") from None
    found = []
    for each in measurements:
        now = each.as_dict()
        if _key(now) not in then:
            raise ValueError(f"{baseline}: has no {' '.join(_key(now))}")
        for name in _WATCHED:
            growth = now[name] / then[_key(now)][name] - 1
            found.append((each.subject.config.slug, name, growth))
    return found


def _positive(value: Any) -> float:
    number = float(value)
    if not 0 < number < math.inf:
        raise ValueError(f"a measurement must be above 0, not {value}")
    return number


def _key(measurement: dict[str, Any]) -> tuple[str, str]:
    return measurement["subject"]["block"], measurement["subject"]["config"]
