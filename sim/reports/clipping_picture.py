"""Draws what clipping thresholds do to one group of samples."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from scalewright.golden.config import OperandFormat
from scalewright.golden.mse import mean_squared_error
from scalewright.sim.reports.clipping import Choice, Floats, Groups

# Thresholds at which the curve is computed: fewer for samples so many that it would take minutes.
_CURVE_POINTS = range(40, 401)
_CURVE_SAMPLES = 1 << 29
_BINS = 120
# Hollow, and each smaller than the one before: equal choices lie within each other.
_MARKERS = "osD^vPX"
_LARGEST_MARKER = 320
_SMALLEST_MARKER = 30


def draw(
    path: Path,
    kind: str,
    groups: Groups,
    fmt: OperandFormat,
    choices: list[Choice],
    *,
    group: int,
    title: str,
) -> None:
    """Draw the error of a group against its threshold, and its samples with the grid.

    Args:
        path: The picture's file.
        kind: png, svg or pdf.
        groups: All groups (G, n).
        fmt: The format to quantize to.
        choices: What each method chose, the exact optimum first.
        group: Which of the groups.
        title: What it is called.
    """
    samples = groups[group : group + 1]
    figure = Figure(figsize=(9, 8), layout="constrained")
    errors, values = figure.subplots(2, 1)
    _draw_errors(errors, samples, fmt, choices, group)
    _draw_samples(values, samples[0], fmt, choices, group)
    bits = f"{fmt.element_bits} bits, {'signed' if fmt.signed else 'unsigned'}"
    figure.suptitle(f"Clipping of {title}: {samples.size:,} samples at {bits}")
    figure.savefig(path, format=kind)


def _draw_errors(
    axes: Axes, samples: Groups, fmt: OperandFormat, choices: list[Choice], group: int
) -> None:
    largest = max(float(choice.thresholds[group]) for choice in choices)
    points = int(np.clip(_CURVE_SAMPLES // samples.size, _CURVE_POINTS[0], _CURVE_POINTS[-1]))
    thresholds = np.linspace(largest / points, 1.02 * largest, points)
    curve = [float(mean_squared_error(samples, fmt, [limit])[0]) for limit in thresholds]
    axes.plot(thresholds, curve, color="0.6", zorder=1)
    if all(error > 0 for error in (*curve, *(choice.mse[group] for choice in choices))):
        axes.set_yscale("log")
    sizes = np.linspace(_LARGEST_MARKER, _SMALLEST_MARKER, len(choices))
    for index, (choice, size) in enumerate(zip(choices, sizes, strict=True)):
        axes.scatter(
            choice.thresholds[group],
            choice.mse[group],
            marker=_MARKERS[index % len(_MARKERS)],
            s=float(size),
            facecolors="none",
            edgecolors=f"C{index}",
            linewidths=1.5,
            label=f"{choice.method}: {choice.thresholds[group]:.4g}",
            zorder=2,
        )
    axes.set_xlabel("clipping threshold (units of the tensor)")
    axes.set_ylabel("mean squared error (squared units)")
    # Markers of one size: in the picture they differ in size only to be seen together.
    legend = axes.legend()
    for handle in legend.legend_handles:
        if handle is not None and hasattr(handle, "set_sizes"):
            handle.set_sizes([45])


def _draw_samples(
    axes: Axes, samples: Groups, fmt: OperandFormat, choices: list[Choice], group: int
) -> None:
    """A histogram, the values that the optimum's grid has, and every method's thresholds."""
    # In float64, whose neighbours of the largest float32 are no further apart than bins.
    low, high = float(samples.min()), float(samples.max())
    margin = (high - low or abs(high) or 1.0) / _BINS
    edges = np.linspace(low - margin, high + margin, _BINS + 1)
    counts, _ = np.histogram(samples, edges)
    axes.stairs(counts, edges, fill=True, color="0.8", label="samples")
    # Groups of one value, or few large ones, have empty bins between.
    axes.set_yscale("log", nonpositive="clip")
    grid = _grid(fmt, float(choices[0].thresholds[group]))
    width = 0.8 if len(grid) < 64 else 0.4
    for index, value in enumerate(grid.tolist()):
        label = f"{len(grid)} representable values at the optimum" if index == 0 else None
        axes.axvline(value, ymax=0.1, color="black", linewidth=width, label=label)
    for index, choice in enumerate(choices):
        limit = float(choice.thresholds[group])
        for side in (-limit, limit) if fmt.signed else (limit,):
            axes.axvline(side, ymin=0.1, color=f"C{index}", linewidth=1, linestyle="--")
    axes.set_xlabel("value (units of the tensor); dashed: thresholds, coloured as above")
    axes.set_ylabel(f"samples in each of {_BINS} bins")
    axes.legend()


def _grid(fmt: OperandFormat, threshold: float) -> Floats:
    """Every value that quantization with a threshold can give."""
    levels = np.arange(fmt.qmin, fmt.qmax + 1, dtype=np.float64)
    return np.unique(levels * (threshold / fmt.qmax))
