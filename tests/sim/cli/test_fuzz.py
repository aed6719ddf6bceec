"""Command lines of any arguments: done, or one line that says what is wrong."""

import contextlib
import functools
import io
import os
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from hypothesis import event, note
from hypothesis import strategies as st

from scalewright.hw.engine import Engine
from scalewright.hw.verilog import generate
from scalewright.sim.bench import design
from scalewright.sim.blocks import design_of
from scalewright.sim.cli import COMMANDS
from scalewright.sim.cli import generate as generate_module
from scalewright.sim.cli import regress as regress_module
from scalewright.sim.cli.commands import cli
from scalewright.sim.cli.parameters.options import OutputPath
from scalewright.sim.datasheet.area import BASELINE
from scalewright.sim.simulators.toolchain import ToolError
from tests.oracles.onnx_models import model, onnx, uniform
from tests.tools.fuzzing import VARIABLE, fuzzed
from tests.tools.shell import call

_WEIGHTS = ("w.npy", "both.npz:w", "all.safetensors:w")
_INPUTS = ("x.npy", "both.npz:x", "all.safetensors:x")
_METHODS = ("max", "octav", "mse", "percentile:99")
_VALUES = {
    "weights": _WEIGHTS,
    "tensor": _WEIGHTS,
    "activations": _INPUTS,
    "inputs": _INPUTS,
    "calibration": _INPUTS,
    "labels": ("labels.npy",),
    "float_model": ("net.onnx",),
    "bits": ("2", "4", "8"),
    "clip": _METHODS,
    "scaling": ("nearest", "ceil", "paper"),
    "vectors_per_sum": ("1", "9"),
    "name": ("mac", "other"),
    "plot": ("out.png", "out.svg"),
    "area_file": ("measured.json",),
}
# Outputs, by what stands in the help.
_OUTPUTS = {"FILE.v": "out.v", "FILE.onnx": "out.vsq.onnx", "FOLDER": "folder", "--json": "a.json"}
_NOTATIONS = ("4/4/4/6", "2/2U/-/-", "8/8/-/-", "4/4U/4/6", "3/5/2/-", "4/4/-/-")
# Small, that what is legal is soon done.
_NUMBERS = ("4", "8", "4", "8", "1", "2", "16", "20")
_HOSTILE = (
    "", " ", "-", "--", "-1", "0", "65", "1e9", "nan", "inf", "0x10", "١٦", "9" * 5000, "99" * 12,
    ".", "..", "/", "/dev/null", "/dev/full", "none.npy", "none/none.npy", "w.npy:a", "both.npz",
    "both.npz:", ":w", "all.safetensors:w:w", "prose", "prose.npy", "prose.npz", "prose.onnx",
    "prose.safetensors", "prose.json", "out.png", "a b.json", "ü.npz", "\x1b[2J", "\udcff",
    "\u202ex", "x\ny", "W4A4", "4/4", "4/4u/4/6", "4U/4/4/6", "4/4/4/6/8", "9/9/9/9", "chip-5nm",
    "chip5nm", "percentile:", "percentile:101", "percentile:9e9", "exact", ",", ",,", "4,", "=",
    "--config", "--json", "--out", "--help", "-h", "--no-such", "-o", "-x", "x" * 5000,
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A working folder with some files, on a machine without a compiler."""
    folder = tmp_path_factory.mktemp("fuzz")
    weights, inputs = uniform(1, 3, 8), uniform(2, 5, 8)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name in ("HOME", "PATH", "SCALEWRIGHT_BUILD"):
            patch.setenv(name, str(folder / "none"))
        patch.setattr(generate_module, "design_of", functools.cache(design_of))
        patch.setattr(regress_module, "run", _without_compiler)
        if VARIABLE not in os.environ:
            patch.setattr(design, "generate", _generate)
        np.save("w.npy", weights)
        np.save("x.npy", inputs)
        np.save("labels.npy", np.zeros(5, np.int64))
        np.savez("both.npz", w=weights, x=inputs)
        from safetensors.numpy import save_file

        save_file({"w": weights, "x": inputs}, "all.safetensors")
        Path("measured.json").write_bytes(BASELINE.read_bytes())
        onnx.save(model("8->3", "y = Gemm(x, w)", {"w": uniform(3, 8, 3)}), "net.onnx")
        quantized = ("net.onnx", "--calibrate", "x.npy", "4/4/4/6", "-o", "q.vsq.onnx")
        assert call("quantize", *quantized) == 0
        for name in ("prose", "prose.npy", "prose.npz", "prose.onnx", "prose.safetensors"):
            Path(name).write_text("no such file")
        Path("prose.json").write_text("[" * 100_000)
        yield folder


def _without_compiler(*_: Any) -> None:
    raise ToolError("no compiler here")


_generate_all: Callable[..., str] = generate


def _generate(component: Any, **options: Any) -> str:
    """The Verilog of a component, but of an engine, of seconds, a text without contents."""
    if not isinstance(component, Engine):
        return _generate_all(component, **options)
    component._MustUse__used = True  # or Amaranth warns of it
    return "\n"


def _value(parameter: click.Parameter, command: str, dice: random.Random) -> str:
    """What is legal for a parameter, more or less, or, one time in twenty, what is not."""
    kind, name = parameter.type, str(parameter.name)
    legal: Sequence[str] = (*_INPUTS, *_METHODS)
    if dice.random() < 0.05:
        legal = _HOSTILE
    elif isinstance(kind, click.Choice):
        legal = [str(choice) for choice in kind.choices]
    elif isinstance(kind, OutputPath):
        likely = _OUTPUTS.get(str(getattr(parameter, "metavar", "")), "out.npz")
        legal = [_OUTPUTS.get(parameter.opts[0], likely)]
    elif name in _VALUES:
        legal = _VALUES[name]
    elif name == "model":
        legal = ["net.onnx" if command == "quantize" else "q.vsq.onnx"]
    elif "integer" in kind.name:
        legal = _NUMBERS
    elif "notation" in kind.name:
        legal = _NOTATIONS
    return dice.choice(legal)


def _words(seed: int) -> list[str]:
    """A command line, all of its parts as likely as it says here, which hypothesis does not give.

    Options are taken seldom, sometimes or often: legal lines are mostly short.
    """
    dice = random.Random(seed)
    name = dice.choice(COMMANDS)
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    groups = []
    daring = dice.choice([0.02, 0.08, 0.25])
    for parameter in command.params:
        if isinstance(parameter, click.Argument):
            if dice.random() < 0.92:
                groups.append([_value(parameter, name, dice)])
        elif dice.random() < (0.97 if parameter.required else daring):
            flag = dice.choice([*parameter.opts, *parameter.secondary_opts])
            is_flag = isinstance(parameter, click.Option) and parameter.is_flag
            groups.append([flag] if is_flag else [flag, _value(parameter, name, dice)])
    if dice.random() < 0.05:
        groups.append([dice.choice(_HOSTILE)])
        dice.shuffle(groups)
    return [name, *(word for group in groups for word in group)]


@fuzzed("command lines", 150, seed=st.integers(0, (1 << 64) - 1))
def test_a_command_line_is_done_or_refused_in_one_line(seed: int, folder: Path) -> None:
    assert Path.cwd() == folder
    words = _words(seed)
    note(f"scalewright {words}")
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = call(*words)
    event(f"{words[0]}: exit status {status}")  # for --hypothesis-show-statistics
    said = err.getvalue()
    assert status in (0, 2), said
    assert all(line.isprintable() for line in [*out.getvalue().split("\n"), *said.split("\n")])
    complaints = [line for line in said.splitlines() if line.startswith("scalewright: ")]
    if status == 2 and "Hardware cannot be simulated." not in out.getvalue():
        assert len(complaints) == 1, said
        assert len(complaints[0]) < 2100
        assert said.endswith(f"{complaints[0]}\n")
    else:
        assert not complaints
    assert not list(folder.glob(".*"))
