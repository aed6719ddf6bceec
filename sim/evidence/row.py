"""A line of the table of evidence."""

from dataclasses import dataclass

HOLDS, FAILS, OPEN = "holds", "does not hold", "not resolvable here"


@dataclass(frozen=True)
class Row:
    """A line of the table.

    Attributes:
        claim: What is claimed.
        source: By whom.
        metric: What was measured.
        result: What came out, in words.
        verdict: HOLDS, FAILS or OPEN.
        interval: Mean and ends of the 95 % interval of the difference, positive where it speaks for
            the claim; None where the row is no comparison.
    """

    claim: str
    source: str
    metric: str
    result: str
    verdict: str
    interval: tuple[float, float, float] | None = None
