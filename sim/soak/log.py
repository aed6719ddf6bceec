"""The log of a soak: a line of JSON for what it is, and one for each task that was done.

A soak that is started again with the same log goes on where it was.
"""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

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
        # A pipe or a device is written, and has nothing to go on with.
        text = path.read_text() if path.is_file() else ""
        # The last line may lack its end: its writer was killed.
        whole = text[: text.rfind("\n") + 1]
        if text:
            self._read(whole.splitlines(), soak)
        if whole != text:
            path.write_text(whole)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a")
        if not text:
            self._write({"soak": soak})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, done: Done) -> None:
        """Add what was done.

        Raises:
            OSError: It cannot be written.
        """
        self._write(done.as_dict())
        self.done.append(done)

    def _write(self, line: dict[str, Any]) -> None:
        try:
            print(json.dumps(line), file=self._file, flush=True)
        except OSError as error:
            with suppress(OSError):
                self._file.close()
            raise OSError(error.errno, error.strerror, str(self._path)) from None

    def _read(self, lines: list[str], soak: dict[str, Any]) -> None:
        path = self._path
        try:
            begun = json.loads(lines[0])["soak"]
            self.done = [Done(**json.loads(line)) for line in lines[1:]]
        except (ValueError, TypeError, KeyError, IndexError) as error:
            raise LogError(f"{path} is no log of a soak: choose another --log") from error
        for name in sorted({*begun, *soak}):
            if begun.get(name) != soak.get(name):
                raise LogError(
                    f"{path} is the log of a soak with {name} {begun.get(name)}, not "
                    f"{soak.get(name)}: choose another --log"
                )
