"""Standard output and error that take any text, and may be closed."""

import io
import os
import sys
from typing import Any


def prepare() -> None:
    """Make standard output and error fit for any text and any reader.

    What an encoding lacks is written as an escape. Where the reader has gone, as behind `| head`,
    the work goes on and the text is dropped: what else a command writes, and its exit status, do
    not depend on who reads. Where a descriptor is closed, it becomes the null device, lest a file
    take its place.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest that is free
    if sys.stdout is sys.__stdout__:
        sys.stdout = _stream(sys.stdout, 1, "standard output")
    if sys.stderr is sys.__stderr__:
        sys.stderr = _stream(sys.stderr, 2, "standard error")


def flush() -> None:
    """Write what is buffered.

    Raises:
        OSError: Standard output is a file on a full disk.
    """
    if sys.stdout is not None:
        sys.stdout.flush()


def _stream(old: Any, descriptor: int, name: str) -> io.TextIOWrapper:
    if old is not None:
        old.flush()
    encoding = getattr(old, "encoding", None) or "utf-8"
    raw = _Patient(descriptor, name)
    # Errors come at once, and only once.
    return io.TextIOWrapper(
        io.BufferedWriter(raw), encoding, errors="backslashreplace", line_buffering=True
    )


class _Patient(io.RawIOBase):
    """A descriptor that drops what nobody reads any more."""

    def __init__(self, descriptor: int, title: str) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._title = title

    @property
    def name(self) -> str:
        return f"<{self._title}>"

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)

    def writable(self) -> bool:
        return True

    def write(self, octets: Any, /) -> int:
        try:
            return os.write(self._descriptor, octets)
        except BrokenPipeError:
            self._drop()
        except OSError as error:
            self._drop()
            if self._descriptor == 1:
                raise OSError(error.errno, error.strerror, self._title) from None
        return len(octets)

    def _drop(self) -> None:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, self._descriptor)
        os.close(null)
