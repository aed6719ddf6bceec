"""Tasks in processes on this machine."""

import logging
import multiprocessing
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import islice
from typing import Any

from scalewright.sim.simulators import process
from scalewright.sim.tasks.runner import Item, LostError, Result, Runner

# Times that a task is begun before it is blamed for the loss of its workers.
TRIES = 3


@dataclass
class _Begun:
    item: Any
    future: "Future[Any]"
    tries: int = 1


class Processes(Runner):
    """Processes on this machine, which end with this one.

    Args:
        jobs: How many.
    """

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs
        self._pool: ProcessPoolExecutor | None = None

    def run(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """The results, in the order of the items."""
        waiting = iter(items)
        first = list(islice(waiting, 2))
        if self._jobs == 1 or len(first) < 2:
            # Nothing to do beside it: no process is worth its start.
            yield from map(function, [*first, *waiting])
            return
        begun: deque[_Begun] = deque()
        for item in first:
            begun.append(_Begun(item, self._submit(function, item)))
        while begun:
            for item in islice(waiting, max(0, 2 * self._jobs - len(begun))):
                begun.append(_Begun(item, self._submit(function, item)))
            try:
                result = begun[0].future.result()
            except BrokenProcessPool:
                self._begin_again(function, begun)
                continue
            begun.popleft()
            yield result

    def close(self) -> None:
        """End the processes."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            for worker in multiprocessing.active_children():
                worker.terminate()
            self._pool = None

    def _submit(self, function: Callable[[Any], Result], item: Any) -> "Future[Result]":
        process.require_running()
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                self._jobs,
                # Not by fork: this process has threads.
                mp_context=multiprocessing.get_context("spawn"),
                initializer=_begin,
                initargs=(logging.getLogger("scalewright").isEnabledFor(logging.INFO),),
            )
        try:
            return self._pool.submit(function, item)
        except BrokenProcessPool:
            self.close()
            return self._submit(function, item)

    def _begin_again(self, function: Callable[[Any], Any], begun: deque[_Begun]) -> None:
        """Do again what a lost process, which takes the others with it, has left undone."""
        self.close()
        for task in begun:
            if not task.future.done() or task.future.exception() is not None:
                if task.tries == TRIES:
                    raise LostError(f"a worker was lost {TRIES} times at {task.item}")
                task.tries += 1
                task.future = self._submit(function, task.item)


def _begin(talkative: bool) -> None:
    """Prepare a worker: it ends when it is told to, with all that it has started."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    process.end_at_once_on_sigterm()
    if talkative:
        logger = logging.getLogger("scalewright")
        logger.setLevel(logging.INFO)
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("%(message)s"))
        logger.addHandler(handler)
