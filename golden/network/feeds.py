"""The inputs of networks: what they must be, and how many of them are computed at once."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from scalewright.golden.quantize import as_finite_float32

# Numbers of an embedding.
_LOOKED_UP = 1024
# One tensor for a network of one input, or all by name.
Values: TypeAlias = npt.ArrayLike | Mapping[str, npt.ArrayLike]


@dataclass(frozen=True, eq=False, kw_only=True)
class Input:
    """An input tensor of a network.

    Attributes:
        name: Its name.
        shape: The batch first, None where any size will do; None if unknown.
        dtype: Of its numbers; float32 for floats of any type.
    """

    name: str
    shape: tuple[int | None, ...] | None = None
    dtype: npt.DTypeLike = np.float32

    def convert(self, values: npt.ArrayLike) -> npt.NDArray[Any]:
        """A tensor as the network takes it.

        Raises:
            TypeError, ValueError: Another shape or type, NaN or infinity.
        """
        wanted = np.dtype(self.dtype)
        array = as_finite_float32(values) if wanted == np.float32 else np.asarray(values)
        if wanted.kind in "iub" and array.dtype.kind in "iub" and array.dtype != wanted:
            cast = array.astype(wanted)
            if not np.array_equal(cast, array):
                raise ValueError(f"{self.name} must fit {wanted}")
            array = cast
        if array.dtype != wanted:
            raise TypeError(f"{self.name} must be {wanted}, not {array.dtype}")
        shape = self.shape
        if shape is not None and (
            array.ndim != len(shape)
            or any(size not in (None, got) for size, got in zip(shape, array.shape, strict=True))
        ):
            sizes = ", ".join("N" if size is None else str(size) for size in shape)
            raise ValueError(f"{self.name} must be ({sizes}), not {array.shape}")
        return array


def fixed_batch(inputs: Sequence[Input]) -> int | None:
    """How many inputs a network takes at once; None where it is any number, or unknown."""
    sizes = {each.shape[0] for each in inputs if each.shape}
    sizes.discard(None)
    return sizes.pop() if len(sizes) == 1 else None


def feeds_of(inputs: Sequence[Input], x: Values) -> dict[str, npt.NDArray[Any]]:
    """Tensors by name, each as the network takes it, but for the number of inputs.

    Raises:
        TypeError, ValueError: A name that is missing or unknown; values that do not suit.
    """
    names = [each.name for each in inputs]
    if not isinstance(x, Mapping):
        if len(names) != 1:
            raise ValueError(f"give the {len(names)} inputs {', '.join(names)} by name")
        x = {names[0]: x}
    if x.keys() != set(names):
        raise ValueError(f"the inputs must be {', '.join(names)}, not {', '.join(x) or 'none'}")
    fixed = fixed_batch(inputs)
    feeds = {}
    for each in inputs:
        free = each.shape
        if fixed is not None and free and free[0] == fixed:
            free = (None, *free[1:])  # so many at once, and as often as there are inputs
        feeds[each.name] = Input(name=each.name, shape=free, dtype=each.dtype).convert(x[each.name])
    return feeds


def join(parts: list[tuple[Any, int]], name: str) -> Any:
    """Results of batches, each with its number of inputs, along the first axis.

    Raises:
        ValueError: Results without an axis for the inputs.
    """
    for values, count in parts:
        if np.ndim(values) == 0 or len(values) != count:
            raise ValueError(
                f"tensor {name} {np.shape(values)} has no first axis of {count} inputs: give as "
                "many inputs as the network takes at once"
            )
    return np.concatenate([values for values, _ in parts])


def in_batches(
    run: Callable[[Mapping[str, Any]], dict[str, Any]],
    feeds: Mapping[str, npt.NDArray[Any]],
    inputs: Sequence[Input],
    batch: int | None,
    progress: Callable[[int], None] | None = None,
    *,
    joining: Callable[[list[tuple[Any, int]], str], Any] = join,
) -> dict[str, Any]:
    """Run a network on its inputs, some at a time, and join what it gives.

    Args:
        run: From a batch of inputs to tensors, by name.
        feeds: All inputs, by name.
        inputs: What they are.
        batch: How many are computed at once, where the network takes any number; all by default.
        progress: Called with the number of inputs of each batch that is done.
        joining: Joins a tensor's batches, each with its number of inputs.

    Raises:
        ValueError: A number of inputs that is no multiple of what the network takes at once.
    """
    parts = []
    for part, count in _split(feeds, fixed_batch(inputs), batch):
        parts.append((run(part), count))
        if progress is not None:
            progress(count)
    first, _ = parts[0]
    if len(parts) == 1:
        return first
    return {name: joining([(found[name], count) for found, count in parts], name) for name in first}


def count_of(feeds: Mapping[str, npt.NDArray[Any]]) -> int:
    """How many inputs there are."""
    return max((len(values) for values in feeds.values() if values.ndim), default=1)


def numbers_of(feeds: Mapping[str, npt.NDArray[Any]]) -> int:
    """Numbers of one input, each integer as many as a network may look up for it."""
    numbers = sum(
        values.size * (1 if values.dtype.kind == "f" else _LOOKED_UP) for values in feeds.values()
    )
    return max(1, numbers // count_of(feeds))


def batches(
    feeds: Mapping[str, npt.NDArray[Any]], batch: int
) -> Iterator[dict[str, npt.NDArray[Any]]]:
    """Inputs, `batch` at a time."""
    return (part for part, _ in _split(feeds, None, batch))


def _split(
    feeds: Mapping[str, npt.NDArray[Any]], fixed: int | None, batch: int | None
) -> Iterator[tuple[dict[str, npt.NDArray[Any]], int]]:
    counts = {len(values) for values in feeds.values() if values.ndim}
    size = fixed or batch
    if size is None or len(counts) != 1:
        yield dict(feeds), max(counts, default=1)
        return
    (count,) = counts
    if fixed is not None and count % fixed:
        raise ValueError(f"the network takes {fixed} inputs at once: {count} is no multiple")
    for start in range(0, count, size):
        part = {name: values[start : start + size] for name, values in feeds.items()}
        yield part, min(size, count - start)
