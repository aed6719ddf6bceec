"""Every command and every Python block of README and docs/, from top to bottom, page by page."""

import contextlib
import importlib.util
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from scalewright.sim.cli.commands import cli
from tests.docs.pages import PAGES, ROOT, Block, blocks_of, without_blocks

_ALL = os.environ.get("SCALEWRIGHT_TEST_DOCS") == "1"
_TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
# What must hold of the names that a page's Python blocks leave.
_HOLDS = {
    "README.md": "result.accumulators.shape == (32, 64)",
    "docs/pages/first-hour.md": "result.accumulators.shape == (32, 64)",
    "docs/pages/engine.md": "outcome.mismatch_count == 0 and not outcome.violations",
    "docs/pages/training.md": "0 <= float(accuracy) <= 1 and len(onnx_model.graph.node) > 0",
}

# What its commands must print: of images unlike those of training, nothing else would tell.
_SAYS = dict.fromkeys(
    ("README.md", "docs/pages/networks.md", "docs/pages/examples.md"),
    r"accuracy on 360 inputs: 9\d\.\d\d %",
)


def with_blocks() -> list[str]:
    return [page for page in PAGES if any(b.language in ("sh", "python") for b in blocks_of(page))]


def is_run(block: Block) -> bool:
    if "never" in block.kinds or ("on request" in block.kinds and not _ALL):
        return False
    return all(shutil.which(name) or importlib.util.find_spec(name) for name in block.needs)


def run_command(command: str) -> str:
    """Run a line of a shell; what `scalewright` prints."""
    words = shlex.split(command, comments=True)
    if not words:
        return ""
    if words[0] == "scalewright":
        result = CliRunner().invoke(cli, words[1:], standalone_mode=False)
        if result.exception is not None:
            raise AssertionError(f"{command}: {result.exception}") from result.exception
        assert not result.return_value, f"{command}: {result.output}"
        return result.output
    if words[0] == "python" and words[1].endswith(".py"):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", words[1:])
            runpy.run_path(words[1], run_name="__main__")
    else:
        assert words[0] in ("python", "make"), command
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        folder = ROOT if words[0] == "make" else None
        subprocess.run(words, cwd=folder, env={**os.environ, "PATH": path}, check=True)
    return ""


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder like a checkout's root, with a build folder of its own but for what is kept."""
    for name in ("golden", "hw", "sim", "examples", "docs", "Makefile", "pyproject.toml"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "build").mkdir()
    for kept in ("sim", "verilog"):
        (ROOT / "build" / kept).mkdir(parents=True, exist_ok=True)
        (tmp_path / "build" / kept).symlink_to(ROOT / "build" / kept)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("checkout")
@pytest.mark.parametrize("page", with_blocks())
def test_blocks_run_from_top_to_bottom(page: str) -> None:
    names: dict[str, Any] = {}
    skipped = False
    printed = ""
    for block in blocks_of(page):
        if not is_run(block):
            skipped = True
        elif block.language == "python":
            exec(compile(block.text, f"{page}:{block.line}", "exec"), names)
        elif block.language == "sh":
            for command in block.commands:
                printed += run_command(command)
    assert re.search(_SAYS.get(page, ""), printed), printed
    if page in _HOLDS and not (skipped and page == "docs/pages/training.md"):
        assert eval(_HOLDS[page], names)


def parse(words: list[str]) -> None:
    """Have click read a command's options, without running it; prose may leave some out."""
    command = cli.get_command(click.Context(cli), words[0])
    assert command is not None, f"no command {words[0]}"
    with pytest.MonkeyPatch.context() as patch:
        # Files that an earlier command would have written are not there: their types do not matter.
        for parameter in command.params:
            if isinstance(parameter.type, click.Path):
                patch.setattr(parameter.type, "exists", False)
        with contextlib.suppress(click.MissingParameter), command.make_context(words[0], words[1:]):
            pass


def commands_and_mentions(page: str) -> list[str]:
    found = [c for b in blocks_of(page) if b.language == "sh" for c in b.commands]
    mentions = re.findall(r"`((?:scalewright|make) [^`]+)`", without_blocks(page))
    return found + [m for m in mentions if not re.search(r"\b(COMMAND|FILE)\b|^make_", m)]


@pytest.mark.parametrize("page", PAGES)
def test_commands_and_their_options_exist(page: str) -> None:
    for command in commands_and_mentions(page):
        words = shlex.split(command, comments=True)
        if words and words[0] == "scalewright":
            parse(words[1:])
        elif words and words[0] == "make":
            targets = {word for word in words[1:] if "=" not in word}
            assert targets <= _TARGETS, command


@pytest.mark.parametrize(
    "command", ["scalewright generate 4/4U/4/6 --no-such -o x.v", "scalewright nothing"]
)
def test_a_command_that_does_not_exist_is_found(command: str) -> None:
    with pytest.raises((click.UsageError, AssertionError)):
        parse(shlex.split(command)[1:])


@pytest.mark.parametrize("command", ["scalewright generate 4/4/4 -o x.v", "pip install nothing"])
@pytest.mark.usefixtures("checkout")
def test_a_command_that_fails_is_found(command: str) -> None:
    with pytest.raises(AssertionError):
        run_command(command)
