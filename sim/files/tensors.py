"""Reads and writes tensors: .npy, .npz and .safetensors."""

import json
import os
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

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
    tensors = load_all(path)
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


def load_all(path: Path) -> Mapping[str, Array]:
    """Read all tensors of a file, by name.

    Raises:
        ValueError: An unknown kind of file, one that cannot be read.
        OSError: The file cannot be opened.
    """
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
        return reader(path)
    except _UNREADABLE as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(f"{path}: not a readable {path.suffix} file: {reason}") from None


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
            save_file(contiguous, scratch, metadata={METADATA: text})


def require_writable_kind(path: Path) -> None:
    """Check that `save` knows this kind of file.

    Raises:
        ValueError: It does not.
    """
    if path.suffix not in (".npz", ".safetensors"):
        raise ValueError(f"{path}: results go to a .npz or a .safetensors file")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A scratch file that becomes `path` once the block ends well; else nothing changes."""
    if path.is_dir():
        raise IsADirectoryError(f"{path}: is a folder")
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, scratch = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    os.close(descriptor)
    try:
        yield Path(scratch)
        # mkstemp gives a private file; what is kept is as readable as any other.
        mask = os.umask(0)
        os.umask(mask)
        Path(scratch).chmod(0o666 & ~mask)
        Path(scratch).replace(path)
    finally:
        Path(scratch).unlink(missing_ok=True)


def require_writable(*paths: Path | None) -> None:
    """Check, before the work, that these files can be written after it.

    Raises:
        OSError: One cannot.
    """
    for path in paths:
        if path is not None:
            with suppress(_UntouchedError), replacing(path):
                raise _UntouchedError


class _UntouchedError(Exception):
    """Ends `replacing` without replacing."""


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
