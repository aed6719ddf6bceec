"""Reads and writes tensors: .npy, .npz and .safetensors."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save as serialize

from scalewright.sim.files.claim import Array, Choose, tensor_of
from scalewright.sim.files.names import printable
from scalewright.sim.files.npy import read_npy
from scalewright.sim.files.npz import METADATA, read_npz
from scalewright.sim.files.outputs import replacing
from scalewright.sim.files.safetensors import read_safetensors

_READERS: dict[str, Callable[[Path, Choose], Array]] = {
    ".npy": read_npy,
    ".npz": read_npz,
    ".safetensors": read_safetensors,
}
# Files of PyTorch are pickles: reading one runs what it says.
_PICKLES = (".pt", ".pth", ".bin", ".ckpt")
# The first suffix of a file with several tensors; what follows the colon may have colons.
_NAMED = re.compile(r"(.*?\.(?:npz|safetensors)):(.*)", re.DOTALL)


def load(source: str) -> Array:
    """Read one tensor of real numbers, with at least one element.

    The file may be of any origin: what it says is checked before memory is given. A .npy or
    .safetensors file is mapped, a .npz member is read whole. The bfloat16 and FP8 of .safetensors
    become float32, exactly.

    Args:
        source: A path, or `PATH:NAME` to name a tensor where the file has several.

    Raises:
        ValueError: An unknown kind of file, one that cannot be read, no such tensor, or one that is
            no tensor of real numbers.
        OSError: The file cannot be opened.
    """
    path, name = _split(source)
    return _read(path, partial(tensor_of, path, name))


def load_all(path: Path) -> Mapping[str, Array]:
    """Read all tensors of a file, by name, as `load` reads one.

    Raises:
        ValueError: An unknown kind of file, or one with a tensor that cannot be read.
        OSError: The file cannot be opened.
    """
    names: list[str] = []

    def note(found: Sequence[str]) -> str:
        names.extend(found)
        raise _NotedError

    with suppress(_NotedError):
        _read(path, note)
    return {name: _read(path, partial(tensor_of, path, name)) for name in names}


class _NotedError(Exception):
    """Ends a reader that has told what there is."""


def _read(path: Path, choose: Choose) -> Array:
    reader = _READERS.get(path.suffix)
    if reader is None:
        raise ValueError(f"{printable(path)}: {_conversion(path)}")
    if not path.is_file():
        raise FileNotFoundError(f"{printable(path)}: no such file")
    try:
        return reader(path, choose)
    except ValueError as error:
        raise ValueError(f"{printable(path)}: {error}") from None


def _conversion(path: Path) -> str:
    """What a tensor file must be, and how another becomes one."""
    kinds = f"a tensor file must be one of {', '.join(_READERS)}"
    if path.suffix not in _PICKLES:
        return kinds
    return (
        f"{kinds}; convert it in Python: safetensors.torch.save_file("
        f"torch.load({path.name!r}, weights_only=True), {path.with_suffix('.safetensors').name!r})"
    )


def save(path: Path, tensors: Mapping[str, Array], metadata: Mapping[str, Any]) -> None:
    """Write tensors to a .npz or .safetensors file, with metadata as JSON text.

    Raises:
        ValueError: An unknown kind of file.
        OSError: The file cannot be written; nothing is left behind.
    """
    text = json.dumps(metadata)
    contiguous = {name: np.ascontiguousarray(array) for name, array in tensors.items()}
    require_writable_kind(path)
    with replacing(path) as scratch:
        if path.suffix == ".npz":
            with scratch.open("wb") as file:
                entries: dict[str, Any] = {**contiguous, METADATA: np.array(text)}
                np.savez_compressed(file, **entries)
        else:
            # Written here: safetensors tells of a full disk in an error of its own.
            scratch.write_bytes(serialize(contiguous, metadata={METADATA: text}))


def require_writable_kind(path: Path) -> None:
    """Check that `save` knows this kind of file.

    Raises:
        ValueError: It does not.
    """
    if path.suffix not in (".npz", ".safetensors"):
        raise ValueError(f"{printable(path)}: results go to a .npz or a .safetensors file")


def _split(source: str) -> tuple[Path, str | None]:
    named = _NAMED.fullmatch(source)
    return (Path(source), None) if named is None else (Path(named[1]), named[2])
