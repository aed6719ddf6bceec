"""Writes stimulus and expectations as $readmemh files, for users of other simulators."""

import hashlib
import json
from pathlib import Path
from string import Template
from typing import Any

import numpy as np

from scalewright.sim.bench.codec import Words
from scalewright.sim.bench.design import Design
from scalewright.sim.files.outputs import replacing
from scalewright.sim.testbenches.vector_mac import INPUT, OUTPUT

_TESTBENCH = Path(__file__).with_name("replay.v.in")


def vector_files(folder: Path, design: Design) -> list[Path]:
    """The files that `write_vectors` writes."""
    names = ("inputs.hex", "results.hex", f"{design.module}.v", "replay.v", "manifest.json")
    return [folder / name for name in names]


def write_vectors(
    folder: Path, design: Design, inputs: Words, results: Words, source: dict[str, Any]
) -> dict[str, Any]:
    """Write a design, words for its input, the results expected, and a testbench to play them.

    Args:
        folder: Where to: `inputs.hex`, `results.hex`, the Verilog, `replay.v`, `manifest.json`.
        design: The design.
        inputs: Words (T, B) of the input stream.
        results: Words (R, B) expected of the output stream.
        source: Where the words come from, for the manifest.

    Returns:
        The manifest.

    Raises:
        OSError: The folder cannot be written.
    """
    testbench = Template(_TESTBENCH.read_text()).substitute(
        module=design.module,
        inputs=len(inputs),
        results=len(results),
        input_high=design.codec(INPUT).width - 1,
        result_high=design.codec(OUTPUT).width - 1,
    )
    files = {
        "inputs.hex": hexadecimal(inputs, design.codec(INPUT).width),
        "results.hex": hexadecimal(results, design.codec(OUTPUT).width),
        f"{design.module}.v": design.verilog.encode(),
        "replay.v": testbench.encode(),
    }
    manifest = {
        "description": design.description,
        "source": source,
        "inputs": len(inputs),
        "results": len(results),
        "packing": "one word a line, hexadecimal, in order; fields as under description.streams",
        "run": f"iverilog -g2012 -s replay -o replay.vvp {design.module}.v replay.v && "
        "vvp replay.vvp",
        "sha256": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
    }
    files["manifest.json"] = (json.dumps(manifest, indent=2) + "\n").encode()
    for path in vector_files(folder, design):
        with replacing(path) as scratch:
            scratch.write_bytes(files[path.name])
    return manifest


def hexadecimal(words: Words, width: int) -> bytes:
    """Words (T, B) as lines of hexadecimal digits, the most significant first."""
    digits = -(-width // 4)
    octets = np.ascontiguousarray(words[:, ::-1])
    lines = np.frombuffer(octets.tobytes().hex().encode(), np.uint8).reshape(len(words), -1)
    ended = np.full((len(words), digits + 1), ord("\n"), np.uint8)
    ended[:, :digits] = lines[:, -digits:]
    return ended.tobytes()
