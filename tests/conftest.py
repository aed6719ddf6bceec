"""Settings of the whole suite."""

import gc
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.tools import fuzzing

# The same examples every time: a failure in CI is a failure at home. No deadline: the first call
# of a NumPy function is slow.
settings.register_profile("scalewright", derandomize=True, deadline=None, max_examples=150)
settings.load_profile("scalewright")

_PROPERTY = "inputs of the fuzz target "


def pytest_collection_finish() -> None:
    """Keep what is there from being looked through for garbage again and again."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Note how many inputs a fuzz target had; a report takes it from a worker to the summary."""
    before = dict(fuzzing.counts)
    try:
        yield
    finally:
        for target, count in fuzzing.counts.items():
            if count > before.get(target, 0):
                item.user_properties.append((_PROPERTY + target, count - before.get(target, 0)))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many inputs all targets had together."""
    counts: dict[str, int] = {}
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, count in getattr(report, "user_properties", ()):
                if getattr(report, "when", "") == "call" and name.startswith(_PROPERTY):
                    target = name.removeprefix(_PROPERTY)
                    counts[target] = counts.get(target, 0) + count
    if counts:
        terminalreporter.section("fuzzed inputs")
        for target, count in counts.items():
            terminalreporter.line(f"{target}: {count:,}")
        terminalreporter.line(f"in all: {sum(counts.values()):,}")
