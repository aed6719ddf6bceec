import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from scalewright.sim.simulators import process, watchdog
from scalewright.sim.simulators.process import ending_on_signals
from tests.tools.fake_compiler import fake_compiler

_SLEEPS = 'echo $$ > "{file}"; sleep 60 & wait'

# Two workers of a pool, which compute for a minute.
_POOL = """
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from scalewright.sim.simulators.process import ending_on_signals

if __name__ == "__main__":
    with ending_on_signals(), ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        futures = [pool.submit(time.sleep, 60) for _ in range(4)]
        while not any(future.running() for future in futures):
            time.sleep(0.01)
        Path("started").write_text(" ".join(str(pid) for pid in pool._processes))
        futures[0].result()
"""

# Is interrupted where Python passes no exception on.
_FINALIZER = """
import os, signal, time, weakref
from scalewright.sim.simulators.process import ending_on_signals

class Dropped:
    pass

def interrupt(dropped):
    os.kill(os.getpid(), signal.SIGINT)

signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell has what runs in the background ignore it
with ending_on_signals():
    dropped = Dropped()
    {way}
    try:
        del dropped
        time.sleep(1)
    except KeyboardInterrupt:
        print("interrupted")
"""


class _Failing:
    def __del__(self) -> None:
        raise ZeroDivisionError


def _command(folder: Path, compiler: Path) -> subprocess.Popen[bytes]:
    """A small regression of one design, with this compiler; what it prints goes to `said`."""
    with (folder / "said").open("w") as said:
        return subprocess.Popen(
            [
                *(sys.executable, "-m", "scalewright.sim.cli", "regress", "2/3U/-/-"),
                *("--vector-size", "4", "--vectors", "10"),
            ],
            cwd=folder,
            env={**os.environ, "CXX": str(compiler), "SCALEWRIGHT_QUIET": "1"},
            stdout=said,
            stderr=said,
            # Where the tests run in the background, a shell has them ignore it.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )


def _wait_for(file: Path) -> list[int]:
    """The process numbers that a file says, once it is there."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if file.exists() and file.read_text().strip():
            return [int(word) for word in file.read_text().split()]
        time.sleep(0.02)
    raise TimeoutError(f"{file} never came")


def _is_running(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    try:
        return stat.read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _is_group(group: int) -> bool:
    """Whether any process of a group still runs; zombies do not."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, itself = stat.read_text().rpartition(")")[2].split()[:3]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if itself == str(group) and state != "Z":
            return True
    return False


@pytest.mark.parametrize("at", ["compiler", "simulator"])
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_all_that_was_started(
    number: int, status: int, at: str, tmp_path: Path
) -> None:
    sleeps = _SLEEPS.format(file=tmp_path / "started")
    script = {"compiling": sleeps} if at == "compiler" else {"program": sleeps}
    running = _command(tmp_path, fake_compiler(tmp_path / "g++", **script))
    (pid,) = _wait_for(tmp_path / "started")
    sent = time.monotonic()
    running.send_signal(number)
    assert running.wait(10) == status
    assert time.monotonic() - sent < 2
    assert (tmp_path / "said").read_text().strip() == "scalewright: interrupted"
    assert not _is_running(pid)
    assert not list(tmp_path.glob("build/**/scratch-*"))


def test_a_program_that_minds_no_signal_is_ended_too(tmp_path: Path) -> None:
    program = f"trap '' TERM INT; echo $$ > '{tmp_path}/started'; while :; do sleep 0.1; done"
    running = _command(tmp_path, fake_compiler(tmp_path / "g++", program=program))
    (pid,) = _wait_for(tmp_path / "started")
    sent = time.monotonic()
    running.terminate()
    assert running.wait(10) == 143
    assert time.monotonic() - sent < 2
    assert not _is_running(pid)


def test_a_signal_ends_the_workers_of_a_pool(tmp_path: Path) -> None:
    (tmp_path / "pool.py").write_text(_POOL)
    running = subprocess.Popen([sys.executable, "pool.py"], cwd=tmp_path, stderr=subprocess.DEVNULL)
    workers = _wait_for(tmp_path / "started")
    sent = time.monotonic()
    running.terminate()
    assert running.wait(10) == 143
    assert time.monotonic() - sent < 2
    assert not any(_is_running(pid) for pid in workers)


@pytest.mark.parametrize(
    "way", ["Dropped.__del__ = interrupt", "reference = weakref.ref(dropped, interrupt)"]
)
def test_an_interrupt_in_a_finalizer_is_not_lost(way: str, tmp_path: Path) -> None:
    (tmp_path / "finalizer.py").write_text(_FINALIZER.format(way=way))
    done = subprocess.run(
        [sys.executable, "finalizer.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "interrupted\n", "")


def test_what_else_a_finalizer_raises_is_told() -> None:
    told: list[object] = []
    before, sys.unraisablehook = sys.unraisablehook, told.append
    try:
        with ending_on_signals():
            _Failing()
    finally:
        sys.unraisablehook = before
    assert [type(each.exc_value) for each in told] == [ZeroDivisionError]  # type: ignore[attr-defined]


@pytest.mark.parametrize("at", ["compiler", "simulator"])
def test_all_that_was_started_ends_with_a_killed_process(at: str, tmp_path: Path) -> None:
    sleeps = _SLEEPS.format(file=tmp_path / "started")
    script = {"compiling": sleeps} if at == "compiler" else {"program": sleeps}
    running = _command(tmp_path, fake_compiler(tmp_path / "g++", **script))
    (pid,) = _wait_for(tmp_path / "started")
    group = os.getpgid(pid)
    running.kill()
    running.wait()
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and (_is_running(pid) or _is_group(group)):
        time.sleep(0.02)
    assert not _is_running(pid)
    assert not _is_group(group)


def test_a_program_that_has_ended_is_no_longer_watched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(watchdog, "_tell", told.append)
    process.run(["sh", "-c", "echo $$ > pid"], tmp_path)
    pid = (tmp_path / "pid").read_text()
    assert told == [f"+{pid}", f"-{pid}"]


def test_the_workers_of_a_pool_end_with_a_killed_process(tmp_path: Path) -> None:
    initialized = 'get_context("spawn"), initializer=end_with_parent'
    script = _POOL.replace('get_context("spawn")', initialized).replace(
        "import ending_on_signals",
        "import ending_on_signals\nfrom scalewright.sim.simulators.watchdog import end_with_parent",
    )
    (tmp_path / "pool.py").write_text(script)
    running = subprocess.Popen([sys.executable, "pool.py"], cwd=tmp_path, stderr=subprocess.DEVNULL)
    workers = _wait_for(tmp_path / "started")
    running.kill()
    running.wait()
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and any(_is_running(pid) for pid in workers):
        time.sleep(0.02)
    assert not any(_is_running(pid) for pid in workers)


def test_what_a_killed_process_leaves_goes_with_the_next_run(tmp_path: Path) -> None:
    sleeps = _SLEEPS.format(file=tmp_path / "started")
    running = _command(tmp_path, fake_compiler(tmp_path / "g++", compiling=sleeps))
    (pid,) = _wait_for(tmp_path / "started")
    running.kill()
    running.wait()
    while _is_running(pid):  # the watchdog ends it
        time.sleep(0.02)
    assert list(tmp_path.glob("build/sim/scratch-*"))
    fake_compiler(tmp_path / "g++")
    for _ in range(2):
        # The second of these runs builds nothing.
        assert _command(tmp_path, tmp_path / "g++").wait(20) == 2
        assert not list(tmp_path.glob("build/**/scratch-*"))
        (tmp_path / "build" / "sim" / "scratch-0").mkdir()


def test_an_exception_ends_the_program(tmp_path: Path) -> None:
    def watch() -> None:
        if (tmp_path / "started").exists():
            raise KeyboardInterrupt

    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        process.run(["sh", "-c", "touch started; sleep 60"], tmp_path, watch=watch)
    assert time.monotonic() - started < 5


def test_returns_what_was_printed_and_how_it_ended(tmp_path: Path) -> None:
    done = process.run(["sh", "-c", "echo one; echo two >&2; exit 3"], tmp_path)
    assert (done.status, done.printed, done.manner) == (3, "one\ntwo\n", "ended with exit status 3")
    done = process.run(["sh", "-c", "kill -SEGV $$"], tmp_path)
    assert (done.status, done.manner) == (-signal.SIGSEGV, "was ended by SIGSEGV")
    # Bytes that are no text do not matter.
    assert process.run(["printf", "\\377"], tmp_path).printed == "\ufffd"


def test_the_first_complaint_stands_for_all_that_was_printed(tmp_path: Path) -> None:
    def complaint(script: str) -> str:
        return process.run(["sh", "-c", script], tmp_path).complaint

    assert complaint("echo a; echo b: ERROR: c; echo d: error") == "b: ERROR: c"
    assert complaint("echo a; echo b; echo") == "b"
    assert complaint("exit 4") == "ended with exit status 4"


def test_programs_read_nothing_from_the_terminal(tmp_path: Path) -> None:
    assert process.run(["cat"], tmp_path).printed == ""


def test_a_program_that_is_missing_is_an_error() -> None:
    with pytest.raises(FileNotFoundError, match=r"^no-such-program: no such command$"):
        process.run(["no-such-program"])
