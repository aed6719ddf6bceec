"""Fuzz targets: a few inputs each with the suite, as many as wanted with SCALEWRIGHT_FUZZ.

`SCALEWRIGHT_FUZZ=100000 pytest -m fuzz` gives so many inputs in all, each target its share, and
other ones every time; without it the inputs are few, and the same every time.
"""

import functools
import os
import resource
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

VARIABLE = "SCALEWRIGHT_FUZZ"

# Parts of all inputs, in percent, by how long one takes and how much can go wrong with it.
SHARES = {
    "tensor files": 30,
    "bytes of ONNX files": 20,
    "fields of ONNX files": 20,
    "notations": 15,
    "measurement files": 8,
    "command lines": 7,
}

# What a target may take of memory beyond what the process had: a refusal needs little.
_MEMORY_KILOBYTES = 1 << 20

counts: Counter[str] = Counter()


def fuzzed(target: str, examples: int, **inputs: Any) -> Callable[[Callable[..., None]], Any]:
    """Make a test a target: it is called with inputs, each an example of its strategy.

    Args:
        target: Its name in `SHARES`.
        examples: Inputs in the suite.
        inputs: A strategy for each argument that is no fixture.
    """
    total = os.environ.get(VARIABLE)
    number = examples if total is None else max(1, int(total) * SHARES[target] // 100)

    def decorate(test: Callable[..., None]) -> Any:
        @functools.wraps(test)
        def counted(*arguments: Any, **named: Any) -> None:
            before = _peak()
            counts[target] += 1
            test(*arguments, **named)
            assert _peak() - before < _MEMORY_KILOBYTES

        settled = settings(
            max_examples=number,
            derandomize=total is None,
            deadline=None,
            # Fixtures are folders, of which one does for all inputs; files take their time.
            suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
        )
        return pytest.mark.fuzz(settled(given(**inputs)(counted)))

    return decorate


def _peak() -> int:
    """The most memory that this process has had, in kilobytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
