"""Reads one tensor of a .safetensors file."""

import json
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
from safetensors import safe_open

from scalewright.sim.files.claim import Array, Choose, damaged, require_shape
from scalewright.sim.files.names import shortened

_DTYPES: dict[str, Any] = {
    "F64": np.float64,
    "F32": np.float32,
    "F16": np.float16,
    "I64": np.int64,
    "I32": np.int32,
    "I16": np.int16,
    "I8": np.int8,
    "U64": np.uint64,
    "U32": np.uint32,
    "U16": np.uint16,
    "U8": np.uint8,
}
# NumPy has no such types; float32 has every one of their values.
_WIDENED: dict[str, Any] = {
    "BF16": ml_dtypes.bfloat16,
    "F8_E4M3": ml_dtypes.float8_e4m3fn,
    "F8_E5M2": ml_dtypes.float8_e5m2,
    "F8_E4M3FNUZ": ml_dtypes.float8_e4m3fnuz,
    "F8_E5M2FNUZ": ml_dtypes.float8_e5m2fnuz,
    "F8_E8M0": ml_dtypes.float8_e8m0fnu,
}
# The file begins with the length of the header.
_LENGTH_BYTES = 8


def read_safetensors(path: Path, choose: Choose) -> Array:
    """Map one tensor into memory; bfloat16 and FP8 are read as float32, which is exact.

    Raises:
        ValueError: The file is damaged, has no such tensor, or one of another type.
        OSError: The file cannot be opened.
    """
    with path.open("rb") as file:
        # The library checks the header: its length, names, shapes, types, and that every byte
        # belongs to one tensor. It reads fewer types than it checks.
        try:
            with safe_open(path, framework="np") as checked:
                names = list(checked.keys())
            length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
            header = json.loads(file.read(length), object_pairs_hook=_without_repetition)
        except Exception as error:  # two parsers, on a file of unknown origin
            raise damaged(".safetensors", error) from None
        name = choose(names)
        tensor = header[name]
        dtype = _DTYPES.get(tensor["dtype"]) or _WIDENED.get(tensor["dtype"])
        if dtype is None:
            raise ValueError(
                f"tensor {shortened(name)} must have real numbers of 8 bits or more, not dtype "
                f"{tensor['dtype']}: convert it, as in safetensors.torch.save_file("
                "{name: tensor.float()}, path)"
            )
        first, last = tensor["data_offsets"]
        stored = np.dtype(dtype)
        wide = np.dtype(np.float32) if tensor["dtype"] in _WIDENED else stored
        require_shape(tensor["shape"], wide.itemsize, (last - first) // stored.itemsize)
        values: Array = np.memmap(
            file,
            dtype=stored,
            mode="r",
            offset=_LENGTH_BYTES + length + first,
            shape=tuple(tensor["shape"]),
        )
        # As it is one of the file's, not a number's, signalling NaN is no reason to warn.
        with np.errstate(invalid="ignore"):
            return values if wide == stored else values.astype(wide)


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object whose keys differ.

    Raises:
        ValueError: Two are equal.
    """
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a name stands in its header twice")
    return members
