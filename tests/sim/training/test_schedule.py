"""The cosine schedule has the ends, the middle and the monotony of half a cosine."""

from itertools import pairwise

import pytest

from tests.oracles.training import torch
from scalewright.sim.training.schedule import cosine

SCHEDULES = [(0.0, 0.1, 0.0), (0.1, 0.01, 0.25), (5.0, -3.0, 0.9)]


@pytest.mark.parametrize(("start", "end", "begin"), SCHEDULES)
def test_is_start_up_to_begin_and_end_from_one_on(start: float, end: float, begin: float) -> None:
    for progress in (-1.0, 0.0, begin / 2, begin):
        assert cosine(progress, start, end, begin=begin) == pytest.approx(start, rel=1e-15)
    for progress in (1.0, 1.5):
        assert cosine(progress, start, end, begin=begin) == end


@pytest.mark.parametrize(("start", "end", "begin"), SCHEDULES)
def test_has_done_half_in_the_middle_and_a_quarter_after_a_third(
    start: float, end: float, begin: float
) -> None:
    middle = cosine((begin + 1) / 2, start, end, begin=begin)
    assert middle == pytest.approx((start + end) / 2, rel=1e-12)
    third = cosine(begin + (1 - begin) / 3, start, end, begin=begin)
    assert third == pytest.approx(start + (end - start) / 4, rel=1e-12)


def test_begins_at_once_by_default_and_never_turns() -> None:
    shares = torch.linspace(0, 1, 101).tolist()
    values = [cosine(share, 0.1, 0.01) for share in shares]
    assert values == [cosine(share, 0.1, 0.01, begin=0.0) for share in shares]
    steps = [last - value for last, value in pairwise(values)]
    assert min(steps) > 0
    # Its slope is 0 at both ends, and largest in the middle.
    assert steps.index(max(steps)) in (49, 50)
    assert steps[0] < max(steps) / 50
    assert steps[-1] < max(steps) / 50
