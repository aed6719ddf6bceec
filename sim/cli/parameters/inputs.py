"""The inputs of networks on the command line: one tensor, or several by name."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy.typing as npt

from scalewright.golden.network.feeds import Input, feeds_of, fixed_batch, numbers_of
from scalewright.sim.files import tensors as tensor_file
from scalewright.sim.files.names import printable

# Numbers of the inputs of a batch: what comes of them may be a hundred times as many.
_BATCH_NUMBERS = 1 << 16


def load_inputs(sources: Sequence[str], wanted: Sequence[Input]) -> dict[str, npt.NDArray[Any]]:
    """Read the inputs of a network.

    Args:
        sources: `FILE` or `FILE:NAME` for the only input, `FILE.npz` for all, each of its members
            of the name of an input; `INPUT=FILE` for one of several.
        wanted: The inputs of the network.

    Raises:
        OSError: A file cannot be read.
        TypeError, ValueError: An input that is missing, unknown or given twice, or does not suit
            the network; the message begins with the source.
    """
    names = [each.name for each in wanted]
    found: dict[str, tuple[str, npt.NDArray[Any]]] = {}
    for source in sources:
        name, given, rest = source.partition("=")
        if given and name in names:
            _add(found, name, rest, tensor_file.load(rest))
        elif len(names) == 1:
            _add(found, names[0], source, tensor_file.load(source))
        elif source.endswith((".npz", ".safetensors")):
            for member, values in tensor_file.load_all(Path(source)).items():
                _add(found, member, source, values)
        else:
            raise ValueError(
                f"{printable(source)}: the network has {len(names)} inputs: give each as "
                f"NAME=FILE, or all in one .npz, of {printable(', '.join(names))}"
            )
    missing = [name for name in names if name not in found]
    unknown = [name for name in found if name not in names]
    if missing or unknown:
        what = f"there is none for {', '.join(missing)}" if missing else f"none is {unknown[0]}"
        raise ValueError(printable(f"inputs {', '.join(names)}: {what}"))
    for each in wanted:
        _require(*found[each.name], each, fixed_batch(wanted))
    counts = {values.shape[0] for _, values in found.values()}
    if len(counts) > 1:
        sizes = ", ".join(f"{name} {values.shape}" for name, (_, values) in found.items())
        raise ValueError(printable(f"inputs must be equally many: {sizes}"))
    return feeds_of(wanted, {name: values for name, (_, values) in found.items()})


def paths_of(sources: Sequence[str]) -> list[str]:
    """The files of sources, which are not to be overwritten."""
    return [part for source in sources for part in {source, source.partition("=")[2] or source}]


def batch_of(inputs: Mapping[str, npt.NDArray[Any]]) -> int:
    """How many inputs are computed at once."""
    return max(1, _BATCH_NUMBERS // numbers_of(inputs))


def _add(
    found: dict[str, tuple[str, npt.NDArray[Any]]],
    name: str,
    source: str,
    values: npt.NDArray[Any],
) -> None:
    if name in found:
        raise ValueError(f"{printable(source)}: input {printable(name)} is given twice")
    found[name] = source, values


def _require(source: str, values: npt.NDArray[Any], wanted: Input, fixed: int | None) -> None:
    where = printable(source)
    if values.dtype.kind not in "fiubV":
        raise TypeError(f"{where}: inputs must be real numbers, not {values.dtype}")
    if values.ndim == 0 or values.size == 0:
        raise ValueError(f"{where}: must have at least one input, not shape {values.shape}")
    if wanted.shape is not None:
        sizes = zip(wanted.shape[1:], values.shape[1:], strict=False)
        if len(wanted.shape) != values.ndim or any(w not in (None, got) for w, got in sizes):
            shape = ", ".join(["N", *("any" if s is None else str(s) for s in wanted.shape[1:])])
            raise ValueError(f"{where}: the model takes inputs ({shape}), not {values.shape}")
    if fixed is not None and len(values) % fixed:
        raise ValueError(
            f"{where}: the model takes {fixed} inputs at once, of which {len(values)} is no "
            "multiple: export it with any batch"
        )
    try:
        wanted_alone = Input(name=wanted.name, shape=None, dtype=wanted.dtype)
        wanted_alone.convert(values)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{where}: {error}") from None
