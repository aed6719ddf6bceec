"""Elements of either sign, as they lie in a payload and as numbers.

Where a flag says whether elements are signed, their field holds bits: a signed element of n bits is
there modulo 2^n.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from scalewright.golden.config import DatapathConfig, OperandFormat


def as_fields(
    pairs: Mapping[str, npt.NDArray[Any]], config: DatapathConfig
) -> dict[str, npt.NDArray[Any]]:
    """Vector pairs, with activations as numbers, as the fields of the MAC's input stream."""
    if not config.either_sign:
        return dict(pairs)
    return {**pairs, "activations": element_bits(pairs["activations"], config.activations)}


def element_bits(elements: npt.NDArray[Any], fmt: OperandFormat) -> npt.NDArray[np.int64]:
    """The bits of elements, signed or not, as numbers that are not negative."""
    bits: npt.NDArray[np.int64] = elements.astype(np.int64) & ((1 << fmt.element_bits) - 1)
    return bits


def elements_of(bits: npt.NDArray[Any], fmt: OperandFormat) -> npt.NDArray[Any]:
    """Elements of a format, int8 or uint8, of their bits or of themselves."""
    if not fmt.signed:
        return bits.astype(np.uint8)
    sign = 1 << (fmt.element_bits - 1)
    return ((bits + sign) % (2 * sign) - sign).astype(np.int8)
