"""Faults put into the functions that describe hardware, to see whether tests see them."""

import inspect
import textwrap
from collections.abc import Callable
from types import FunctionType
from typing import Any, TypeAlias

import pytest

from scalewright.hw.primitives.shared import shared
from scalewright.sim.bench import design

# A function that describes hardware, what is replaced in its source, and by what.
Fault: TypeAlias = tuple[Callable[..., Any], str, str]


def insert_fault(fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a fault into a function, wherever it has been imported to."""
    function, sound, faulty = fault
    function = inspect.unwrap(function)  # of `shared`
    assert isinstance(function, FunctionType)
    source = textwrap.dedent(inspect.getsource(function))
    assert source.count(sound) == 1, f"{source.count(sound)} times {sound} in\n{source}"
    made: dict[str, Any] = {}
    exec(source.replace(sound, faulty), {**function.__globals__, "shared": shared}, made)
    monkeypatch.setattr(function, "__code__", inspect.unwrap(made[function.__name__]).__code__)
    # Builds are found by the sources: those with the fault are others.
    monkeypatch.setattr(design, "source_digest", lambda: f"{function.__qualname__} {faulty}")
