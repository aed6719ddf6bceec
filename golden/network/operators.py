"""The float operators of a network, in NumPy: float32 in and out, as ONNX's opset 21 has them.

A function takes an ONNX operator's inputs as arrays and its attributes as keyword arguments, with
ONNX's names and defaults. Inputs are never written to; a result may share memory with one, and be
read-only. Sums are float32 in any order; overflow and NaN propagate in silence. Images are
(N, C, H, W). Where ONNX leaves a choice, or ONNX Runtime departs from it:

- With ceil_mode a last window may reach beyond the padding, but must start before the bottom or
  right padding; for auto_pad VALID too. No average counts what lies beyond the padding.
- A kernel that does not fit the padded input is an error; so is pooling nothing but padding.
- auto_pad SAME_* excludes dilations and never crops. ONNX Runtime gets either wrong at times.
"""

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar, cast

import numpy as np
import numpy.typing as npt

from scalewright.golden.quantized import Floats

_Scalar = TypeVar("_Scalar", bound=np.generic)
# A padded input may have this many elements, or this many times as many as without padding.
_PADDED_ELEMENTS, _PADDED_RATIO = 1 << 22, 64
# Elements of a result: 4 GiB of float32.
_RESULT_ELEMENTS = 1 << 30
_propagating = np.errstate(over="ignore", invalid="ignore")


@dataclass(frozen=True, kw_only=True)
class Window:
    """A window that slides over height and width; ValueError unless integers >= 1 (pads: >= 0)."""

    kernel: tuple[int, int]  #: taps
    strides: tuple[int, int] = (1, 1)  #: steps from one position to the next
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)  #: at the top, left, bottom, right
    dilations: tuple[int, int] = (1, 1)  #: steps from one tap to the next
    ceil_mode: bool = False  #: whether a last window may reach beyond the padding

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
            steps.append(-(-room // stride) if self.ceil_mode else room // stride)
            if self.ceil_mode and steps[-1] * stride >= size[axis] + self.pads[axis]:
                steps[-1] -= 1
        return steps[0] + 1, steps[1] + 1

    def slide(self, x: npt.NDArray[_Scalar], fill: float = 0) -> npt.NDArray[_Scalar]:
        """What the window sees at each position, with `fill` for the padding.

        From x (N, H, W, ...), any dtype and trailing axes, to (N, Ho, Wo, kh, kw, ...): a read-only
        view, of x or of a padded copy. ValueError if x has too few axes, or is too small.
        """
        if x.ndim < 3:
            raise ValueError(f"x must be (N, H, W, ...), not {x.shape}")
        height, width = self.output_size(x.shape[1:3])
        if any(self.pads) or self.ceil_mode:
            beyond = [stride - 1 if self.ceil_mode else 0 for stride in self.strides]
            top, left, bottom, right = self.pads
            padding = [(0, 0), (top, bottom + beyond[0]), (left, right + beyond[1])]
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
    strides: Sequence[int] = (1, 1),
    pads: Sequence[int] = (0, 0, 0, 0),
    dilations: Sequence[int] = (1, 1),
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
) -> Window:
    """Window that ONNX's attributes describe on an input of `size` (H, W), or ValueError."""
    window = Window(  # which checks the lengths
        kernel=cast("tuple[int, int]", tuple(kernel_shape)),
        strides=cast("tuple[int, int]", tuple(strides)),
        pads=cast("tuple[int, int, int, int]", tuple(pads)),
        dilations=cast("tuple[int, int]", tuple(dilations)),
        ceil_mode=bool(ceil_mode),
    )
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


@_propagating
def conv(
    x: Floats, w: Floats, b: Floats | None = None, *, group: int = 1, **attributes: Any
) -> Floats:
    """From x (N, C, H, W), w (M, C, kh, kw) and b (M,) to (N, M, Ho, Wo); see `window_of`."""
    _require_images(x)
    if group != 1:
        raise ValueError(f"group must be 1, not {group}")
    if w.ndim != 4 or w.shape[1] != x.shape[1]:
        raise ValueError(f"w must be (M, {x.shape[1]}, kh, kw), not {w.shape}")
    if b is not None and b.shape != w.shape[:1]:
        raise ValueError(f"b must be {w.shape[:1]}, not {b.shape}")
    kernel_shape = tuple(attributes.setdefault("kernel_shape", w.shape[2:]))
    if kernel_shape != w.shape[2:]:
        raise ValueError(f"kernel_shape must be w's {w.shape[2:]}, not {kernel_shape}")
    # Given here, ceil_mode is as unknown to the caller as any other wrong attribute.
    windows = window_of(x.shape[2:], ceil_mode=0, **attributes).slide(x.transpose(0, 2, 3, 1))
    _require_small((*windows.shape[:3], max(len(w), math.prod(windows.shape[3:]))))
    y = np.tensordot(windows, w, axes=((3, 4, 5), (2, 3, 1)))
    return np.ascontiguousarray((y if b is None else y + b).transpose(0, 3, 1, 2))


@_propagating
def gemm(
    a: Floats,
    b: Floats,
    c: Floats | None = None,
    *,
    alpha: float = 1.0,
    beta: float = 1.0,
    transA: int = 0,  # noqa: N803 - ONNX's name
    transB: int = 0,  # noqa: N803 - ONNX's name
) -> Floats:
    """Return alpha * a @ b + beta * c: a (M, K), b (K, N), or transposed; c broadcasts."""
    if a.ndim != 2 or b.ndim != 2:
        raise ValueError(f"a and b must be matrices, not {a.shape} and {b.shape}")
    y = np.float32(alpha) * ((a.T if transA else a) @ (b.T if transB else b))
    return y if c is None else y + np.float32(beta) * np.broadcast_to(c, y.shape)


@_propagating
def matmul(a: Floats, b: Floats, c: Floats | None = None) -> Floats:
    """Matrix product, also of vectors and stacks, as in NumPy; `c`, not in ONNX, is a bias."""
    outer = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    _require_small((*outer, *a.shape[-2:-1], *(b.shape[-1:] if b.ndim > 1 else ())))
    return np.asarray(a @ b if c is None else a @ b + c)


@_propagating
def add(a: Floats, b: Floats) -> Floats:
    """Sum, each broadcast against the other."""
    _require_small(np.broadcast_shapes(a.shape, b.shape))
    return np.asarray(a + b)


def relu(x: Floats) -> Floats:
    """max(x, 0)."""
    return np.maximum(x, np.float32(0))


def max_pool(x: Floats, **attributes: Any) -> Floats:
    """Largest value under each window, (N, C, H, W) to (N, C, Ho, Wo); see `window_of`."""
    return _pool(np.maximum, -np.inf, x, attributes)[0]


@_propagating
def average_pool(x: Floats, *, count_include_pad: int = 0, **attributes: Any) -> Floats:
    """Mean under each window, (N, C, H, W) to (N, C, Ho, Wo), maybe with the pads' zeros."""
    total, counts = _pool(np.add, 0, x, attributes, include_pad=bool(count_include_pad))
    return total / counts


@_propagating
def global_average_pool(x: Floats) -> Floats:
    """Mean of each channel, (N, C, H, W) to (N, C, 1, 1)."""
    _require_images(x)
    return np.asarray(x.mean(axis=(2, 3), keepdims=True))


def flatten(x: Floats, *, axis: int = 1) -> Floats:
    """A matrix: the axes before `axis` are its rows, the others its columns."""
    if not -x.ndim <= axis <= x.ndim:
        raise ValueError(f"axis must be from {-x.ndim} to {x.ndim}, not {axis}")
    return x.reshape(math.prod(x.shape[:axis]), math.prod(x.shape[axis:]))


def reshape(x: Floats, shape: npt.ArrayLike, *, allowzero: int = 0) -> Floats:
    """Another shape: -1 is what remains; 0, unless `allowzero`, is x's size at that place."""
    target = [int(size) for size in np.asarray(shape)]
    if not allowzero:
        target = [x.shape[i] if size == 0 and i < x.ndim else size for i, size in enumerate(target)]
    return x.reshape(target)


def transpose(x: Floats, *, perm: Sequence[int] | None = None) -> Floats:
    """The axes in the order `perm`; backwards by default."""
    return x.transpose(perm)


def _pool(
    combine: np.ufunc, fill: float, x: Floats, attributes: dict[str, Any], include_pad: bool = False
) -> tuple[Floats, Floats]:
    """What lies under each window combined, (N, C, Ho, Wo), and how much it is, (Ho, Wo)."""
    _require_images(x)
    window = window_of(x.shape[2:], **attributes)
    windows = window.slide(x.reshape(-1, *x.shape[2:]), fill)
    y = functools.reduce(combine, (windows[..., i, j] for i, j in np.ndindex(window.kernel)))
    y = y.reshape(*x.shape[:2], *y.shape[1:])
    counted = np.ones((1, *x.shape[2:]), np.float32)
    if include_pad:  # the pads become input; without them there are as many positions, or more
        top, left, bottom, right = window.pads
        counted = np.pad(counted, [(0, 0), (top, bottom), (left, right)], constant_values=1)
        window = replace(window, pads=(0, 0, 0, 0))
    counts = window.slide(counted)[0, : y.shape[2], : y.shape[3]].sum(axis=(2, 3))
    if counts.min() == 0:
        raise ValueError(f"every window must hold more than padding, unlike {window}")
    return y, counts


def _require_small(shape: tuple[int, ...]) -> None:
    """Before a result is computed: what a small file and a small input can blow up to."""
    if math.prod(shape) > _RESULT_ELEMENTS:
        raise ValueError(f"must have at most {_RESULT_ELEMENTS} intermediate numbers, not {shape}")


def _require_images(x: Floats) -> None:
    if x.ndim != 4:
        raise ValueError(f"x must be (N, C, H, W), with two spatial dimensions, not {x.shape}")


OPERATORS: Final[dict[str, Callable[..., Floats]]] = {
    "Add": add,
    "AveragePool": average_pool,
    "Conv": conv,
    "Flatten": flatten,
    "Gemm": gemm,
    "GlobalAveragePool": global_average_pool,
    "MatMul": matmul,
    "MaxPool": max_pool,
    "Relu": relu,
    "Reshape": reshape,
    "Transpose": transpose,
}  #: by ONNX's name
