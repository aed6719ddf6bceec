"""The log of a soak: a line of JSON for what it is, and one for each task that was done.

A soak that is started again with the same log goes on where it was.
"""

import json
from pathlib import Path
from typing import Any

from scalewright.sim.soak.task import Done


class LogError(ValueError):
    """The log cannot be that of this soak."""


class SoakLog:
    """Reads what was done, and adds what is being done.

    Args:
        path: The file; made where there is none.
        soak: What says which soak this is, ready for JSON.

    Attributes:
        done: What was done before, in order.

    Raises:
        LogError: The file is something else, or the log of another soak.
        OSError: It cannot be read or written.
    """

    def __init__(self, path: Path, soak: dict[str, Any]) -> None:
        self._path = path
        self.done: list[Done] = []
        text = path.read_text() if path.exists() else ""
        # The last line, where its writer was killed.
        whole, _, rest = text.rpartition("\n")
        lines = whole.splitlines()
        if not lines:
            if rest:
                raise LogError(f"{path} is no log of a soak: choose another --log")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{json.dumps({'soak': soak})}\n")
            return
        try:
            begun = json.loads(lines[0])["soak"]
            self.done = [Done(**json.loads(line)) for line in lines[1:]]
        except (ValueError, TypeError, KeyError) as error:
            raise LogError(f"{path} is no log of a soak: choose another --log") from error
        if begun != soak:
            name = next(key for key in sorted({*begun, *soak}) if begun.get(key) != soak.get(key))
            raise LogError(
                f"{path} is the log of a soak with {name} {begun.get(name)}, not "
                f"{soak.get(name)}: choose another --log"
            )
        if rest:
            path.write_text(f"{whole}\n")

    def add(self, done: Done) -> None:
        """Add what was done."""
        with self._path.open("a") as file:
            file.write(f"{json.dumps(done.as_dict())}\n")
        self.done.append(done)
