"""What is installed: `scalewright` and nothing else, and it works beside any folders."""

import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[1]
_ROOMS = ("golden", "hw", "sim")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the content of the wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder]
    done = subprocess.run([*command, _ROOT], capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0, done.stderr
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def test_every_folder_is_a_package_of_the_list() -> None:
    listed = tomllib.loads((_ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    folders = {
        ".".join(("scalewright", *file.parent.relative_to(_ROOT).parts))
        for room in _ROOMS
        for file in (_ROOT / room).rglob("*.py")
    }
    assert sorted(listed) == sorted(folders)


def test_wheel_has_one_name_and_every_file(installed: Path) -> None:
    tops = {path.name.partition("-")[0] for path in installed.iterdir()}
    assert tops == {"scalewright"}
    tracked = subprocess.run(
        ["git", "ls-files", *_ROOMS], cwd=_ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    missing = [name for name in tracked if not (installed / "scalewright" / name).is_file()]
    assert missing == []


def test_wheel_works_beside_folders_of_the_same_names(installed: Path, tmp_path: Path) -> None:
    for room in (*_ROOMS, "scalewright"):
        (tmp_path / room).mkdir()
        (tmp_path / room / "__init__.py").write_text("raise SystemExit('not this one')\n")
    # Without site, and so without the editable installation that tests run from.
    script = (
        f"import sys; sys.path += {[str(installed), sysconfig.get_paths()['purelib']]!r}; "
        "from scalewright.sim.cli import main; main()"
    )
    for words in (["generate", "4/4U/4/6", "-o", "mac.v"], ["--version"]):
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", script, *words],
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
    assert "module vector_mac (" in (tmp_path / "mac.v").read_text()
