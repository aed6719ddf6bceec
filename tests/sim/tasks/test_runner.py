"""Tasks on several workers: in order, and again where a worker is lost."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path

import pytest

from scalewright.golden.config import DatapathConfig
from scalewright.sim.regression.regress import Regression, regress
from scalewright.sim.simulators.toolchain import ToolError
from scalewright.sim.tasks import cluster
from scalewright.sim.tasks.processes import TRIES, Processes
from scalewright.sim.tasks.runner import LostError, Runner, runner_of


def square(number: int) -> tuple[int, int]:
    """A task that takes the longer the smaller its number is; and who did it."""
    time.sleep(0.05 if number % 4 == 0 else 0)
    return number * number, os.getpid()


def kill_once(folder: str) -> str:
    """A task that kills its worker, but only once."""
    if Path(folder).is_dir() and not (Path(folder) / "killed").exists():
        (Path(folder) / "killed").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return folder


def kill(number: int) -> int:
    """A task that kills its worker, if it is the third."""
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def refuse(number: int) -> int:
    """A task that may fail."""
    if number == 2:
        raise ValueError(f"number must not be {number}")
    return number


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Dask scheduler with two workers, processes of this machine."""
    pytest.importorskip("distributed", reason="needs Dask: pip install 'scalewright[cluster]'")
    folder = tmp_path_factory.mktemp("cluster")
    script = (
        "import sys, time; from distributed import LocalCluster\n"
        "if __name__ == '__main__':\n"
        "    cluster = LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None)\n"
        "    print(cluster.scheduler_address, flush=True); sys.stdin.read()\n"
    )
    (folder / "cluster.py").write_text(script)
    with subprocess.Popen(
        [sys.executable, "cluster.py"],
        cwd=folder,
        # The simulators of this tree.
        env={
            **os.environ,
            "PYTHONPATH": str(Path.cwd()),
            "SCALEWRIGHT_BUILD": str(Path.cwd() / "build"),
        },
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.stdin.close()


@pytest.fixture(params=["processes", "cluster"])
def runner(request: pytest.FixtureRequest) -> Iterator[Runner]:
    """Two workers of either kind."""
    address = None
    if request.param == "cluster":
        address = request.getfixturevalue("scheduler")
    with _begun(address) as made:
        yield made


def _begun(address: str | None) -> Runner:
    """A runner, once the workers that a test before has killed are there again."""
    deadline = time.monotonic() + 60
    while True:
        try:
            return runner_of(address, 2)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def test_results_come_in_order_from_other_processes(runner: Runner) -> None:
    results = list(runner.run(square, range(20)))
    assert [result for result, _ in results] == [number**2 for number in range(20)]
    workers = {pid for _, pid in results}
    assert os.getpid() not in workers
    assert len(workers) == 2


def test_items_need_no_end(runner: Runner) -> None:
    assert [result for result, _ in islice(runner.run(square, count()), 5)] == [0, 1, 4, 9, 16]


def test_the_tasks_of_a_lost_worker_run_again(runner: Runner, tmp_path: Path) -> None:
    items = ["a", "b", str(tmp_path), "c", "d", "e"]
    assert list(runner.run(kill_once, items)) == items
    assert (tmp_path / "killed").exists()


def test_a_task_that_kills_its_workers_is_given_up(runner: Runner) -> None:
    with pytest.raises(LostError):
        list(runner.run(kill, range(6)))


def test_an_error_comes_after_the_results_before_it(runner: Runner) -> None:
    results = runner.run(refuse, range(5))
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ValueError, match=r"^number must not be 2$"):
        next(results)


def test_regressions_give_the_same_wherever_they_run(scheduler: str) -> None:
    configs = [DatapathConfig.parse(f"2/{bits}U/-/-", vector_size=4) for bits in (2, 3, 4)]
    regressions = [Regression("vector-mac", config, 200, 7) for config in configs]
    verdicts = []
    for address in (None, scheduler):
        with runner_of(address, 2) as runner:
            verdicts.append(list(runner.run(regress, regressions)))
    here, there = verdicts
    assert here == there
    assert [verdict.regression for verdict in here] == regressions
    assert not any(verdict.failure for verdict in here)


def test_one_task_is_no_reason_to_start_a_process() -> None:
    with Processes(2) as alone:
        ((_, pid),) = alone.run(square, [3])
    assert pid == os.getpid()
    assert TRIES == 3


def test_nobody_at_the_address_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed", reason="needs Dask: pip install 'scalewright[cluster]'")
    monkeypatch.setattr(cluster, "_TIMEOUT", 1)
    with pytest.raises(ToolError, match=r"^no Dask scheduler answers at tcp://127.0.0.1:9: "):
        runner_of("tcp://127.0.0.1:9", 2)


def test_missing_dask_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ToolError, match=r"^--scheduler needs Dask: pip install 'scalewright"):
        runner_of("tcp://127.0.0.1:9", 2)
