import json
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from scalewright.sim.files import tensors as tensor_file

_X = np.arange(6, dtype=np.float32).reshape(2, 3)


def test_reads_npy_npz_and_safetensors(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", _X)
    np.savez(tmp_path / "x.npz", x=_X, y=2 * _X)
    save_file({"x": _X}, tmp_path / "x.safetensors")
    for source, want in (("x.npy", _X), ("x.npz:y", 2 * _X), ("x.safetensors", _X)):
        np.testing.assert_array_equal(tensor_file.load(str(tmp_path / source)), want)


def test_reads_bfloat16_safetensors(tmp_path: Path) -> None:
    save_file({"x": _X.astype(ml_dtypes.bfloat16)}, tmp_path / "x.safetensors")
    loaded = tensor_file.load(str(tmp_path / "x.safetensors"))
    np.testing.assert_array_equal(loaded.astype(np.float32), _X)


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_writes_plain_arrays_with_their_metadata(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"new/folder/out{suffix}"
    tensor_file.save(path, {"x": _X.astype(np.int8), "y": _X}, {"notation": "4/4/4/6"})
    assert tensor_file.load(f"{path}:x").dtype == np.int8
    np.testing.assert_array_equal(tensor_file.load(f"{path}:y"), _X)
    if suffix == ".npz":
        with np.load(path) as file:
            text = str(file["metadata"])
    else:
        with safe_open(path, "numpy") as file:
            text = file.metadata()["metadata"]
    assert json.loads(text) == {"notation": "4/4/4/6"}
    assert [child.name for child in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.npy", b"hello", r"x\.npy: not a readable \.npy file: "),
        ("x.npy", b"", r"x\.npy: not a readable \.npy file: "),
        ("x.npz", b"hello", r"x\.npz: not a readable \.npz file: "),
        ("x.safetensors", b"hello", r"x\.safetensors: not a readable \.safetensors file: "),
        ("x.txt", b"1 2 3", r"x\.txt: a tensor file must be one of \.npy, \.npz, \.safetensors$"),
    ],
)
def test_rejects_other_files(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        tensor_file.load(str(tmp_path / name))


def test_rejects_pickled_objects(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array([None, {}], object), allow_pickle=True)
    with pytest.raises(ValueError, match=r"x\.npy: not a readable \.npy file: "):
        tensor_file.load(str(tmp_path / "x.npy"))


def test_asks_for_a_name_where_there_are_several(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", x=_X, y=_X)
    with pytest.raises(ValueError, match=r"name one of its tensors, as in .*:x; it has x, y$"):
        tensor_file.load(str(tmp_path / "x.npz"))
    with pytest.raises(ValueError, match=r"x\.npz: no tensor z; it has x, y$"):
        tensor_file.load(str(tmp_path / "x.npz:z"))


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"x\.npy: no such file$"):
        tensor_file.load(str(tmp_path / "x.npy"))
