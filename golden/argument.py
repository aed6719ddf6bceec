"""Checks of what callers give to the golden model: once, at its border, the value in the message.

NumPy converts in silence: 1.9 to 1, 2^64 - 1 to -1, True to 1. A model that says what every number
is refuses such values.
"""

import operator
from collections.abc import Container
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

T = TypeVar("T")

_INT64 = np.iinfo(np.int64)


def is_integer(value: Any) -> bool:
    """Whether it is an integer of Python or NumPy; truth values are none."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def integers(
    name: str, values: npt.ArrayLike, low: int = _INT64.min, high: int = _INT64.max
) -> npt.NDArray[np.int64]:
    """An array of integers as int64, after checking that it is one, and from `low` to `high`.

    Raises:
        TypeError: Values that are not integers; truth values are none.
        ValueError: A value outside the range.
    """
    array = np.asarray(values)
    if array.size == 0:
        return array.astype(np.int64)
    if array.dtype.kind == "O" and all(is_integer(value) for value in array.flat):
        smallest, largest = min(array.flat), max(array.flat)
    elif array.dtype.kind in "iu":
        smallest, largest = int(array.min()), int(array.max())
    else:
        raise TypeError(f"{name} must be integers, not {array.dtype}: {_first(array)!r}")
    if smallest < low or largest > high:
        offender = smallest if smallest < low else largest
        raise ValueError(f"{name} must be from {low} to {high}, not {offender}")
    return array.astype(np.int64, copy=False)


def integer(name: str, value: Any, allowed: Container[int], requirement: str) -> int:
    """An integer, after checking that it is one of those allowed.

    Raises:
        TypeError: It is no integer.
        ValueError: It is another one.
    """
    if not is_integer(value):
        raise TypeError(f"{name} must be {requirement}, not {value!r}")
    if int(value) not in allowed:
        raise ValueError(f"{name} must be {requirement}, not {value}")
    return operator.index(value)


def whole(name: str, value: Any) -> int:
    """An integer of any size, after checking that it is one.

    Raises:
        TypeError: It is none; a truth value is none.
    """
    if not is_integer(value):
        raise TypeError(f"{name} must be an integer, not {value!r}")
    return operator.index(value)


def real(name: str, value: Any) -> float:
    """A finite number, after checking that it is one.

    Raises:
        TypeError: It is no number; a truth value is none.
        ValueError: It is NaN or infinite.
    """
    array = np.asarray(value)
    if array.ndim or array.dtype.kind not in "fiu":
        raise TypeError(f"{name} must be a real number, not {value!r}")
    number = float(array)
    if not np.isfinite(number):
        raise ValueError(f"{name} must be finite, not {number}")
    return number


def not_negative(
    name: str, values: npt.ArrayLike, dtype: Any, *, finite: bool = True
) -> npt.NDArray[Any]:
    """Real numbers from 0 as an array of a dtype, after checking that they are.

    Raises:
        TypeError: Values that are not real numbers.
        ValueError: A negative value, NaN, or infinity where `finite`.
    """
    array = np.asarray(values)
    if array.dtype.kind not in "fiu":
        raise TypeError(f"{name} must be real numbers, not dtype {array.dtype}")
    with np.errstate(over="ignore"):  # what becomes infinite is refused as such
        array = array.astype(dtype, copy=False)
    good = array >= 0
    if finite:
        good &= np.isfinite(array)
    if not good.all():
        requirement = "be finite and not negative" if finite else "not be negative"
        raise ValueError(f"{name} must {requirement}, not {array[~good].min()}")
    return array


def flags(name: str, values: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Truth values, after checking that they are: bools, or integers 0 and 1.

    Raises:
        TypeError: Other types.
        ValueError: Other integers.
    """
    array = np.asarray(values)
    if array.dtype.kind == "b":
        return array
    return integers(name, array, 0, 1).astype(np.bool_)


def instance(name: str, value: Any, kind: type[T]) -> T:
    """A value, after checking that it is of a type.

    Raises:
        TypeError: It is of another.
    """
    if not isinstance(value, kind):
        article = "an" if kind.__name__[0] in "AEIO" else "a"
        raise TypeError(f"{name} must be {article} {kind.__name__}, not {value!r}")
    return value


def truth(name: str, value: Any) -> bool:
    """A truth value, after checking that it is one.

    Raises:
        TypeError: It is another value.
    """
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be True or False, not {value!r}")
    return bool(value)


def _first(array: npt.NDArray[Any]) -> Any:
    first = array.flat[0]
    return first.item() if isinstance(first, np.generic) else first
