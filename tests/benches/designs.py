"""The configurations that tests play: a sample of the covering set, or all of it in CI."""

import os
from typing import Any

from scalewright.sim.blocks import BLOCKS
from scalewright.sim.regression.configurations import covering, sample

# Set by `make test-all`.
ALL = "SCALEWRIGHT_TEST_ALL" in os.environ

# Blocks with configurations, for a test's parameters.
DESIGNS: list[tuple[str, Any]] = [
    (block, config) for block in BLOCKS for config in (covering if ALL else sample)(block)
]


def name_of(part: object) -> str:
    """A configuration's name in that of a test."""
    return str(getattr(part, "slug", part))
