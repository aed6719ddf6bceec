"""Clipping thresholds for quantization: which method, and what shares a threshold."""

import enum
import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from scalewright.golden import argument
from scalewright.golden.clipping import max_threshold, octav_threshold, percentile_threshold
from scalewright.golden.config import VECTOR_SIZES, Format, OperandFormat, require_format
from scalewright.golden.mse import mse_optimal
from scalewright.golden.quantize import Scaling, as_finite_float32, quantize, split_vectors
from scalewright.golden.quantized import Quantized

Floats = npt.NDArray[np.float32]

METHODS = "max, percentile:P, octav or mse"


class Granularity(enum.Enum):
    """What shares a clipping threshold."""

    TENSOR = "tensor"  #: everything
    CHANNEL = "channel"  #: each index of the first axis
    VECTOR = "vector"  #: V consecutive elements along the last axis, a short tail among them


@dataclass(frozen=True)
class Clip:
    """A method that chooses thresholds.

    Attributes:
        method: `max`, `percentile`, `octav` (narrow grid, to its fixed point) or `mse` (the exact
            minimum of the true error).
        percent: For `percentile`: above 0, at most 100.
    """

    method: str
    percent: float | None = None

    def __post_init__(self) -> None:
        if self.method not in ("max", "percentile", "octav", "mse"):
            raise ValueError(f"clipping method must be {METHODS}, not {self.method!r}")
        if (self.method == "percentile") != (self.percent is not None):
            raise ValueError(f"percent is for percentile, not {self.method} with {self.percent}")
        if self.percent is not None:
            argument.real("percentile", self.percent)
        if self.percent is not None and not 0 < self.percent <= 100:
            raise ValueError(f"percentile must be above 0 and at most 100, not {self.percent:g}")

    @classmethod
    def parse(cls, text: str) -> "Clip":
        """Read `max`, `percentile:99.9`, `octav` or `mse`.

        Raises:
            ValueError: Something else.
        """
        argument.instance("clipping method", text, str)
        match = re.fullmatch(r"percentile:(\d+(?:\.\d+)?)", text, re.ASCII)
        if match is not None:
            return cls("percentile", float(match[1]))
        if text == "percentile":
            raise ValueError(f"clipping method must be {METHODS}, not {text!r}")
        return cls(text)

    def __str__(self) -> str:
        return self.method if self.percent is None else f"{self.method}:{self.percent:g}"

    def choose(self, groups: Floats, fmt: Format) -> npt.NDArray[np.float64]:
        """Thresholds (G,) for groups (G, n)."""
        if self.method == "max":
            return max_threshold(groups, fmt)
        if self.method == "octav":
            return octav_threshold(groups, fmt).thresholds
        if self.percent is not None:
            return percentile_threshold(groups, fmt, self.percent)
        return mse_optimal(groups, fmt)


def split_groups(x: npt.ArrayLike, granularity: Granularity, vector_size: int) -> Floats:
    """A tensor (..., K) as groups (G, n), float32; short vectors are padded with zeros.

    Raises:
        TypeError, ValueError: As `golden.quantize.quantize` does.
    """
    argument.instance("granularity", granularity, Granularity)
    values = as_finite_float32(x)
    if granularity is Granularity.VECTOR:
        return split_vectors(values, vector_size)
    groups = 1 if granularity is Granularity.TENSOR else len(values)
    return values.reshape(groups, -1)


def clipping_threshold(
    x: npt.ArrayLike,
    fmt: Format,
    clip: Clip,
    *,
    granularity: Granularity,
    vector_size: int,
) -> Floats:
    """Thresholds of a tensor (..., K), float32, as `golden.quantize.quantize` takes them.

    Returns:
        Shape () for TENSOR, (M, 1, ..., 1) for CHANNEL, (..., J) for VECTOR: all broadcast to
        (..., J).

    Raises:
        TypeError, ValueError: As `golden.quantize.quantize` does.
    """
    argument.instance("clip", clip, Clip)
    values = as_finite_float32(x)
    thresholds = clip.choose(split_groups(values, granularity, vector_size), fmt)
    shape: tuple[int, ...] = ()
    if granularity is Granularity.CHANNEL:
        shape = (len(values), *[1] * (values.ndim - 1))
    elif granularity is Granularity.VECTOR:
        shape = (*values.shape[:-1], -1)
    return thresholds.astype(np.float32).reshape(shape)


def quantize_clipped(
    x: npt.ArrayLike,
    fmt: OperandFormat,
    clip: Clip,
    *,
    vector_size: int,
    coarse_axis: int | None = None,
    scaling: Scaling = Scaling.NEAREST,
) -> Quantized:
    """Quantize with thresholds for whatever has a scale of its own.

    That is each vector where the format has per-vector scales, and else each index of the coarse
    axis, or the whole tensor. `max` is plain quantization.

    Raises:
        TypeError, ValueError: As `golden.quantize.quantize` does; a coarse axis other than 0.
    """
    argument.instance("fmt", fmt, OperandFormat)
    argument.instance("clip", clip, Clip)
    if isinstance(coarse_axis, bool) or coarse_axis not in (0, None):
        raise ValueError(f"coarse_axis must be 0 or None, not {coarse_axis}")
    threshold = None
    if clip.method != "max":
        granularity = Granularity.TENSOR if coarse_axis is None else Granularity.CHANNEL
        threshold = clipping_threshold(
            x,
            fmt,
            clip,
            granularity=granularity if fmt.scale_bits is None else Granularity.VECTOR,
            vector_size=vector_size,
        )
    return quantize(
        x,
        fmt,
        vector_size=vector_size,
        coarse_axis=coarse_axis,
        threshold=threshold,
        scaling=scaling,
    )


class Calibrator:
    """Averages the thresholds of batches, as OCTAV's authors do for activations."""

    def __init__(
        self,
        fmt: Format,
        clip: Clip,
        *,
        granularity: Granularity = Granularity.TENSOR,
        vector_size: int = 16,
    ) -> None:
        require_format(fmt)
        self._fmt = fmt
        self._clip = argument.instance("clip", clip, Clip)
        self._granularity = argument.instance("granularity", granularity, Granularity)
        self._vector_size = argument.integer(
            "vector_size", vector_size, VECTOR_SIZES, f"one of {VECTOR_SIZES}"
        )
        self._batches: list[Floats] = []

    def collect(self, x: npt.ArrayLike) -> None:
        """Take a batch.

        Raises:
            TypeError, ValueError: As `golden.quantize.quantize` does; a batch with thresholds of
                another shape than those before.
        """
        thresholds = clipping_threshold(
            x,
            self._fmt,
            self._clip,
            granularity=self._granularity,
            vector_size=self._vector_size,
        )
        if self._batches and thresholds.shape != self._batches[0].shape:
            raise ValueError(
                f"thresholds of all batches must have one shape, {self._batches[0].shape}, "
                f"not {thresholds.shape}"
            )
        self._batches.append(thresholds)

    def compute_amax(self) -> Floats:
        """The mean threshold of the batches so far.

        Raises:
            ValueError: There are none.
        """
        if not self._batches:
            raise ValueError("compute_amax needs at least one batch: call collect first")
        mean = np.mean(np.stack(self._batches), axis=0, dtype=np.float64)
        return np.asarray(mean, np.float32)
