"""Reads JSON of any origin."""

import json
from pathlib import Path
from typing import Any


def read_json(path: Path) -> Any:
    """What a file of JSON holds.

    Raises:
        ValueError: It is none, of numbers without end, or deeper than Python reads.
        OSError: The file cannot be read.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except RecursionError:
        raise ValueError("its brackets lie too deep in each other") from None
