"""Files of any origin: only one-line errors leave `load`, and little memory is taken."""

import io
import json
import struct
import tracemalloc
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import strategies as st
from safetensors.numpy import save, save_file

from scalewright.sim.files import claim
from scalewright.sim.files import tensors as tensor_file
from tests.tools.fuzzing import fuzzed

_X = np.arange(24, dtype=np.float32).reshape(2, 12)
# What a refusal may take: Python's parser needs a few megabytes for ten thousand bytes of header.
_LITTLE = 8 << 20


def _npy(header: str, data: bytes = _X.tobytes(), version: tuple[int, int] = (1, 0)) -> bytes:
    text = header.encode("latin-1") + b"\n"
    length = struct.pack("<H" if version == (1, 0) else "<I", len(text))
    return b"\x93NUMPY" + bytes(version) + length + text + data


def _header(descr: object = "<f4", fortran: object = False, shape: object = (2, 12)) -> str:
    return repr({"descr": descr, "fortran_order": fortran, "shape": shape})


def _safetensors(header: object, data: bytes = _X.tobytes()) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def _tensor(dtype: str = "F32", shape: Any = (2, 12), offsets: Any = (0, 96)) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


def _npz(
    content: bytes, method: int = zipfile.ZIP_DEFLATED, names: tuple[str, ...] = ("x",)
) -> bytes:
    file = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(file, "w", method) as archive:
        warnings.simplefilter("ignore")  # about equal names
        for name in names:
            archive.writestr(f"{name}.npy", content)
    return file.getvalue()


def _load(folder: Path, name: str, content: bytes) -> np.ndarray[Any, Any]:
    path = folder / name
    path.write_bytes(content)
    return tensor_file.load(str(path))


def _require_one_line(folder: Path, name: str, content: bytes, message: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=message) as raised:
            _load(folder, name, content)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert str(raised.value).isprintable()
    assert len(str(raised.value)) < 2000
    assert peak < _LITTLE


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (_header(shape=(1 << 40, 1)), "needs 1,099,511,627,776 elements, the file has 24"),
        (_header(shape=(1 << 32, 1 << 32)), r"needs more than 2\^64 elements"),
        (_header(shape=(0, 1 << 70)), "at least one element"),
        (_header(shape=(-2, -12)), "must be integers from 0"),
        (_header(shape=(True, 12)), "must be integers from 0"),
        (_header(shape=(1,) * 65), "at most 64 axes, not 65"),
        (_header(shape=(2, 13)), "needs 26 elements, the file has 24: it is cut off"),
        (_header(shape=[2, 12]), "not a readable"),
        (_header(fortran=1), "not a readable"),
        (_header("<c8"), "real numbers, not dtype complex64"),
        (_header("|b1"), "real numbers, not dtype bool"),
        (_header("<U4"), "real numbers, not dtype <U4"),
        (_header("|S0"), r"real numbers, not dtype \|S0"),
        (_header("<M8[s]"), "real numbers, not dtype datetime64"),
        (_header([("a", "<f4"), ("b", "<i4")]), "real numbers, not dtype"),
        (_header(("<f4", (1 << 30,))), "not a readable|real numbers"),
        (_header([("a", "<f4", (1 << 31,))]), "not a readable|real numbers"),
        (_header("|O"), "not a readable .*pickled"),
        (_header("<f3"), "not a readable"),
        (_header("\x1b[31m"), "not a readable"),
        ("{'descr': '<f4'", "not a readable"),
        ("-" * 9000 + "1", "not a readable"),
        ("(" * 9000, "not a readable"),
        ("9" * 9000, "not a readable"),
        ("", "not a readable"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["x.npy", "x.npz"])
def test_npy_headers(kind: str, header: str, message: str, tmp_path: Path) -> None:
    content = _npy(header)
    _require_one_line(tmp_path, kind, content if kind == "x.npy" else _npz(content), message)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x93NUMPY\x02\x00\xff\xff\xff\xff", "at most 10000 bytes, not 4294967295"),
        (b"\x93NUMPY\x01\x00\xff", "not a readable"),
        (b"\x93NUMPY\x01", r"version must be 1\.0 or 2\.0, not 1"),
        (_npy(_header(), version=(3, 0)), r"version must be 1\.0 or 2\.0, not 3\.0"),
        (b"\x1b]0;title\x07\x9b", r"begins with b'\\x1b\]0;titl', not"),
    ],
)
def test_npy_beginnings(content: bytes, message: str, tmp_path: Path) -> None:
    _require_one_line(tmp_path, "x.npy", content, message)


@pytest.mark.parametrize("version", [(1, 0), (2, 0)])
def test_fortran_order_and_other_byte_orders_are_read(
    version: tuple[int, int], tmp_path: Path
) -> None:
    content = _npy(_header(">f4", True), _X.astype(">f4").tobytes("F"), version)
    np.testing.assert_array_equal(_load(tmp_path, "x.npy", content), _X)
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        np.testing.assert_array_equal(_load(tmp_path, "x.npz", _npz(content, method)), _X)


def _patched(content: bytes, offset: int, form: str, value: int) -> bytes:
    """An archive of one member, with one field of its central entry changed."""
    entry = bytearray(content)
    struct.pack_into(form, entry, content.index(b"PK\x01\x02") + offset, value)
    return bytes(entry)


_GOOD = _npz(_npy(_header()))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (_patched(_GOOD, 8, "<H", 1), "encrypted"),
        (_patched(_GOOD, 10, "<H", 99), "stored or deflated, not compressed by method 99"),
        (_npz(_npy(_header()), zipfile.ZIP_BZIP2), "stored or deflated, not .* 12: write it with"),
        (_npz(_npy(_header()), zipfile.ZIP_LZMA), "stored or deflated, not .* 14: write it with"),
        (_patched(_GOOD, 16, "<L", 0), "not a readable .*CRC"),
        (_patched(_GOOD, 20, "<L", 20), "not a readable"),
        (_patched(_GOOD, 24, "<L", 150), "not a readable .*CRC"),
        (_patched(_GOOD, 42, "<L", 1 << 31), "not a readable"),
        (_npz(_npy(_header()), names=("x", "x")), "two of its members have the same name"),
        (_npz(_npy(_header(shape=(1 << 20, 1 << 20)))), "the file has"),
        (_npz(b"text"), "not a readable"),
        (_npz(b"", names=()), r"it has none"),
        (_npz(b"", names=("a\x1b[2J", "\u202eb")), r"it has a\\x1b\[2J, \\u202eb$"),
        (_npz(b"", names=tuple(f"{n}" * 99 for n in range(99))), r" and 87 more$"),
        (_GOOD[:60], "not a readable"),
    ],
)
def test_npz_members(content: bytes, message: str, tmp_path: Path) -> None:
    _require_one_line(tmp_path, "x.npz", content, message)


def test_npz_that_claims_four_tebibytes(tmp_path: Path) -> None:
    claimed = _npy(_header(shape=(1 << 40,)))
    content = _patched(_npz(claimed, zipfile.ZIP_STORED), 24, "<L", (1 << 32) - 2)
    _require_one_line(tmp_path, "x.npz", content, "needs 1,099,511,627,776 elements")


def test_member_that_deflates_well_is_read_within_what_memory_allows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zeros = np.zeros(1 << 20, np.float32)
    np.savez_compressed(tmp_path / "z.npz", z=zeros)
    assert tensor_file.load(str(tmp_path / "z.npz")).shape == zeros.shape
    monkeypatch.setattr(claim, "_memory_bytes", lambda: 1 << 20)
    content = (tmp_path / "z.npz").read_bytes()
    _require_one_line(tmp_path, "y.npz", content, "needs 4,194,304 bytes, this machine has")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (struct.pack("<Q", 1 << 63) + b"{}", "not a readable"),
        (struct.pack("<Q", (1 << 64) - 1) + b"{}", "not a readable"),
        (struct.pack("<Q", 99_000_000) + b"{}", "not a readable"),
        (b"", "not a readable"),
        (_safetensors({"a": _tensor(), "b": _tensor()}), "not a readable"),
        (_safetensors({"a": _tensor(offsets=(48, 144))}), "not a readable"),
        (_safetensors({"a": _tensor(offsets=(96, 0))}), "not a readable"),
        (_safetensors({"a": _tensor(shape=(1 << 40, 1 << 40))}), "not a readable"),
        (_safetensors({"a": _tensor(shape=(-2, -12))}), "not a readable"),
        (_safetensors({"a": _tensor("F31")}), "not a readable"),
        (_safetensors({"a": _tensor(), "__metadata__": {"a": 1}}), "not a readable"),
        (_safetensors(b'{"\xff": 1}'), "not a readable"),
        (_safetensors(b"[" * 100_000), "not a readable"),
        (_safetensors({"a": _tensor(shape=(0, 9), offsets=(0, 0))}, b""), "at least one element"),
        (_safetensors({"\x1b[31m\u202e": _tensor("C64", (2, 6))}), r"\\x1b\[31m\\u202e must"),
        (_safetensors({"a": _tensor("BOOL", (96,))}), "not dtype BOOL: convert it, as in"),
        (_safetensors({"a": _tensor("F4", (2, 96))}), "not dtype F4: convert it, as in"),
    ],
)  # fmt: skip
def test_safetensors_headers(content: bytes, message: str, tmp_path: Path) -> None:
    _require_one_line(tmp_path, "x.safetensors", content, message)


def test_safetensors_with_a_name_twice(tmp_path: Path) -> None:
    one = json.dumps(_tensor())
    content = _safetensors(f'{{"a": {one}, "a": {one}}}'.encode())
    _require_one_line(tmp_path, "x.safetensors", content, "a name stands in its header twice")


@pytest.mark.parametrize(
    "dtype",
    [
        ml_dtypes.bfloat16,
        ml_dtypes.float8_e4m3fn,
        ml_dtypes.float8_e5m2,
        ml_dtypes.float8_e4m3fnuz,
        ml_dtypes.float8_e5m2fnuz,
        ml_dtypes.float8_e8m0fnu,
    ],
)
def test_every_value_of_a_narrow_float_is_read_exactly(dtype: type, tmp_path: Path) -> None:
    bits = np.dtype(dtype).itemsize * 8
    stored: Any = np.arange(1 << bits, dtype=f"u{bits // 8}").view(dtype)
    save_file({"a": stored}, tmp_path / "x.safetensors")
    read = tensor_file.load(str(tmp_path / "x.safetensors"))
    assert read.dtype == np.float32
    # float64 holds all of them, subnormals of float32 too.
    with np.errstate(invalid="ignore"):  # signalling NaN
        np.testing.assert_array_equal(read.astype(np.float64), stored.astype(np.float64))


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".bin", ".ckpt"])
def test_pickles_are_not_read_but_how_to_convert_them_is_said(suffix: str, tmp_path: Path) -> None:
    _require_one_line(
        tmp_path, f"x{suffix}", b"\x80", rf"save_file\(torch\.load\('x\{suffix}', weights_only=True"
    )


def test_names_may_have_colons(tmp_path: Path) -> None:
    save_file({"a:b.npz:c": _X, "d": 2 * _X}, tmp_path / "x.safetensors")
    loaded = tensor_file.load(f"{tmp_path}/x.safetensors:a:b.npz:c")
    np.testing.assert_array_equal(loaded, _X)


def _saved(write: Callable[[Any], None]) -> bytes:
    file = io.BytesIO()
    write(file)
    return file.getvalue()


_VALID = {
    "x.npy": [_npy(_header()), _npy(_header(), version=(2, 0))],
    "x.npz": [
        _saved(lambda file: np.savez(file, x=_X)),
        _saved(lambda file: np.savez_compressed(file, x=_X)),
    ],
    "x.safetensors": [
        save({"x": _X}),
        save({"x": _X.astype(ml_dtypes.float8_e4m3fn)}, metadata={"a": "b"}),
    ],
}
# What headers are made of, so that changes get past the first check.
_WORDS = [
    b"0", b"-1", b"9999999999", b"18446744073709551616", b"1e9", b"True", b"None", b"nan", b"()",
    b"[]", b"{}", b"'", b'"', b",", b"\\ud800", b"\x00", b"\xff\xff\xff\xff", b"F64", b"F4",
    b"BF16", b"<f8", b">i8", b"|O", b"|V9", b"<U9", b"<c16", b"<f2", b"<m8", b"PK\x01\x02",
    b"PK\x06\x06", b"[" * 3000, b"(" * 3000, b"9" * 5000,
]  # fmt: skip


@st.composite
def _damaged(draw: st.DrawFn) -> tuple[str, bytes]:
    """A valid file with a few bytes changed, cut out or put in, or with a word put over some."""
    name = draw(st.sampled_from(sorted(_VALID)))
    content = bytearray(draw(st.sampled_from(_VALID[name])))
    for _ in range(draw(st.integers(1, 4))):
        # Most of what matters stands at the ends.
        where = draw(st.integers(0, len(content)) | st.integers(0, min(130, len(content))))
        removed = draw(st.integers(0, 8))
        put = draw(st.binary(max_size=8) | st.sampled_from(_WORDS))
        content[where : where + removed] = put
    return name, bytes(content)


@fuzzed("tensor files", 400, file=_damaged())
def test_damage_gives_one_line_or_a_tensor(file: tuple[str, bytes], tmp_path: Path) -> None:
    name, content = file
    tensor, message = None, ""
    tracemalloc.start()
    try:
        tensor = _load(tmp_path, name, content)
    except (ValueError, OSError) as error:
        message = str(error)
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert tensor is None or (tensor.dtype.kind in "fiu" and 0 < tensor.nbytes <= 4 * len(content))
    assert message.isprintable()
    assert len(message) < 2000
    assert peak < _LITTLE
