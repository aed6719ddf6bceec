import pytest

from scalewright.sim.bench.plan import DETAIL_LIMIT
from scalewright.sim.bench.scoreboard import Scoreboard


def _play(expected: list[int], results: list[int]) -> Scoreboard:
    board = Scoreboard("phase", "o", expected)
    for word in results:
        board.receive(word)
    board.finish()
    return board


def test_equal_results_pass() -> None:
    board = _play([1, 2, 3], [1, 2, 3])
    assert (board.mismatch_count, board.mismatches, board.complete) == (0, [], True)


@pytest.mark.parametrize(
    ("results", "wanted"),
    [
        ([1, 9, 3], [(1, 9, 2)]),
        ([2, 1, 3], [(0, 2, 1), (1, 1, 2)]),
        ([1, 2], [(2, None, 3)]),
        ([], [(0, None, 1), (1, None, 2), (2, None, 3)]),
        ([1, 2, 3, 3], [(3, 3, None)]),
        ([1, 1, 2, 3], [(1, 1, 2), (2, 2, 3), (3, 3, None)]),
    ],
)
def test_wrong_missing_and_surplus_results_fail(
    results: list[int], wanted: list[tuple[int, int | None, int | None]]
) -> None:
    board = _play([1, 2, 3], results)
    assert [(m.index, m.got, m.want) for m in board.mismatches] == wanted
    assert board.mismatch_count == len(wanted)


def test_counts_all_mismatches_and_keeps_the_first() -> None:
    board = _play([0] * 1000, [1] * 1000)
    assert board.mismatch_count == 1000
    assert [m.index for m in board.mismatches] == list(range(DETAIL_LIMIT))
