import hashlib
import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from scalewright.golden.config import DatapathConfig
from scalewright.sim.blocks import design_of
from scalewright.sim.execution.vectors import hexadecimal, write_vectors
from scalewright.sim.simulators.toolchain import find_toolchain
from scalewright.sim.stimulus import vector_pairs as stimulus
from scalewright.sim.testbenches.vector_mac import INPUT, OUTPUT, golden, pack_results

_CONFIG = DatapathConfig.parse("4/4U/4/6", vector_size=4, scale_product_bits=6)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    design = design_of("vector-mac", _CONFIG)
    stream = stimulus.everything(_CONFIG, 500, np.random.default_rng(0))
    result, _ = golden(stream, _CONFIG)
    write_vectors(
        tmp_path,
        design,
        design.codec(INPUT).pack(stream),
        pack_results(design.codec(OUTPUT), result),
        {"seed": "0"},
    )
    return tmp_path


def test_manifest_tells_what_the_files_are(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["description"]["configuration"]["notation"] == "4/4U/4/6"
    for name, digest in manifest["sha256"].items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    assert len((folder / "inputs.hex").read_text().splitlines()) == manifest["inputs"]
    assert len((folder / "results.hex").read_text().splitlines()) == manifest["results"]


def _replay(folder: Path) -> str:
    """Run the written testbench, without cocotb."""
    toolchain = find_toolchain()
    environment = toolchain.environment(dict(os.environ))
    # The C++ flags are what GCC asks for where Verilator was built with another compiler.
    flags = ["--binary", "--timing", "-Wno-fatal", "-CFLAGS", "-std=c++20 -fcoroutines"]
    subprocess.run(
        [
            str(toolchain.verilator / "verilator"),
            *flags,
            "--top-module",
            "replay",
            "vector_mac.v",
            "replay.v",
        ],
        cwd=folder,
        env=environment,
        check=True,
        capture_output=True,
    )
    done = subprocess.run(
        ["obj_dir/Vreplay"], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_plays_in_plain_verilog_and_sees_a_wrong_result(folder: Path) -> None:
    assert "\nPASS\n" in _replay(folder)
    lines = (folder / "results.hex").read_text().splitlines()
    lines[7] = f"{int(lines[7], 16) ^ 1:0{len(lines[7])}x}"
    (folder / "results.hex").write_text("\n".join(lines) + "\n")
    output = subprocess.run(["obj_dir/Vreplay"], cwd=folder, capture_output=True, text=True).stdout
    assert "result 7: want" in output
    assert "1 mismatches\nFAIL" in output


@pytest.mark.parametrize(("width", "want"), [(12, b"201\n00f\n"), (9, b"201\n00f\n")])
def test_hexadecimal_has_as_many_digits_as_the_word(width: int, want: bytes) -> None:
    words = np.array([[0x01, 0x02], [0x0F, 0x00]], np.uint8)
    assert hexadecimal(words, width) == want
