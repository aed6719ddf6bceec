"""Tasks on a Dask cluster: farms of LSF, Slurm and others by dask-jobqueue."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

from scalewright.sim.bench.design import source_digest
from scalewright.sim.simulators.toolchain import ToolError
from scalewright.sim.tasks.runner import Item, LostError, Result, Runner

# Seconds until a scheduler must have answered.
_TIMEOUT = 10
_MISSING = "--scheduler needs Dask: pip install 'scalewright[cluster]'"


class Cluster(Runner):
    """The workers of a Dask scheduler, each with this version of Scalewright.

    Args:
        address: Of the scheduler.

    Raises:
        ToolError: Dask is not installed, nobody answers, or a worker has another Scalewright.
    """

    def __init__(self, address: str) -> None:
        try:
            from distributed import Client
        except ImportError:
            raise ToolError(_MISSING) from None
        try:
            self._client = Client(address, timeout=_TIMEOUT)
        except (OSError, ValueError) as error:
            reason = str(error).partition("\n")[0]
            raise ToolError(f"no Dask scheduler answers at {address}: {reason}") from None
        self._check_workers(address)

    def run(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """The results, in the order of the items."""
        from distributed import KilledWorker

        waiting = iter(items)
        begun: deque[Any] = deque()
        while True:
            window = 2 * max(1, sum(self._client.nthreads().values()))
            for item in islice(waiting, max(0, window - len(begun))):
                # Not pure: the same item twice is two tasks.
                begun.append(self._client.submit(function, item, pure=False))
            if not begun:
                return
            try:
                # Dask gives the tasks of a lost worker to another one.
                result: Result = begun[0].result()
            except KilledWorker as error:
                raise LostError(str(error).partition("\n")[0]) from None
            begun.popleft()
            yield result

    def close(self) -> None:
        """Give up what has not been begun; the workers stay."""
        self._client.close()

    def _check_workers(self, address: str) -> None:
        workers = self._client.run(source_digest)
        if not workers:
            raise ToolError(f"the Dask scheduler at {address} has no workers")
        others = [name for name, digest in workers.items() if digest != source_digest()]
        if others:
            raise ToolError(f"another Scalewright is installed on the worker {others[0]}")
