"""What is installed: `scalewright` and nothing else, and it works beside any folders."""

import shutil
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[1]
_ROOMS = ("golden", "hw", "sim")


def _tracked() -> list[str]:
    return subprocess.run(
        ["git", "ls-files", *_ROOMS], cwd=_ROOT, capture_output=True, text=True, check=True
    ).stdout.split()


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the content of the wheel that is built of the files of the repository."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    for name in ("pyproject.toml", "README.md", "LICENSE", *_tracked()):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(_ROOT / name, source / name)
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--wheel-dir",
        str(folder),
    ]
    done = subprocess.run([*command, str(source)], capture_output=True, text=True, cwd=folder)
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
    folder = installed / "scalewright"
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert files == set(_tracked())


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
