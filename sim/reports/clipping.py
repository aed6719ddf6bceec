"""Compares the methods that choose a clipping threshold on one tensor, in figures and a picture."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt

from scalewright.golden.clipping import max_threshold, octav_threshold, percentile_threshold
from scalewright.golden.config import OperandFormat
from scalewright.golden.mse import mean_squared_error, mse_optimal, mse_sweep
from scalewright.golden.octav import End, Grid
from scalewright.sim.simulators.toolchain import ToolError

Floats = npt.NDArray[np.float64]

# Thresholds at which the picture's curve is computed.
_CURVE_POINTS = 400


@dataclass(frozen=True, eq=False)
class Choice:
    """What one method chose for each of G groups.

    Attributes:
        method: Its name.
        thresholds: (G,).
        mse: True mean squared error of each group.
        seconds: Time it took.
        iterations: Passes of the recursion, (G,); None for other methods.
        ends: Why the recursion ended, (G,); None for other methods.
    """

    method: str
    thresholds: Floats
    mse: Floats
    seconds: float
    iterations: npt.NDArray[np.int64] | None = None
    ends: npt.NDArray[np.uint8] | None = None

    @property
    def mean_mse(self) -> float:
        """Mean over all groups, which have one size."""
        return float(self.mse.mean())

    def as_dict(self) -> dict[str, Any]:
        """The choice, ready for JSON."""
        facts: dict[str, Any] = {
            "method": self.method,
            "thresholds": self.thresholds.tolist(),
            "mse": self.mse.tolist(),
            "mean_mse": self.mean_mse,
            "seconds": self.seconds,
        }
        if self.iterations is not None and self.ends is not None:
            facts["iterations"] = self.iterations.tolist()
            facts["ends"] = [End(end).name.lower() for end in self.ends.tolist()]
        return facts


def compare_methods(
    groups: npt.NDArray[np.float32],
    fmt: OperandFormat,
    *,
    percents: tuple[float, ...] = (99.9, 99.99),
    progress: Callable[[int], None] | None = None,
) -> list[Choice]:
    """Let every method choose thresholds for (G, n) samples; the exact optimum comes first.

    Args:
        groups: A row for each group.
        fmt: The format to quantize to.
        percents: Which percentiles to try.
        progress: Called with 1 after each method.
    """
    methods: dict[str, Callable[[], Any]] = {
        "optimal": lambda: mse_optimal(groups, fmt),
        "octav": lambda: octav_threshold(groups, fmt, grid=Grid.NARROW),
        "octav (paper's grid)": lambda: octav_threshold(groups, fmt, grid=Grid.PAPER),
        "sweep of 100": lambda: mse_sweep(groups, fmt),
        **{
            f"percentile:{percent:g}": partial(percentile_threshold, groups, fmt, percent)
            for percent in percents
        },
        "max": lambda: max_threshold(groups, fmt),
    }
    choices = []
    for method, choose in methods.items():
        started = perf_counter()
        chosen = choose()
        seconds = perf_counter() - started
        thresholds = chosen if isinstance(chosen, np.ndarray) else chosen.thresholds
        choices.append(
            Choice(
                method,
                thresholds,
                mean_squared_error(groups, fmt, thresholds),
                seconds,
                getattr(chosen, "iterations", None),
                getattr(chosen, "ends", None),
            )
        )
        if progress is not None:
            progress(1)
    return choices


def plot(
    path: Path,
    kind: str,
    groups: npt.NDArray[np.float32],
    fmt: OperandFormat,
    choices: list[Choice],
) -> None:
    """Draw the error of the first group against its threshold, each method's choice marked.

    The picture goes to `path` in the format `kind` (png, svg or pdf).

    Raises:
        ToolError: matplotlib is missing.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ToolError("a plot needs matplotlib: pip install 'scalewright[plot]'") from None
    group = groups[:1]
    largest = float(max_threshold(group, fmt)[0])
    thresholds = np.linspace(largest / _CURVE_POINTS, 1.02 * largest, _CURVE_POINTS)
    errors = [float(mean_squared_error(group, fmt, np.array([t]))[0]) for t in thresholds]
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.add_subplot()
    axes.plot(thresholds, errors, color="0.6", zorder=1, label="any threshold")
    if all(error > 0 for error in (*errors, *(choice.mse[0] for choice in choices))):
        axes.set_yscale("log")
    markers = "*osv^DP"
    for choice, marker in zip(choices, cycle(markers), strict=False):
        axes.scatter(
            choice.thresholds[:1],
            choice.mse[:1],
            marker=marker,
            s=120 if marker == "*" else 45,
            label=f"{choice.method}: {choice.thresholds[0]:.4g}",
            zorder=2,
        )
    bits = f"{fmt.element_bits} bits, {'signed' if fmt.signed else 'unsigned'}"
    axes.set_title(f"Clipping threshold of {group.shape[1]:,} samples at {bits}")
    axes.set_xlabel("threshold (unit of the tensor)")
    axes.set_ylabel("mean squared error (its square)")
    axes.legend()
    figure.savefig(path, format=kind)
