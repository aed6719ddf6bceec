"""Two-level scaling on one tensor: what a grid for each channel loses, and one for each vector."""

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from scalewright.golden.config import OperandFormat
from scalewright.golden.quantize import quantize
from scalewright.golden.quantized import Quantized

VECTOR = 16
BITS = 4
_CHANNEL, _VECTORS = "#c0392b", "#2471a3"


def channel() -> npt.NDArray[np.float32]:
    """One output channel of four vectors, whose sizes differ as those of trained networks do."""
    rng = np.random.default_rng(7)
    sizes = np.repeat([0.12, 0.45, 1.0, 0.22], VECTOR)
    return (rng.standard_normal(4 * VECTOR) * sizes).astype(np.float32)


def noise_ratio(x: npt.NDArray[np.float32], quantized: Quantized) -> float:
    """Signal-to-noise ratio in dB."""
    error = x - quantized.dequantize().reshape(x.shape)
    return float(10 * np.log10((x**2).sum() / (error**2).sum()))


def figure() -> Figure:
    """Draw both grids over the same channel, and below what each loses."""
    x = channel()
    formats = {None: "one scale for the channel", 4: "a 4-bit scale for each vector"}
    sheet = Figure(figsize=(9.6, 6.4), layout="constrained")
    axes = sheet.subplots(2, 2, sharex=True, sharey="row", height_ratios=(2, 1))
    for column, (scale_bits, title) in enumerate(formats.items()):
        fmt = OperandFormat(element_bits=BITS, scale_bits=scale_bits)
        quantized = quantize(x[None], fmt, vector_size=VECTOR, coarse_axis=0)
        ratio = noise_ratio(x, quantized)
        colour = _CHANNEL if scale_bits is None else _VECTORS
        _draw_grid(axes[0, column], x, quantized, colour)
        axes[0, column].set_title(f"{title}: {ratio:.1f} dB", fontsize=10)
        error = x - quantized.dequantize()[0]
        axes[1, column].bar(np.arange(len(x)), error, color=colour, width=0.8)
        axes[1, column].set_xlabel("element along the reduction axis")
    axes[0, 0].set_ylabel("value, and the grid's levels")
    axes[1, 0].set_ylabel("lost")
    return sheet


def _draw_grid(axes: Axes, x: npt.NDArray[np.float32], quantized: Quantized, colour: str) -> None:
    levels = np.arange(quantized.format.qmin, quantized.format.qmax + 1)
    steps = np.full(len(x) // VECTOR, float(quantized.gamma[0]))
    if quantized.scales is not None:
        steps = steps * quantized.scales[0]
    for number, step in enumerate(steps):
        ends = (number * VECTOR - 0.5, (number + 1) * VECTOR - 0.5)
        axes.hlines(levels * step, *ends, color=colour, linewidth=0.6, alpha=0.6)
        scale = "" if quantized.scales is None else f"s = {quantized.scales[0, number]}"
        axes.text(sum(ends) / 2, 1.75, scale, ha="center", fontsize=8)
        if number:
            axes.axvline(ends[0], color="grey", linewidth=0.6, linestyle=":")
    axes.plot(x, "o", color="black", markersize=3)
    axes.set_ylim(-1.8, 2.0)
