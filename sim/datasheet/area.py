"""Measured area, delay and energy of a design, from what `scalewright ppa --json` has written."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scalewright.golden.config import DatapathConfig, EngineConfig
from scalewright.sim import ppa
from scalewright.sim.blocks import Config
from scalewright.sim.files.json_text import read_json
from scalewright.sim.files.names import listing

# Measurements that come with the program: those of the presets.
BASELINE = Path(ppa.__file__).parent / "baseline.json"

MEASURED = ("vector-mac", "rescaler")


@dataclass(frozen=True)
class Area:
    """What was measured of a design.

    Attributes:
        library: Name of the cells.
        area: In the unit of the library.
        critical_path: Shortest clock period, in ns.
        energy: Of one vector pair or result, in pJ.
        source: The file's name.
    """

    library: str
    area: float
    critical_path: float
    energy: float
    source: str


def find_area(block: str, config: Config, file: Path | None) -> Area | None:
    """The measurement of a design; None where there is none among those that come along.

    Args:
        block: Name of the block.
        config: Its configuration.
        file: A file of the user's, which must have it; None for those that come along.

    Raises:
        ValueError: The user's file is no such file, or lacks the design.
    """
    if block not in MEASURED:
        if file is not None:
            raise ValueError(
                f"--area {file}: only {' and '.join(MEASURED)} are measured, not {block}"
            )
        return None
    datapath = config.datapath if isinstance(config, EngineConfig) else config
    assert isinstance(datapath, DatapathConfig)
    source = BASELINE if file is None else file
    try:
        document: dict[str, Any] = read_json(source)
        found = [
            Area(
                str(document["library"]),
                float(each["area"]),
                float(each["critical_path"]),
                float(each["energy"]),
                source.name,
            )
            for each in document["measurements"]
            if (each["subject"]["block"], each["subject"]["config"]) == (block, datapath.slug)
        ]
        known = [each["subject"]["config"] for each in document["measurements"]]
    except (OSError, ValueError, ArithmeticError, KeyError, TypeError):
        raise ValueError(f"{source}: not what `scalewright ppa --json` writes") from None
    if file is not None and not found:
        raise ValueError(f"{file}: has no {block} {datapath.slug}; it has {listing(known)}")
    return found[0] if found else None
