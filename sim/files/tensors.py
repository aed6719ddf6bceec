"""Reads and writes tensors: .npy, .npz and .safetensors."""

import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load_file
from safetensors.numpy import save as serialize

from scalewright.sim.files.outputs import replacing

Array = npt.NDArray[Any]

# Under this name a .npz holds the metadata, as JSON text.
METADATA = "metadata"

# What the readers raise on a file of another kind, or a damaged one.
_UNREADABLE = (ValueError, EOFError, KeyError, TypeError, zipfile.BadZipFile, SafetensorError)


def load(source: str) -> Array:
    """Read one tensor.

    Args:
        source: A path, or `PATH:NAME` to name a tensor where the file has several.

    Raises:
        ValueError: An unknown kind of file, one that cannot be read, no such tensor.
        OSError: The file cannot be opened.
    """
    path, name = _split(source)
    readers: dict[str, Callable[[Path], Mapping[str, Array]]] = {
        ".npy": _read_npy,
        ".npz": _read_npz,
        ".safetensors": load_file,
    }
    reader = readers.get(path.suffix)
    if reader is None:
        raise ValueError(f"{path}: a tensor file must be one of {', '.join(readers)}")
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    try:
        tensors = reader(path)
    except _UNREADABLE as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(f"{path}: not a readable {path.suffix} file: {reason}") from None
    if name is None:
        if len(tensors) != 1:
            raise ValueError(
                f"{path}: name one of its tensors, as in {path}:{next(iter(tensors), 'NAME')}; "
                f"it has {', '.join(tensors) or 'none'}"
            )
        (name,) = tensors
    if name not in tensors:
        raise ValueError(f"{path}: no tensor {name}; it has {', '.join(tensors) or 'none'}")
    return tensors[name]


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
        raise ValueError(f"{path}: results go to a .npz or a .safetensors file")


def _split(source: str) -> tuple[Path, str | None]:
    path, colon, name = source.rpartition(":")
    if colon and Path(path).suffix in (".npz", ".safetensors"):
        return Path(path), name
    return Path(source), None


def _read_npy(path: Path) -> Mapping[str, Array]:
    return {path.stem: np.lib.format.open_memmap(path, mode="r")}


def _read_npz(path: Path) -> Mapping[str, Array]:
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files if name != METADATA}
