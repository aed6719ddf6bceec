"""Compares results with expectations, in order, bit for bit."""

from sim.plan import MISMATCH_LIMIT, Mismatch


class Scoreboard:
    """Takes the results of one output stream and compares each with the expected word.

    Attributes:
        results: The words that came, in order.
        mismatches: Differences, missing and surplus results; at most `MISMATCH_LIMIT`.
    """

    def __init__(self, phase: str, port: str, expected: list[int]) -> None:
        self._phase = phase
        self._port = port
        self._expected = expected
        self.results: list[int] = []
        self.mismatches: list[Mismatch] = []

    def receive(self, word: int) -> None:
        """Take the next result."""
        index = len(self.results)
        self.results.append(word)
        want = self._expected[index] if index < len(self._expected) else None
        if word != want:
            self._report(index, word, want)

    @property
    def complete(self) -> bool:
        """Whether as many results came as expected, or too many differ to go on."""
        enough = len(self.results) >= len(self._expected)
        return enough or len(self.mismatches) >= MISMATCH_LIMIT

    def finish(self) -> list[Mismatch]:
        """Report the results that never came, and return all mismatches."""
        if len(self.mismatches) < MISMATCH_LIMIT:
            for index in range(len(self.results), len(self._expected)):
                self._report(index, None, self._expected[index])
        return self.mismatches

    def _report(self, index: int, got: int | None, want: int | None) -> None:
        if len(self.mismatches) < MISMATCH_LIMIT:
            self.mismatches.append(
                Mismatch(phase=self._phase, port=self._port, index=index, got=got, want=want)
            )
