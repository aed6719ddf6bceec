"""Packs the fields of a stream's payload into words, and unpacks them, as whole NumPy arrays.

Words are (T, B) uint8: T payloads of B = ceil(width / 8) bytes each, least significant first.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self, TypeAlias

import numpy as np
import numpy.typing as npt

Words: TypeAlias = npt.NDArray[np.uint8]

# Payloads packed at once: their bits, one byte each, stay near the caches.
_CHUNK = 1 << 15


@dataclass(frozen=True)
class Field:
    """One field of a payload.

    Attributes:
        name: Its name.
        offset: Its lowest bit.
        width: Bits of the field, or of each of its elements.
        signed: Whether it is two's complement.
        elements: Elements of an array, the first one lowest; None for a single number.
    """

    name: str
    offset: int
    width: int
    signed: bool
    elements: int | None

    @classmethod
    def of(cls, described: Mapping[str, Any]) -> Self:
        """Read a field from its description."""
        return cls(**{name: described[name] for name in cls.__dataclass_fields__})

    @property
    def smallest(self) -> int:
        """Smallest value that fits."""
        return -(1 << (self.width - 1)) if self.signed else 0

    @property
    def largest(self) -> int:
        """Largest value that fits."""
        return (1 << (self.width - self.signed)) - 1

    def check(self, values: npt.ArrayLike) -> npt.NDArray[Any]:
        """Return integer `values`, (T,) or (T, elements), after checking shape and range."""
        array = np.asarray(values)
        if array.dtype.kind not in "iub":
            raise TypeError(f"{self.name} must be integers, not {array.dtype}")
        if array.shape[1:] != (() if self.elements is None else (self.elements,)):
            shape = "(T,)" if self.elements is None else f"(T, {self.elements})"
            raise ValueError(f"{self.name} must be {shape}, not {array.shape}")
        if array.size and not (self.smallest <= array.min() and array.max() <= self.largest):
            offender = array.min() if array.min() < self.smallest else array.max()
            raise ValueError(
                f"{self.name} must be from {self.smallest} to {self.largest}, not {offender}"
            )
        return array


@dataclass(frozen=True)
class Codec:
    """The layout of one stream's payload.

    Attributes:
        width: Bits of the payload.
        fields: Its fields.
    """

    width: int
    fields: tuple[Field, ...]

    @classmethod
    def of(cls, stream: Mapping[str, Any]) -> Self:
        """Read the layout from a stream's description (hw/verilog.py, `describe`)."""
        return cls(stream["width"], tuple(Field.of(field) for field in stream["fields"]))

    @property
    def bytes(self) -> int:
        """Bytes of one word."""
        return -(-self.width // 8)

    def pack(self, values: Mapping[str, npt.ArrayLike]) -> Words:
        """Pack fields into words (T, B); fields that are not given are 0.

        Raises:
            TypeError, ValueError: Not integers, a wrong shape, an unknown field, a value out of
                the field's range.
        """
        unknown = values.keys() - {field.name for field in self.fields}
        if unknown:
            raise ValueError(f"no such field: {', '.join(sorted(unknown))}")
        given = [(f, f.check(values[f.name])) for f in self.fields if f.name in values]
        lengths = {len(array) for _, array in given}
        if len(lengths) != 1:
            raise ValueError(f"fields must have one length, not {sorted(lengths)}")
        (length,) = lengths
        words = np.empty((length, self.bytes), np.uint8)
        for start in range(0, length, _CHUNK):
            chunk = slice(start, min(start + _CHUNK, length))
            bits = np.zeros((chunk.stop - start, self.width), np.uint8)
            for field, array in given:
                flat = array[chunk].reshape(len(bits), -1).astype("<i8")
                octets = flat.view(np.uint8).reshape(*flat.shape, 8)[..., : -(-field.width // 8)]
                each = np.unpackbits(octets, axis=-1, count=field.width, bitorder="little")
                end = field.offset + field.width * flat.shape[1]
                bits[:, field.offset : end] = each.reshape(len(bits), -1)
            words[chunk] = np.packbits(bits, axis=-1, bitorder="little")
        return words

    def unpack(self, words: Words) -> dict[str, npt.NDArray[np.int64]]:
        """Unpack words (T, B) into int64 arrays (T,) or (T, elements)."""
        bits = np.unpackbits(words, axis=-1, count=self.width, bitorder="little")
        values = {}
        for field in self.fields:
            count = 1 if field.elements is None else field.elements
            each = bits[:, field.offset : field.offset + field.width * count]
            padded = np.zeros((len(words), count, 64), np.uint8)
            padded[..., : field.width] = each.reshape(len(words), count, field.width)
            if field.signed:
                padded[..., field.width :] = padded[..., field.width - 1, None]
            packed = np.packbits(padded, axis=-1, bitorder="little")
            array = packed.view("<i8")[..., 0].astype(np.int64)
            values[field.name] = array[:, 0] if field.elements is None else array
        return values


def as_integers(words: Words) -> list[int]:
    """The words as Python integers."""
    size = words.shape[1]
    octets = words.tobytes()
    return [int.from_bytes(octets[at : at + size], "little") for at in range(0, len(octets), size)]


def as_words(integers: list[int], size: int) -> Words:
    """Python integers as words of `size` bytes."""
    octets = b"".join(integer.to_bytes(size, "little") for integer in integers)
    return np.frombuffer(octets, np.uint8).reshape(-1, size)
