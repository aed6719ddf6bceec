"""Windows that slide over images: what a convolution sees at each of its positions.

A kernel that does not fit the padded input is an error. auto_pad SAME_* never crops, and excludes
dilations, of which runtimes disagree.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar, cast

import numpy as np
import numpy.typing as npt

_Scalar = TypeVar("_Scalar", bound=np.generic)
# A padded input may have this many elements, or this many times as many as without padding.
_PADDED_ELEMENTS, _PADDED_RATIO = 1 << 22, 64


@dataclass(frozen=True, kw_only=True)
class Window:
    """A window that slides over height and width; ValueError unless integers >= 1 (pads: >= 0)."""

    kernel: tuple[int, int]  #: taps
    strides: tuple[int, int] = (1, 1)  #: steps from one position to the next
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)  #: at the top, left, bottom, right
    dilations: tuple[int, int] = (1, 1)  #: steps from one tap to the next

    def __post_init__(self) -> None:
        rules = (("kernel", 2, 1), ("strides", 2, 1), ("pads", 4, 0), ("dilations", 2, 1))
        for name, count, smallest in rules:
            values = getattr(self, name)
            integers = all(isinstance(value, int | np.integer) for value in values)
            if len(values) != count or not integers or min(values) < smallest:
                raise ValueError(f"{name} must be {count} integers >= {smallest}, not {values}")

    def output_size(self, size: Sequence[int]) -> tuple[int, int]:
        """Positions (Ho, Wo) on an input of `size` (H, W); ValueError if there are none."""
        steps = []
        for axis, stride in enumerate(self.strides):
            room = size[axis] + self.pads[axis] + self.pads[axis + 2] - self._extents()[axis]
            if room < 0:
                raise ValueError(f"{self} must fit its padded input, not {tuple(size)}")
            steps.append(room // stride)
        return steps[0] + 1, steps[1] + 1

    def slide(self, x: npt.NDArray[_Scalar], fill: float = 0) -> npt.NDArray[_Scalar]:
        """What the window sees at each position, with `fill` for the padding.

        From x (N, H, W, ...), any dtype and trailing axes, to (N, Ho, Wo, kh, kw, ...): a read-only
        view, of x or of a padded copy. ValueError if x has too few axes, or is too small.
        """
        if x.ndim < 3:
            raise ValueError(f"x must be (N, H, W, ...), not {x.shape}")
        height, width = self.output_size(x.shape[1:3])
        if any(self.pads):
            top, left, bottom, right = self.pads
            padding = [(0, 0), (top, bottom), (left, right)]
            self._require_room(x.shape, [sum(each) for each in padding])
            x = np.pad(x, padding + [(0, 0)] * (x.ndim - 3), constant_values=fill)
        windows = np.lib.stride_tricks.sliding_window_view(x, self._extents(), axis=(1, 2))
        windows = windows[:, :: self.strides[0], :: self.strides[1]][:, :height, :width]
        windows = windows[..., :: self.dilations[0], :: self.dilations[1]]
        return np.moveaxis(windows, (-2, -1), (3, 4))

    def _require_room(self, shape: tuple[int, ...], added: list[int]) -> None:
        rest = math.prod(shape) // max(1, shape[1] * shape[2])
        padded = rest * (shape[1] + added[1]) * (shape[2] + added[2])
        if padded > max(_PADDED_ELEMENTS, _PADDED_RATIO * math.prod(shape)):
            raise ValueError(
                f"pads must leave the padded input at most {_PADDED_RATIO} times as large, not "
                f"pads {self.pads} and strides {self.strides} around {tuple(shape[1:3])}"
            )

    def _extents(self) -> tuple[int, int]:
        (kh, kw), (dh, dw) = self.kernel, self.dilations
        return (kh - 1) * dh + 1, (kw - 1) * dw + 1


def window_of(
    size: Sequence[int],
    *,
    kernel_shape: Sequence[int],
    strides: Sequence[int] = (),
    pads: Sequence[int] = (),
    dilations: Sequence[int] = (),
    auto_pad: str = "NOTSET",
) -> Window:
    """Window that ONNX's attributes of a convolution describe on an input of `size` (H, W) or (L,).

    In one dimension it is one of height 1.

    Raises:
        ValueError: Attributes that describe none.
    """
    axes = len(kernel_shape)
    if axes not in (1, 2) or len(size) != axes:
        raise ValueError(
            f"kernel_shape must have as many axes as the image, one or two, not {axes} for "
            f"{tuple(size)}"
        )
    ones = (1,) * (2 - axes)
    pads = tuple(pads) or (0,) * (2 * axes)
    if len(pads) != 2 * axes:
        raise ValueError(f"pads must be {2 * axes} integers >= 0, not {pads}")
    window = Window(  # which checks the other lengths
        kernel=_pair(ones, kernel_shape),
        strides=_pair(ones, strides or (1,) * axes),
        pads=pads if axes == 2 else (0, pads[0], 0, pads[1]),  # type: ignore[arg-type]
        dilations=_pair(ones, dilations or (1,) * axes),
    )
    size = (*ones, *size)
    if auto_pad not in ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"):
        raise ValueError(f"auto_pad must be NOTSET, VALID or SAME_*, not {auto_pad!r}")
    if auto_pad != "NOTSET" and any(window.pads):
        raise ValueError(f"pads must be 0 with auto_pad {auto_pad}, not {window.pads}")
    if auto_pad in ("NOTSET", "VALID"):
        return window
    if window.dilations != (1, 1):
        raise ValueError(f"dilations must be 1 with auto_pad {auto_pad}, not {window.dilations}")
    pairs = []
    for length, taps, stride in zip(size, window.kernel, window.strides, strict=True):
        total = max(0, (-(-length // stride) - 1) * stride + taps - length)
        before = total // 2 if auto_pad == "SAME_UPPER" else total - total // 2
        pairs.append((before, total - before))
    (top, bottom), (left, right) = pairs
    return replace(window, pads=(top, left, bottom, right))


def _pair(before: tuple[int, ...], values: Sequence[int]) -> tuple[int, int]:
    return cast("tuple[int, int]", (*before, *values))
