"""Compares results with expectations, in order, bit for bit."""

from scalewright.sim.bench.plan import DETAIL_LIMIT, Mismatch


class Scoreboard:
    """Takes the results of one output stream and compares each with the expected word.

    Attributes:
        results: The words that came, in order.
        mismatch_count: Results that differ, are missing or are surplus.
        mismatches: The first `DETAIL_LIMIT` of them.
    """

    def __init__(self, phase: str, port: str, expected: list[int]) -> None:
        self._phase = phase
        self._port = port
        self._expected = expected
        self.results: list[int] = []
        self.mismatch_count = 0
        self.mismatches: list[Mismatch] = []

    @property
    def complete(self) -> bool:
        """Whether as many results came as expected."""
        return len(self.results) >= len(self._expected)

    def receive(self, word: int) -> bool:
        """Take the next result; returns whether it is the expected one."""
        index = len(self.results)
        self.results.append(word)
        want = self._expected[index] if index < len(self._expected) else None
        if word != want:
            self._count(index, word, want)
        return word == want

    def finish(self) -> None:
        """Count the results that never came."""
        for index in range(len(self.results), len(self._expected)):
            self._count(index, None, self._expected[index])

    def _count(self, index: int, got: int | None, want: int | None) -> None:
        self.mismatch_count += 1
        if len(self.mismatches) < DETAIL_LIMIT:
            self.mismatches.append(
                Mismatch(phase=self._phase, port=self._port, index=index, got=got, want=want)
            )
