import fcntl
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scalewright.sim.simulators import scratch
from scalewright.sim.simulators.scratch import scratch_folder, sweep

_KILLED = """
import os
from pathlib import Path
from scalewright.sim.simulators.scratch import scratch_folder
with scratch_folder(Path(".")) as folder:
    (folder / "file").write_text("")
    os._exit(9)
"""


@pytest.fixture(autouse=True)
def _forget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scratch, "_swept", set())


def test_is_gone_after_its_block_however_it_ends(tmp_path: Path) -> None:
    def work() -> None:
        with scratch_folder(tmp_path) as folder:
            (folder / "file").write_text("")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()
    assert not list(tmp_path.iterdir())


def test_what_a_killed_process_left_goes_and_what_is_in_use_stays(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", _KILLED], cwd=tmp_path, check=False)
    assert len(list(tmp_path.iterdir())) == 1
    (tmp_path / "users").mkdir()
    with scratch_folder(tmp_path) as first, scratch_folder(tmp_path) as second:
        assert sweep(tmp_path) == 0
        assert {path.name for path in tmp_path.iterdir()} == {first.name, second.name, "users"}
    assert [path.name for path in tmp_path.iterdir()] == ["users"]


def test_a_folder_that_was_taken_away_is_no_error(tmp_path: Path) -> None:
    with scratch_folder(tmp_path) as folder:
        shutil.rmtree(folder)


def test_all_are_removed_before_a_hard_end(tmp_path: Path) -> None:
    with scratch_folder(tmp_path) as folder:
        scratch.remove_all()
        assert not folder.exists()


def test_works_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(*arguments: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with scratch_folder(tmp_path) as folder:
        assert sweep(tmp_path) == 0
        assert folder.exists()
    assert not folder.exists()
