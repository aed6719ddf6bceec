import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from scalewright.golden.config import DatapathConfig
from scalewright.sim.bench.plan import Phase
from scalewright.sim.blocks import design_of
from scalewright.sim.simulators.build import Build, BuildError, build
from scalewright.sim.simulators.cache import discard, fault, first, keep, kept_text
from scalewright.sim.simulators.simulation import SimulationError, simulate
from scalewright.sim.simulators.toolchain import find_toolchain
from tests.tools.fake_compiler import fake_compiler

_DESIGN = design_of("vector-mac", DatapathConfig.parse("2/3U/-/-", vector_size=4))
_PHASE = Phase(name="none", inputs={}, expected={"o": np.zeros((1, 4), np.uint8)})


@pytest.fixture
def compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Sets a compiler that takes no time, and a cache that is empty."""

    def set_compiler(**scripts: str) -> Path:
        compiler = fake_compiler(tmp_path / "compiler", **scripts)
        monkeypatch.setenv("CXX", str(compiler))
        find_toolchain.cache_clear()
        return compiler

    monkeypatch.setenv("SCALEWRIGHT_BUILD", str(tmp_path / "build"))
    set_compiler()
    return set_compiler


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    find_toolchain.cache_clear()
    yield
    find_toolchain.cache_clear()


@pytest.fixture
def built(compiler: Callable[..., Path]) -> Build:
    return build(_DESIGN)


_KEY = "0123456789abcdef" * 4


def test_a_text_is_written_once_and_again_where_it_is_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SCALEWRIGHT_BUILD", str(tmp_path))
    written: list[int] = []

    def write() -> str:
        written.append(len(written))
        return f"module {len(written)};"

    assert [kept_text(_KEY, write) for _ in range(2)] == ["module 1;"] * 2
    assert kept_text(_KEY[::-1], write) == "module 2;"
    (file,) = tmp_path.glob(f"verilog/design-{_KEY[:16]}/design.v")
    _truncate(file)
    assert kept_text(_KEY, write) == "module 3;"
    assert "has 8 bytes in design.v, not 9: building it again" in capsys.readouterr().err
    assert [kept_text(_KEY, write) for _ in range(2)] == ["module 3;"] * 2


def test_a_text_is_written_where_nothing_can_be_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCALEWRIGHT_BUILD", "/proc/none")
    assert kept_text(_KEY, lambda: "module") == "module"


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def _change(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (_truncate, "has 16 bytes in vector_mac, not 17"),
        (lambda path: path.write_bytes(b""), "has 0 bytes in vector_mac, not 17"),
        (_change, "has another vector_mac than was built"),
        (lambda path: path.chmod(0o644), "has vector_mac, which may not be executed"),
        (lambda path: path.unlink(), "is incomplete"),
        (lambda path: (path.parent / "contents.json").write_text("{"), "is incomplete"),
        (lambda path: (path.parent / "contents.json").unlink(), "is incomplete"),
    ],
)
def test_a_damaged_simulator_is_built_again_once_and_says_so(
    damage: Callable[[Path], object],
    words: str,
    built: Build,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = built.program.read_bytes()
    damage(built.program)
    again = build(_DESIGN)
    said = f"scalewright: {built.folder} {words}: building it again\n"
    assert capsys.readouterr().err == said
    assert again == built
    assert again.program.read_bytes() == before
    assert os.access(again.program, os.X_OK)
    build(_DESIGN)
    assert capsys.readouterr().err == ""


def test_a_damaged_run_time_library_is_built_again(
    built: Build, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (runtime,) = tmp_path.glob("build/sim/runtime-*")
    (runtime / "verilated.o").write_bytes(b"")
    discard(built.folder)
    build(_DESIGN)
    assert f"{runtime} has 0 bytes in verilated.o" in capsys.readouterr().err
    assert fault(runtime) is None


def test_damage_right_after_the_build_is_an_error(
    compiler: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scalewright.sim.simulators.build.fault", lambda folder: "is damaged")
    with pytest.raises(BuildError, match=r"is damaged, though it has just been built"):
        build(_DESIGN)


def test_a_compiler_that_makes_nothing_is_an_error(
    compiler: Callable[..., Path], tmp_path: Path
) -> None:
    compiler().write_text("#!/bin/sh\necho 1.0\n")
    with pytest.raises(BuildError, match=r"^vector_mac does not build, see \S+: "):
        build(_DESIGN)


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("echo last words; kill -SEGV $$", "was ended by SIGSEGV"),
        ("echo last words; exit 7", "ended with exit status 7"),
        ("echo last words", "ended with exit status 0"),
    ],
)
def test_a_simulator_that_breaks_off_says_how_and_its_last_words(
    program: str, words: str, compiler: Callable[..., Path]
) -> None:
    compiler(program=program)
    built = build(_DESIGN)
    with pytest.raises(SimulationError) as caught:
        simulate(built, [_PHASE])
    assert str(caught.value) == (
        f"the simulation broke off: {built.program} {words}, and printed:\nlast words"
    )


def test_a_simulator_that_cannot_be_started_is_an_error(built: Build) -> None:
    built.program.write_bytes(b"\x7fELF")
    with pytest.raises(SimulationError, match=r"vector_mac cannot be started: Exec format error$"):
        simulate(built, [_PHASE])


def test_the_compiler_and_its_version_are_in_the_key(
    compiler: Callable[..., Path], built: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = compiler()
    other.write_text(other.read_text().replace("fake 1.0", "fake 1.1"))
    find_toolchain.cache_clear()
    newer = build(_DESIGN)
    moved = other.rename(tmp_path / "elsewhere")
    monkeypatch.setenv("CXX", str(moved))
    find_toolchain.cache_clear()
    assert len({built.folder, newer.folder, build(_DESIGN).folder}) == 3


@pytest.mark.parametrize(
    "name", ["CXXFLAGS", "CPPFLAGS", "LDFLAGS", "MAKEFLAGS", "OBJCACHE", "CPATH", "VERILATOR_ROOT"]
)
def test_flags_of_the_environment_do_not_reach_a_build(
    name: str, compiler: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    compiler(compiling=f'env > "{tmp_path}/seen"; echo "$@" >> "{tmp_path}/seen"')
    monkeypatch.setenv(name, "-no-such-flag")
    build(_DESIGN)
    assert "no-such-flag" not in (tmp_path / "seen").read_text()


def test_links_stay_links(tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "target")
    keep(tmp_path, tmp_path / "kept", ["link"])
    assert (tmp_path / "kept" / "link").readlink() == tmp_path / "target"
    assert fault(tmp_path / "kept") is None
    (tmp_path / "target").rmdir()
    assert fault(tmp_path / "kept") is not None


def test_one_at_a_time_makes_what_is_missing_and_the_others_find_it(tmp_path: Path) -> None:
    folder, makers = tmp_path / "library", []

    def make(number: int) -> None:
        with first(folder):
            if not folder.exists():
                makers.append(number)
                time.sleep(0.05)
                folder.mkdir()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(make, range(4)))
    assert len(makers) == 1
    assert list(tmp_path.iterdir()) == [folder]


def test_threads_that_want_the_same_simulator_build_it_once(
    compiler: Callable[..., Path], tmp_path: Path
) -> None:
    said = tmp_path / "compiled"
    compiler(compiling=f"case \"$*\" in *Vtop__ALL.cpp*) echo once >> '{said}';; esac")
    with ThreadPoolExecutor(3) as pool:
        builds = set(pool.map(lambda _: build(_DESIGN).folder, range(3)))
    assert len(builds) == 1
    assert said.read_text() == "once\n"
