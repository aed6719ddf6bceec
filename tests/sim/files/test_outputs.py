import fcntl
import os
import stat
from pathlib import Path
from threading import Thread

import pytest

from scalewright.sim.files import tensors
from scalewright.sim.files.outputs import replacing, require_writable, write_json


def _write(path: Path, text: str = "new") -> None:
    with replacing(path) as scratch:
        scratch.write_text(text)


def test_what_a_killed_process_left_beside_an_output_goes(tmp_path: Path) -> None:
    left, held, young, other = (
        tmp_path / f".scalewright-{name}" for name in ("0" * 16, "1" * 16, "2" * 16, "else")
    )
    for path in (left, held, young, other):
        path.touch()
        if path != young:
            os.utime(path, (0, 0))
    with held.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with replacing(tmp_path / "out") as scratch:
            scratch.write_text("x")
    assert {path.name for path in tmp_path.iterdir()} == {
        "out", held.name, young.name, other.name
    }  # fmt: skip


def test_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "out.npz"
    path.write_text("old")

    def fail_half_way() -> None:
        with replacing(path) as scratch:
            scratch.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    assert path.read_text() == "old"
    assert [child.name for child in tmp_path.iterdir()] == ["out.npz"]


def test_checking_for_writability_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "new" / "out.npz"
    require_writable(path, None)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(IsADirectoryError):
        require_writable(tmp_path)


@pytest.mark.parametrize("mode", [0o600, 0o664, 0o755])
def test_keeps_the_mode_of_an_existing_file(mode: int, tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    path.write_text("old")
    path.chmod(mode)
    _write(path)
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert path.read_text() == "new"


def test_makes_files_that_the_mask_of_the_user_allows(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        _write(tmp_path / "out.json")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "out.json").stat().st_mode) == 0o640


def test_writes_through_a_chain_of_links_even_where_it_leads_to_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (tmp_path / "one").symlink_to("two")
    (tmp_path / "two").symlink_to(folder / "target")
    for text in ("first", "second"):
        _write(tmp_path / "one", text)
        assert (folder / "target").read_text() == text
        assert (tmp_path / "one").is_symlink()
        assert (tmp_path / "two").is_symlink()
        assert [child.name for child in folder.iterdir()] == ["target"]


def test_refuses_a_loop_of_links(tmp_path: Path) -> None:
    (tmp_path / "one").symlink_to("two")
    (tmp_path / "two").symlink_to("one")
    with pytest.raises(OSError, match=r"symbolic links: .*one'$"):
        require_writable(tmp_path / "one")


def test_gives_a_fifo_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    read: list[str] = []
    reader = Thread(target=lambda: read.append(path.read_text()))
    reader.start()
    write_json(path, [1])
    reader.join(10)
    assert read == ["[\n  1\n]\n"]
    assert stat.S_ISFIFO(path.stat().st_mode)


def test_refuses_a_read_only_file_even_to_root(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    path.write_text("old")
    path.chmod(0o444)
    with pytest.raises(PermissionError, match=r"out\.json: is read-only: make it writable or name"):
        _write(path)
    assert path.read_text() == "old"


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_a_full_disk_is_told_by_the_name_of_the_user(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"out{suffix}"
    path.symlink_to("/dev/full")
    with pytest.raises(OSError, match=rf"No space left on device: .*out{suffix}'$"):
        tensors.save(path, {}, {"why": "x" * 100_000})
    assert [child.name for child in tmp_path.iterdir()] == [path.name]


def test_a_long_name_that_the_file_system_takes_is_taken(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 255)
    _write(path)
    assert path.read_text() == "new"
    with pytest.raises(OSError, match="File name too long"):
        require_writable(tmp_path / ("x" * 256))


@pytest.mark.parametrize("how", ["same", "dots", "symlink", "hard link", "linked folder", "named"])
def test_an_output_that_is_an_input_is_refused_by_identity(how: str, tmp_path: Path) -> None:
    source = tmp_path / "x.npz"
    source.write_text("precious")
    output = tmp_path / "out.json"
    match how:
        case "same" | "named":
            output = source
        case "dots":
            output = tmp_path / ".." / tmp_path.name / "x.npz"
        case "symlink":
            output.symlink_to(source)
        case "hard link":
            output.hardlink_to(source)
        case "linked folder":
            (tmp_path / "folder").symlink_to(tmp_path)
            output = tmp_path / "folder" / "x.npz"
    given = f"{source}:w" if how == "named" else source
    with pytest.raises(ValueError, match=r": is the input .*x\.npz: write to another file$"):
        require_writable(output, inputs=[None, given])


@pytest.mark.parametrize("how", ["same", "dots", "symlink", "inside"])
def test_two_outputs_that_are_one_are_refused_before_they_are_there(
    how: str, tmp_path: Path
) -> None:
    one = tmp_path / "one.json"
    other = tmp_path / "other.json"
    match how:
        case "same":
            other = one
        case "dots":
            other = tmp_path / "." / "new" / ".." / "one.json"
        case "symlink":
            other.symlink_to(one)
        case "inside":
            other = one / "two.json"
    with pytest.raises(ValueError, match=r"another output goes to .*one\.json already"):
        require_writable(one, other)


def test_devices_keep_nothing_and_take_two_outputs() -> None:
    require_writable(Path("/dev/null"), Path("/dev/null"), inputs=["/dev/null"])


def test_a_reader_that_goes_is_told(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = Thread(target=lambda: path.open("rb").close())
    reader.start()
    with pytest.raises(OSError, match=r"pipe: its reader has gone$"):
        _write(path, "x" * 1_000_000)
    reader.join(10)
