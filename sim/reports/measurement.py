"""What a report on speed has in a row."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Measurement:
    """Two figures and their ratio.

    Attributes:
        name: What is measured.
        unit: Unit of the figures.
        yardstick: The figure to compare with.
        measured: Ours.
        ratio: Ours over the yardstick's.
        wanted: What the ratio should be.
    """

    name: str
    unit: str
    yardstick: float
    measured: float
    ratio: float
    wanted: str
