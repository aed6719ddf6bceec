"""Independent oracle for wider elements by composition, in integers and fractions only.

Written from the arithmetic contract and sharing no code with the golden model.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from tests.oracles.arithmetic import Operand, VectorPair, float32, round_half_even

# Far below any grid, and a number of binary32.
_FAR = Fraction(2**100)


@dataclass(frozen=True)
class Grid:
    """x = r * h + l with digits up to q, sent with the scales r * unit and unit."""

    q: int
    signed: bool
    r: int
    unit: int

    @property
    def largest(self) -> int:
        """R = r*q + q."""
        return self.r * self.q + self.q

    @property
    def lowest(self) -> int:
        """-R of signed digits, 0 of unsigned ones."""
        return -self.largest if self.signed else 0

    def digits(self, x: int) -> tuple[int, int]:
        """Signed h = clip(rne(x / r), -q, q), unsigned h = min(x // r, q); l = x - r*h."""
        if self.signed:
            h = min(max(round_half_even(Fraction(x, self.r)), -self.q), self.q)
        else:
            h = min(x // self.r, self.q)
        return h, x - self.r * h


def _grid(operand: Operand, unit: int) -> Grid:
    assert operand.scale_bits is not None
    digits = 2 * operand.qmax + 1 if operand.signed else operand.qmax + 1
    r = min(digits, (2**operand.scale_bits - 1) // unit)
    return Grid(operand.qmax, operand.signed, r, unit)


def grids(
    weights: Operand | None, activations: Operand | None, shift: int
) -> tuple[Grid | None, Grid | None] | None:
    """The grids of what is composed (None: is not), with sh bits rounded off; None if it cannot."""
    if any(
        operand is not None and operand.scale_bits is None for operand in (weights, activations)
    ):
        return None
    if shift == 0:
        return (
            None if weights is None else _grid(weights, 1),
            None if activations is None else _grid(activations, 1),
        )
    if weights is None or activations is None:
        return None
    found = []
    for k in range(shift + 1):
        w, a = _grid(weights, 2**k), _grid(activations, 2 ** (shift - k))
        if w.r >= 2 and a.r >= 2:
            reach = min(Fraction(w.largest, w.q), Fraction(a.largest, a.q))
            found.append((-reach, k, (w, a)))
    return min(found, key=lambda one: one[:2])[2] if found else None


@dataclass(frozen=True)
class Row:
    """J vectors of one operand of a sum: elements, and their scales unless there are none."""

    vectors: Sequence[Sequence[int]]
    scales: Sequence[int] | None
    grid: Grid | None

    def sent(self, j: int) -> list[tuple[list[int], int | None]]:
        """What is sent for vector j: its digits, or itself, and the scale of each."""
        vector = list(self.vectors[j])
        if self.grid is None:
            return [(vector, None if self.scales is None else self.scales[j])]
        split = [self.grid.digits(x) for x in vector]
        return [
            ([h for h, _ in split], self.grid.r * self.grid.unit),
            ([low for _, low in split], self.grid.unit),
        ]


def pairs(weights: Row, activations: Row) -> list[VectorPair]:
    """The vector pairs of a sum: hh, hl, lh, ll of vector j, then those of j+1."""
    sent = [
        (w, a)
        for j in range(len(weights.vectors))
        for w in weights.sent(j)
        for a in activations.sent(j)
    ]
    return [
        VectorPair(w[0], a[0], w[1], a[1], number == 0, number == len(sent) - 1)
        for number, (w, a) in enumerate(sent)
    ]


def quantize(
    values: Sequence[Fraction], grid: Grid, threshold: Fraction | None = None
) -> tuple[list[int], Fraction]:
    """One coarse group as x = clip(rne(v / gamma), lo, R), and gamma; binary32 at each step."""
    peak = max(abs(v) if grid.signed else max(v, Fraction(0)) for v in values)
    gamma = float32((peak if threshold is None else threshold) / grid.largest)
    if gamma == 0:
        return [0] * len(values), gamma
    # Below an unsigned grid, v may be infinitely many gammas in binary32: lo as well.
    ratios = [round_half_even(float32(max(v / gamma, -_FAR))) for v in values]
    return [min(max(x, grid.lowest), grid.largest) for x in ratios], gamma
