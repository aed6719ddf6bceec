"""What a file says of a tensor, checked before memory is given to it."""

import math
import os
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from scalewright.sim.files.names import listing, printable, shortened

Array: TypeAlias = npt.NDArray[Any]

# Given the names of a file's tensors, the one to read.
Choose: TypeAlias = Callable[[Sequence[str]], str]

# An error's own words go no further.
_REASON_CHARACTERS = 200
# What NumPy's arrays have at most.
_AXES = 64


def damaged(kind: str, reason: object) -> ValueError:
    """The error for a file that is not what its name says."""
    line = str(reason).partition("\n")[0]
    return ValueError(f"not a readable {kind} file: {shortened(line, _REASON_CHARACTERS)}")


def require_real_numbers(dtype: np.dtype[Any]) -> None:
    """Check that a tensor's dtype is one of integers or floating-point numbers.

    Raises:
        ValueError: It is another: truth values, complex numbers, text, records, objects.
    """
    if dtype.kind not in "fiu":
        raise ValueError(
            f"a tensor must have real numbers, not dtype {shortened(dtype)}: "
            "convert it with .astype(numpy.float32)"
        )


def require_shape(shape: Sequence[Any], item_bytes: int, room: int) -> None:
    """Check that a file holds a tensor of this shape, and that memory can.

    Args:
        shape: The shape that the file states.
        item_bytes: Bytes of one element in memory.
        room: Elements that the file can hold.

    Raises:
        ValueError: A size that is no positive integer, or a product that is too large.
    """
    stated = shortened(tuple(shape))
    if any(isinstance(size, bool) or not isinstance(size, int) or size < 0 for size in shape):
        raise ValueError(f"a tensor's shape must be integers from 0, not {stated}")
    if len(shape) > _AXES:
        raise ValueError(f"a tensor must have at most {_AXES} axes, not {len(shape)}")
    count = math.prod(shape)
    if count == 0:
        raise ValueError(f"a tensor must have at least one element, not shape {stated}")
    if count > room:
        raise ValueError(
            f"shape {stated} needs {_amount(count)} elements, the file has {_amount(room)}: "
            "it is cut off, or damaged"
        )
    memory = _memory_bytes()
    if memory is not None and count * item_bytes > memory:
        raise ValueError(
            f"shape {stated} needs {count * item_bytes:,} bytes, this machine has {memory:,}: "
            "take a part of it"
        )


def tensor_of(path: object, name: str | None, names: Sequence[str]) -> str:
    """The tensor of a file that is meant: the named one, or the only one.

    Raises:
        ValueError: There is none of that name, or none or several to choose from.
    """
    if name is None:
        if len(names) != 1:
            first = shortened(names[0]) if names else "NAME"
            raise ValueError(
                f"name one of its tensors, as in {printable(path)}:{first}; it has {listing(names)}"
            )
        return names[0]
    if name not in names:
        raise ValueError(f"no tensor {shortened(name)}; it has {listing(names)}")
    return name


def _amount(count: int) -> str:
    """An integer for a message, however long."""
    return f"{count:,}" if count < 1 << 64 else "more than 2^64"


def _memory_bytes() -> int | None:
    """Physical memory; None where the system does not tell."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None
