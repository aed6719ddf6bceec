"""The notation in every command: where it stands, and what is said of what is none."""

from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from hypothesis import strategies as st

from scalewright.golden.config import DatapathConfig
from scalewright.sim.cli import COMMANDS
from scalewright.sim.cli.parameters.configuration import AccumulatorBits
from scalewright.sim.cli.parameters.notation import NotationOrPreset, suggestion
from scalewright.sim.cli.parameters.options import ClipType
from scalewright.sim.cli.parameters.sweep import Listed
from tests.tools.fuzzing import fuzzed
from tests.tools.shell import call

_WITHOUT = ", without per-vector scales"


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("W4A4", f"4/4/-/-{_WITHOUT}"),
        ("w4a8u", f"4/8U/-/-{_WITHOUT}"),
        ("A8W4", f"4/8/-/-{_WITHOUT}"),
        ("int4", f"4/4/-/-{_WITHOUT}"),
        ("INT4", f"4/4/-/-{_WITHOUT}"),
        ("uint8", f"8/8U/-/-{_WITHOUT}"),
        ("4", f"4/4/-/-{_WITHOUT}"),
        ("4-bit", f"4/4/-/-{_WITHOUT}"),
        ("4/4", f"4/4/-/-{_WITHOUT}"),
        ("4x8", f"4/8/-/-{_WITHOUT}"),
        ("4/4u/4/6", "4/4U/4/6"),
        ("4/U4/4/6", "4/4U/4/6"),
        ("4/4x/4/6", "4/4X/4/6"),
        ("4/X4/4/6", "4/4X/4/6"),
        ("w4a8x", f"4/8X/-/-{_WITHOUT}"),
        ("4/4X", f"4/4X/-/-{_WITHOUT}"),
        ("4/4UX/4/6", "4/4X/4/6: activations of either sign, U is for unsigned ones only"),
        ("4/4xu/-/-", "4/4X/-/-: activations of either sign, U is for unsigned ones only"),
        ("4X/4/4/6", "4/4/4/6: weights are signed"),
        ("4x4x4x6", "4/4/4/6"),
        ("4x4x-x6", "4/4/-/6"),
        ("4/4X4/6", "4/4/4/6"),
        ("4X", None),
        ("X", None),
        ("X/X/X/X", None),
        ("4U/4/4/6", "4/4/4/6: weights are signed"),
        ("4u/4u/4/6", "4/4U/4/6: weights are signed"),
        (" 4 / 4 / 4 / 6 ", "4/4/4/6"),
        ("4,4,4,6", "4/4/4/6"),
        ("8/8//", "8/8/-/-"),
        ("8/8/0/0", "8/8/-/-"),
        ("8/8/none/none", "8/8/-/-"),
        ("chip5nm", "chip-5nm"),
        ("Chip-5nm", "chip-5nm"),
        ("vs-quant-resnet", "vs-quant-resnet50"),
        ("9/9", None),
        ("zzz", None),
        ("", None),
        ("////", None),
        ("W" * 10_000, None),
    ],
)
def test_says_what_was_meant(text: str, meant: str | None) -> None:
    assert suggestion(text) == meant
    if meant is not None and "/" in meant:
        DatapathConfig.parse(meant.partition(",")[0].partition(":")[0])


def test_the_message_ends_in_the_suggestion(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("generate", "4/4u/4/6", "-o", "out.v") == 2
    assert capsys.readouterr().err == (
        "scalewright: notation must be W/A/ws/as, such as 4/4U/4/6 or 8/8/-/-, not '4/4u/4/6'; "
        "did you mean 4/4U/4/6?\n"
    )


_KINDS: tuple[click.ParamType[Any], ...] = (
    NotationOrPreset(),
    Listed(NotationOrPreset()),
    ClipType(),
    AccumulatorBits(),
)
_PIECES = (
    *"0123456789/-UuXxWwAa ,:.",
    *("4", "8", "16", "4/4", "/4/6", "int", "fp", "bit", "chip", "5nm", "vs-quant", "percentile:"),
    *("octav", "exact", "99.9", "1e9", "\x1b[2J", "\udcff", "\n", "٤", "²", "9" * 5000, "(" * 2000),
)


@fuzzed(
    "notations",
    150,
    kind=st.sampled_from(_KINDS),
    text=st.lists(st.sampled_from(_PIECES), max_size=9).map("".join) | st.text(),
)
def test_any_text_is_understood_or_refused(kind: click.ParamType[Any], text: str) -> None:
    meant = suggestion(text)
    if meant is not None and "/" in meant:
        DatapathConfig.parse(meant.partition(",")[0].partition(":")[0])
    try:
        kind.convert(text, None, None)
    except click.UsageError as error:
        assert error.message.isprintable()  # noqa: PT017 - none is as good


_BEFORE = {
    "generate": ("-o", "missing/out.txt"),
    "vectors": ("-o", "prose"),
    "regress": ("--top", "x"),
    "ppa": ("--cells", "prose"),
    "compare": ("none.npy", "none.npy"),
    "quantize": ("none.onnx", "--calibrate", "none.npy", "-o", "out.onnx"),
}


@pytest.mark.parametrize("command", _BEFORE)
def test_the_notation_is_an_argument_or_an_option_in_every_command(
    command: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("prose").write_text("")
    messages = []
    for notation in (["4/4/4/6"], ["--config", "4/4/4/6"]):
        # Both are understood, and then something else is wrong.
        assert call(command, *_BEFORE[command], *notation) == 2
        messages.append(capsys.readouterr().err)
    assert messages[0] == messages[1]
    assert "notation must" not in messages[0]
    assert call(command, *_BEFORE[command], "4/4/4/6", "--config", "4/4/4/6") == 2
    assert "NOTATION and --config mean the same" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["compare", "quantize", "vectors"])
def test_a_missing_notation_is_asked_for(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(command, *_BEFORE[command]) == 2
    assert "or argument NOTATION, such as 4/4U/4/6" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("generate", "Say where to write, as in -o build/mac.v"),
        ("vectors", "Say where to write, as in -o build/vectors"),
    ],
)
def test_a_missing_output_is_asked_for(
    command: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(command, "4/4/4/6") == 2
    assert capsys.readouterr().err.endswith(f"{message}\n")


def test_a_command_that_is_called_alike_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("genrate") == 2
    assert capsys.readouterr().err.endswith("Did you mean 'generate'?\n")


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        (((20, 3), (4, 20)), "transpose the weights, to (3, 20)"),
        (((3, 20), (20, 4)), "transpose the activations, to (4, 20)"),
    ],
)
def test_transposed_operands_are_recognized(
    shapes: tuple[tuple[int, int], tuple[int, int]],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, shape in zip("wa", shapes, strict=True):
        np.save(f"{name}.npy", np.ones(shape, np.float32))
    assert call("compare", "w.npy", "a.npy", "4/4/4/6") == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example_and_every_option_once(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(command, "--help") == 0
    lines = capsys.readouterr().out.splitlines()
    assert "  Example:" in lines
    assert any(line.startswith(f"    scalewright {command}") for line in lines)
    options = [line.split()[0] for line in lines if line.startswith("  -")]
    assert len(options) == len(set(options))
    assert "--json" in options


def test_help_of_blocks_has_a_section_for_each_set_of_blocks(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert call("generate", "--help") == 0
    titles = [line for line in capsys.readouterr().out.splitlines() if re_title(line)]
    assert titles[1:3] == ["Options:", "Datapath:"]
    assert "With --block octav:" in titles
    assert "Output:" in titles


def re_title(line: str) -> bool:
    return (line.endswith(":") and not line.startswith(" ")) or line.startswith("Usage:")
