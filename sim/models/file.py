"""Reads ONNX files: what they claim is checked against what they hold before memory is taken."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError
from onnx import TensorProto, helper

from scalewright.golden.network.graph import label
from scalewright.sim.files.names import printable

# What protobuf reads at most.
_LARGEST_FILE = (1 << 31) - 1
# Opsets before 7 have other meanings of broadcasting; the converter knows the others.
OLDEST_OPSET = 7
# Types with several elements in a byte.
_BITS = {"INT4": 4, "UINT4": 4, "FLOAT4E2M1": 4, "INT2": 2, "UINT2": 2}


def load_model(path: Path) -> onnx.ModelProto:
    """Read an ONNX file, external data included.

    Raises:
        OSError: It cannot be read.
        ValueError: It is no valid ONNX model, or of an opset before 7; one line, which begins with
            the path.
    """
    with naming(path):
        if path.exists() and not path.is_file():
            raise ValueError("not a file")
        if path.stat().st_size > _LARGEST_FILE:
            raise ValueError(f"an ONNX file has at most {_LARGEST_FILE:,} bytes")
        model = onnx.ModelProto()
        try:
            model.ParseFromString(path.read_bytes())
            _require_whole(model, path.parent)
            onnx.checker.check_model(model)
        # The checker has no one class of errors for all that it finds.
        except (DecodeError, onnx.checker.ValidationError, RuntimeError, UnicodeError) as error:
            raise ValueError(f"not a valid ONNX model: {error}") from None
    return model


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Errors become one line that begins with the path, without what a terminal would obey.

    Raises:
        ValueError: In place of ValueError and TypeError.
    """
    try:
        yield
    except MemoryError:
        raise ValueError(f"{path}: does not fit in memory") from None
    except (ValueError, TypeError) as error:
        reason = printable(" ".join(str(error).split()))
        raise ValueError(f"{path}: {reason}") from None


def label_of(node: onnx.NodeProto) -> str:
    """How messages call a node of a file."""
    return label(node.output[0] if node.output else "without output", node.op_type, node.name)


def opset_of(model: onnx.ModelProto) -> int:
    """The opset of the standard operators.

    Raises:
        ValueError: There is none, or more than one.
    """
    found = {entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")}
    if len(found) != 1:
        raise ValueError(f"must name one opset of standard operators, not {len(found)}")
    return int(found.pop())


def _require_whole(model: onnx.ModelProto, folder: Path) -> None:
    if not model.ByteSize():
        raise ValueError("not a valid ONNX model: the file is empty")
    if not model.graph.node:
        raise ValueError("not a valid ONNX model: it has no nodes")
    if (version := opset_of(model)) < OLDEST_OPSET:
        raise ValueError(
            f"opset {version} is not supported: must be {OLDEST_OPSET} or newer; export it again"
        )
    if model.graph.sparse_initializer:
        raise ValueError("sparse initializers are not supported")
    for tensor in model.graph.initializer:
        _require_data(tensor, f"initializer {tensor.name}", folder)
    for node in model.graph.node:
        for attribute in node.attribute:
            for tensor in (*([attribute.t] if attribute.HasField("t") else ()), *attribute.tensors):
                _require_data(tensor, f"{label_of(node)}: its {attribute.name}", folder)
    _require_order(model.graph)


def _require_order(graph: onnx.GraphProto) -> None:
    """Each tensor is given once, before it is taken: so there is no cycle."""
    known = {value.name for value in graph.input} | {tensor.name for tensor in graph.initializer}
    for node in graph.node:
        if not node.output or not node.output[0]:
            raise ValueError(f"{label_of(node)}: must have an output")
        for name in filter(None, node.input):
            if name not in known:
                raise ValueError(
                    f"{label_of(node)}: nothing before it gives its input {name}: the tensor is "
                    "missing, or the graph is cyclic or out of order"
                )
        for name in filter(None, node.output):
            if name in known:
                raise ValueError(f"{label_of(node)}: tensor {name} is given twice")
            known.add(name)
    for value in graph.output:
        if value.name not in known:
            raise ValueError(f"nothing gives the output {value.name}")


def _require_data(tensor: TensorProto, what: str, folder: Path) -> None:
    """A tensor holds what its shape claims; external data comes into it."""
    if tensor.data_type in (TensorProto.UNDEFINED, TensorProto.STRING):
        raise ValueError(f"{what}: must have numbers")
    if tensor.data_type not in TensorProto.DataType.values():
        raise ValueError(f"{what}: has the unknown type {tensor.data_type}")
    if any(size < 0 for size in tensor.dims):
        raise ValueError(f"{what}: has a negative size: {tuple(tensor.dims)}")
    elements = math.prod(tensor.dims)
    dtype = helper.tensor_dtype_to_np_dtype(tensor.data_type)
    bits = _BITS.get(TensorProto.DataType.Name(tensor.data_type), 8 * dtype.itemsize)
    size = -(-elements * bits // 8)
    claim = f"{what}: must have {size:,} bytes for shape {tuple(tensor.dims)}, not"
    if tensor.data_location == TensorProto.EXTERNAL:
        _read_external(tensor, what, folder, size)
    elif tensor.HasField("raw_data"):
        if len(tensor.raw_data) != size:
            raise ValueError(f"{claim} {len(tensor.raw_data):,}")
    else:
        field = helper.tensor_dtype_to_field(tensor.data_type)
        count = len(getattr(tensor, field))
        numbers = size if bits < 8 else elements * (2 if dtype.kind == "c" else 1)
        if count != numbers:
            raise ValueError(f"{what}: must have {numbers:,} numbers, not {count:,}")


def _read_external(tensor: TensorProto, what: str, folder: Path, size: int) -> None:
    entries = {entry.key: entry.value for entry in tensor.external_data}
    root = folder.resolve()
    path = (root / entries.get("location", "")).resolve()
    if not path.is_relative_to(root) or path == root:
        raise ValueError(f"{what}: its data lie outside the model's folder: {path}")
    if not path.is_file():
        raise ValueError(f"{what}: its data are missing: no file {path}")
    numbers = [entries.get("offset", "0"), entries.get("length", str(size))]
    if not all(text.isascii() and text.isdigit() and len(text) < 20 for text in numbers):
        raise ValueError(f"{what}: offset and length must be numbers, not {' and '.join(numbers)}")
    offset, length = map(int, numbers)
    if length != size or offset + length > path.stat().st_size:
        raise ValueError(
            f"{what}: its {size:,} bytes do not lie at {offset:,} to {offset + length:,} of "
            f"{path}, which has {path.stat().st_size:,}"
        )
    with path.open("rb") as file:
        file.seek(offset)
        tensor.raw_data = file.read(length)
    tensor.data_location = TensorProto.DEFAULT
    del tensor.external_data[:]
