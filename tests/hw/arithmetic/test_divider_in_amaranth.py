"""The divider in Amaranth's simulator: one call of the hardware equals one of golden."""

from functools import partial
from typing import Any

import numpy as np
import pytest

from scalewright.hw.arithmetic.divider import Divider
from tests.benches.amaranth import Records, play, records
from tests.benches.faults import seen
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


test_sees_a_fault = seen(
    {
        "divider-loses-the-uppermost-bit": (
            partial(test_divider, 2, 0.0),
            lambda bad, good: good.i.payload.dividend.eq(bad.i.payload.dividend[:-1]),
        ),
    }
)
