"""The divider in Amaranth's simulator: one call of the hardware equals one of golden."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

from scalewright.hw.arithmetic.divider import Divider
from tests.benches.amaranth import Records, play, records
from tests.benches.faults import Fault, insert_fault
from tests.benches.small import STALLS


def divider(dividends: Any, divisors: Any, stalls: float, **widths: int) -> Records:
    operands = {"dividend": dividends, "divisor": divisors}
    return play(Divider(**widths), {"i": operands}, stalls=stalls)["o"]


def golden_divider(dividends: Any, divisors: Any) -> Records:
    return records({"quotient": dividends // divisors, "remainder": dividends % divisors})


@STALLS
@pytest.mark.parametrize("bits_per_cycle", [1, 2, 3])
def test_divider(bits_per_cycle: int, stalls: float) -> None:
    rng = np.random.default_rng(0)
    divisors = rng.integers(1, 1 << 9, 60)
    dividends = rng.integers(0, divisors << 13)
    widths = {"dividend_width": 22, "divisor_width": 9, "quotient_width": 13}
    results = divider(dividends, divisors, stalls, bits_per_cycle=bits_per_cycle, **widths)
    assert results == golden_divider(dividends, divisors)


# Each of these comparisons sees a fault.

_FAULTS: dict[str, tuple[Callable[[], None], Fault]] = {
    "divider-loses-the-uppermost-bits": (
        partial(test_divider, 2, 0.0),
        (Divider.elaborate, "self.i.payload.dividend >> steps", "0"),
    ),
}


@pytest.mark.parametrize(("compare", "fault"), _FAULTS.values(), ids=_FAULTS)
def test_sees_a_fault(
    compare: Callable[[], None], fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert_fault(fault, monkeypatch)
    with pytest.raises(AssertionError):
        compare()
