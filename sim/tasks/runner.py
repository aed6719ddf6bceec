"""What runs independent tasks, and which one."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Self, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class LostError(Exception):
    """A task was begun several times, and each time its worker was lost."""


class Runner(ABC):
    """Runs a function on many items, several at a time."""

    @abstractmethod
    def run(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """The results, in the order of the items; each as soon as those before it are there.

        Items, of which there may be no end, are taken as workers become free. The task of a worker
        that is lost is run again.

        Args:
            function: What to do; workers import it by name.
            items: What to do it with.

        Raises:
            LostError: Workers were lost again and again.
            Exception: What the function raises; results before it have come.
        """

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @abstractmethod
    def close(self) -> None:
        """Give up what has not been begun, and let the workers go."""


def runner_of(scheduler: str | None, jobs: int) -> Runner:
    """The cluster of a scheduler; without one, so many processes on this machine.

    Args:
        scheduler: Address of a Dask scheduler, such as `tcp://10.0.0.1:8786`.
        jobs: Tasks at a time on this machine.

    Raises:
        ToolError: Dask is not installed, or nobody answers at the address.
    """
    if scheduler is None:
        from scalewright.sim.tasks.processes import Processes

        return Processes(jobs)
    from scalewright.sim.tasks.cluster import Cluster

    return Cluster(scheduler)
