import os
import tempfile
from pathlib import Path

import pytest

from scalewright.sim.simulators.place import build_folder, plain_build_folder


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SCALEWRIGHT_BUILD", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.chdir(tmp_path)


def test_builds_go_to_build_in_the_working_folder() -> None:
    assert build_folder("sim") == Path("build/sim")
    assert Path("build/sim").is_dir()


def test_the_environment_names_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCALEWRIGHT_BUILD", str(tmp_path / "a # $b ' ü"))
    assert build_folder("ppa") == tmp_path / "a # $b ' ü" / "ppa"
    assert not Path("build").exists()


def test_a_folder_named_in_vain_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SCALEWRIGHT_BUILD", str(tmp_path / "file"))
    message = r"file/sim cannot be written: Not a directory; set SCALEWRIGHT_BUILD to another one$"
    with pytest.raises(OSError, match=message):
        build_folder("sim")


def test_from_a_folder_that_cannot_be_written_they_go_to_the_users_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # For root as well, nothing can be made here.
    monkeypatch.chdir("/proc")
    assert build_folder("sim") == tmp_path / "home" / ".cache" / "scalewright" / "sim"


def test_a_build_folder_of_somebody_else_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("build").mkdir()
    access = os.access

    def not_here(path: Path, mode: int) -> bool:
        return path.is_absolute() and access(path, mode)

    monkeypatch.setattr(os, "access", not_here)
    assert build_folder("sim").is_relative_to(tmp_path / "home")


def test_without_a_home_they_go_to_a_temporary_folder_of_ones_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/proc/none")
    monkeypatch.chdir("/proc")
    folder = build_folder("sim").parent
    assert folder == tmp_path / f"scalewright-{os.getuid()}"
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_temporary_folder_that_others_may_write_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/proc/none")
    monkeypatch.chdir("/proc")
    folder = tmp_path / f"scalewright-{os.getuid()}"
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.raises(OSError, match=r"is open to other users: set SCALEWRIGHT_BUILD to"):
        build_folder("sim")
    folder.rmdir()
    folder.symlink_to(tmp_path)
    with pytest.raises(OSError, match=r"is open to other users"):
        build_folder("sim")


def test_yosys_gets_a_plain_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert plain_build_folder("ppa") == Path("build/ppa")
    for name in ("a b", "#", "$x", "it's", "ü", "a\\b"):
        monkeypatch.setenv("SCALEWRIGHT_BUILD", str(tmp_path / name))
        assert plain_build_folder("ppa") == tmp_path / f"scalewright-{os.getuid()}" / "ppa"
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "a b"))
    with pytest.raises(OSError, match=r"Yosys takes no such path; set SCALEWRIGHT_BUILD"):
        plain_build_folder("ppa")
