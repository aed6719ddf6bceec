"""Reads .npy files, and the header that they share with the members of .npz files."""

import io
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from scalewright.sim.files.claim import (
    Array,
    Choose,
    damaged,
    require_real_numbers,
    require_shape,
)

_MAGIC = b"\x93NUMPY"
# Bytes of the length of the header, by the format's version. Version 3.0 is for records.
_LENGTH_BYTES = {b"\x01\x00": 2, b"\x02\x00": 4}
# NumPy's own limit: its parser is not safe beyond.
_HEADER_BYTES = 10_000


@dataclass(frozen=True)
class Header:
    """What stands before the elements.

    Attributes:
        dtype: Of integers or floating-point numbers.
        shape: As stated; unchecked.
        order: `C`, or `F` where the first axis varies fastest.
        size: Bytes of the header.
    """

    dtype: np.dtype[Any]
    shape: tuple[Any, ...]
    order: str
    size: int


def read_npy(path: Path, choose: Choose) -> Array:
    """Map a .npy file into memory, which it enters where it is looked at.

    Raises:
        ValueError: It is damaged, or holds something other than real numbers.
        OSError: It cannot be opened.
    """
    choose([path.stem])
    with path.open("rb") as file:
        header = read_header(file, ".npy")
        room = file.seek(0, io.SEEK_END) - header.size
        require_shape(header.shape, header.dtype.itemsize, room // header.dtype.itemsize)
        return np.memmap(
            file,
            dtype=header.dtype,
            mode="r",
            offset=header.size,
            shape=header.shape,
            order="F" if header.order == "F" else "C",
        )


def read_header(file: IO[bytes], kind: str) -> Header:
    """Read and check the header, at most some ten thousand bytes.

    Args:
        file: At its beginning.
        kind: What the file is called in messages.

    Raises:
        ValueError: It is damaged, or of something other than real numbers.
    """
    start = file.read(len(_MAGIC) + 2)
    version = start[len(_MAGIC) :]
    if not start.startswith(_MAGIC):
        raise damaged(kind, f"it begins with {start!r}, not with {_MAGIC!r}")
    if version not in _LENGTH_BYTES:
        raise damaged(kind, f"its version must be 1.0 or 2.0, not {'.'.join(map(str, version))}")
    stated = file.read(_LENGTH_BYTES[version])
    length = int.from_bytes(stated, "little")
    if length > _HEADER_BYTES:
        raise damaged(kind, f"its header must have at most {_HEADER_BYTES} bytes, not {length}")
    text = file.read(length)
    parse = (
        np.lib.format.read_array_header_1_0
        if version == b"\x01\x00"
        else np.lib.format.read_array_header_2_0
    )
    try:
        with warnings.catch_warnings():
            # That it is of an old Python or NumPy.
            warnings.simplefilter("ignore")
            shape, fortran, dtype = parse(io.BytesIO(stated + text))
    except Exception as error:  # Python's and NumPy's parsers raise almost anything
        raise damaged(kind, error) from None
    if dtype.hasobject:
        raise damaged(kind, "it holds pickled Python objects, not real numbers")
    require_real_numbers(dtype)
    size = len(start) + len(stated) + len(text)
    return Header(dtype, shape, "F" if fortran else "C", size)
