"""What `generate` writes beside the Verilog, in process."""

import json
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from scalewright.sim.cli.generate import generate
from scalewright.sim.ppa.measure import BLOCKS as MEASURED_BLOCKS
from tests.tools.linters import ICARUS, verilator

_OCTAV = ("--block", "octav", "--lanes", "2", "--depth", "16", "--sample-bits", "8")
_ENGINE = ("4/4U/4/6", "--block", "engine", "--lanes", "4", "--depth", "8", "--vector-size", "4")
_EITHER_SIGN = ("4/4X/4/6", *_ENGINE[1:])


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(generate, arguments, standalone_mode=False)


def done(*arguments: str) -> Result:
    result = run(*arguments)
    assert result.exception is None, result.exception
    return result


@pytest.mark.parametrize("style", ["fields", "payload"])
@pytest.mark.parametrize(
    "words", [("4/4U/4/6",), ("4/4X/4/6",), ("8/8/-/-",), _OCTAV, _ENGINE, _EITHER_SIGN], ids=str
)
def test_template_compiles_in_a_module(words: tuple[str, ...], style: str, folder: Path) -> None:
    done(*words, "--name", "block_under_test", "--ports", style, "-o", "block.v")
    description = json.loads(Path("block.json").read_text())
    template = Path("block_template.vh").read_text()
    for path, stream in description["streams"].items():
        for field in stream["fields"]:
            assert f" block_under_test_{path}_{field['name']};" in template
    top = (
        "/* verilator lint_off UNDRIVEN */\n/* verilator lint_off UNUSEDSIGNAL */\n"
        "module user(input clk, input rst);\n" + template + "endmodule\n"
    )
    Path("user.v").write_text(Path("block.v").read_text() + top)
    assert verilator(folder / "user.v", "user") == ""
    if ICARUS is not None:
        command = [ICARUS, "-g2005", "-s", "user", "-o", "user.vvp", "user.v"]
        assert subprocess.run(command, capture_output=True, text=True).stderr == ""


def test_everything_written_is_named() -> None:
    result = done("chip-5nm", "-o", "build/mac.v", "--json", "out.json")
    written = ["mac.json", "mac.md", "mac.v", "mac_template.vh"]
    assert sorted(path.name for path in Path("build").iterdir()) == written
    results = json.loads(Path("out.json").read_text())
    for name, key in zip(written, ("description", "datasheet", "verilog", "template"), strict=True):
        assert f"build/{name}" in result.stdout
        assert results[key] == f"build/{name}"
    assert results["summary"] in result.stdout
    assert result.stderr.startswith("Next: scalewright regress 4/4/8/8 --vector-size 64 ")


def test_datasheet_has_ports_fields_timing_and_area() -> None:
    done("chip-5nm", "-o", "mac.v")
    page = Path("mac.md").read_text()
    for port in json.loads(Path("mac.json").read_text())["ports"]:
        assert f"| `{port['name']}` | {port['direction']} | {port['width']} |" in page
    assert "| `weight_scale` | 519:512 | 1 | 8 | no | 0 | 255 |" in page
    assert "| `weights` | 255:0 | 64 | 4 | yes | -8 | 7 |" in page
    assert "- Latency: 2 cycles from the transfer of `last` to the result." in page
    assert "- Throughput: 1 vector pair per cycle." in page
    assert "```text\ncycle" in page
    assert "| osu018_stdcells | 189,098 | 4.63 |" in page  # of the presets, it comes along


def test_datasheet_and_template_say_what_tells_the_sign() -> None:
    done("4/4X/4/6", "-o", "mac.v")
    assert "| `activations` | 127:64 | 16 | 4 | where `activation_signed` is 1 | -8 or 0 |" in (
        Path("mac.md").read_text()
    )
    assert "16 x 4 bits, signed where activation_signed is 1;" in (
        Path("mac_template.vh").read_text()
    )
    done("4/4X/4/6", "--block", "engine", "--lanes", "4", "-o", "engine.v")
    streams = json.loads(Path("engine.json").read_text())["streams"]
    flags = {
        (path, field["name"]): field["signed_by"]
        for path, stream in streams.items()
        for field in stream["fields"]
        if "signed_by" in field
    }
    assert flags == {
        ("activations", "elements"): "signed",
        ("results", "elements"): "output_signed",
    }


def test_area_comes_from_a_file_of_the_users() -> None:
    done("4/4/4/4", "-o", "mac.v")
    assert "Not measured. This measures it" in Path("mac.md").read_text()
    subject = {"block": "vector-mac", "config": "4_4_4_4_v16_c24"}
    figures = {"area": 1234.0, "critical_path": 3.21, "energy": 5.6, "subject": subject}
    Path("area.json").write_text(json.dumps({"library": "mine", "measurements": [figures]}))
    done("4/4/4/4", "-o", "mac.v", "--area", "area.json")
    assert "| mine | 1,234 | 3.21 | 5.6 |" in Path("mac.md").read_text()


def test_own_files_are_written_again_and_are_the_same() -> None:
    done("4/4/4/6", "-o", "mac.v")
    before = {path.name: path.read_bytes() for path in Path().iterdir()}
    done("4/4/4/6", "-o", "mac.v")
    assert {path.name: path.read_bytes() for path in Path().iterdir()} == before


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("mac.json", '{"mine": 1}\n'),
        ("mac.json", "[]\n"),
        ("mac_template.vh", "// mine\n"),
        ("mac.md", "# My notes\n"),
        ("mac.md", "\n<!-- written by scalewright generate -->\n"),
    ],
)
def test_files_of_the_users_are_kept(name: str, text: str) -> None:
    Path(name).write_text(text)
    error = run("4/4/4/6", "-o", "mac.v").exception
    assert isinstance(error, ValueError)
    assert str(error).startswith(f"{name}: is there, and was not written by scalewright: ")
    assert [path.name for path in Path().iterdir()] == [name]
    assert Path(name).read_text() == text


@pytest.mark.parametrize(
    ("words", "text", "message"),
    [
        (("4/4/4/6",), "{}", "area.json: not what `scalewright ppa --json` writes"),
        (
            ("4/4/4/6",),
            '{"library": "l", "measurements": []}',
            "area.json: has no vector-mac 4_4_4_6_v16_c24",
        ),
        (_OCTAV, "{}", "--area area.json: only vector-mac and rescaler are measured, not octav"),
    ],
)
def test_area_that_does_not_fit_is_refused(words: tuple[str, ...], text: str, message: str) -> None:
    Path("area.json").write_text(text)
    error = run(*words, "-o", "mac.v", "--area", "area.json").exception
    assert isinstance(error, ValueError)
    assert str(error).startswith(message)
    assert not Path("mac.v").exists()


def test_measured_blocks_are_those_of_ppa() -> None:
    assert {"vector-mac", "rescaler"} <= set(MEASURED_BLOCKS)
