"""Speed of the tools: `python -m scalewright.sim.reports.speed`.

Ratios, each of two measurements taken in turn in one run: the compiled player against a bare loop
and against cocotb, cocotb's testbench against a bare loop, golden's matrix product against NumPy's
in float32, and quantization against the least that NumPy can do, one multiplication and one
rounding; and how long simulators take to build.
"""

from scalewright.sim.cli.program.launch import launch

# First of all: imports may fail, too.
if __name__ == "__main__":
    launch("scalewright.sim.reports.speed", "main")


from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import click
import numpy as np

from scalewright.golden.config import DatapathConfig, OperandFormat
from scalewright.golden.mac import matmul
from scalewright.golden.quantize import quantize
from scalewright.sim.cli.parameters.options import json_option, progress_bar
from scalewright.sim.cli.program.table import Table
from scalewright.sim.files.outputs import require_writable, write_json
from scalewright.sim.reports import simulation_speed
from scalewright.sim.reports.measurement import Measurement

_REPEATS = 9


def matrix_product(notation: str, wanted: str, **options: Any) -> list[Measurement]:
    """Milliseconds of golden's (512, 1024) x (512, 1024) against numpy.matmul in float32."""
    config = DatapathConfig.parse(notation, **options)
    rng = np.random.default_rng(0)
    w = rng.standard_normal((512, 1024), dtype=np.float32)
    a = rng.standard_normal((512, 1024), dtype=np.float32)
    weights = quantize(w, config.weights, vector_size=16, coarse_axis=0)
    activations = quantize(a, config.activations, vector_size=16)
    yardstick, measured = _milliseconds(
        lambda: np.matmul(a, w.T), lambda: matmul(weights, activations, config)
    )
    name = f"matmul {config}, P={config.rounded_scale_product_bits}, C={config.accumulator_bits}"
    return [Measurement(name, "ms", yardstick, measured, measured / yardstick, wanted)]


def quantization() -> Measurement:
    """Milliseconds of quantizing 4096 x 4096 in two levels against numpy.rint(x * c)."""
    x = np.random.default_rng(0).standard_normal((4096, 4096), dtype=np.float32)
    fmt = OperandFormat(element_bits=4, scale_bits=4)
    c = np.float32(3)
    yardstick, measured = _milliseconds(
        lambda: np.rint(x * c).astype(np.int8),
        lambda: quantize(x, fmt, vector_size=16, coarse_axis=0),
    )
    return Measurement(
        "quantize 4096 x 4096, V=16, 4/4", "ms", yardstick, measured, measured / yardstick, "<= 2.5"
    )


def _milliseconds(*calls: Callable[[], object]) -> list[float]:
    """Best of several runs of each call, in turn."""
    best = [float("inf")] * len(calls)
    for _ in range(_REPEATS):
        for index, call in enumerate(calls):
            started = perf_counter()
            call()
            best[index] = min(best[index], 1000 * (perf_counter() - started))
    return best


@click.command()
@json_option
def main(json_file: Path | None) -> None:
    """Measure, and print a table."""
    require_writable(json_file)
    products: list[tuple[str, str, dict[str, int]]] = [
        ("8/8/-/-", "<= 3", {"accumulator_bits": 32}),
        ("4/4/4/6", "<= 3", {}),
        ("4/8/6/10", "<= 3", {"accumulator_bits": 40}),
        ("4/4/4/6", "<= 15", {"scale_product_bits": 6}),
        ("4/8/6/10", "<= 15", {"scale_product_bits": 8, "accumulator_bits": 16}),
    ]
    measurements: list[Measurement] = []
    mac, engine = simulation_speed.mac(), simulation_speed.engine()
    steps: tuple[Callable[[], list[Measurement]], ...] = (
        lambda: simulation_speed.measure("MAC", *mac, ">= 0.6", ">= 8"),
        lambda: simulation_speed.measure("engine", *engine, ">= 0.85", ">= 2"),
        lambda: [simulation_speed.cocotb_loop(*mac)],
        lambda: simulation_speed.build_times("MAC", mac[0]),
        lambda: simulation_speed.build_times("engine", engine[0]),
        *(partial(matrix_product, name, wanted, **more) for name, wanted, more in products),
        lambda: [quantization()],
    )
    with progress_bar("measurements", len(steps)) as advance:
        for measure in steps:
            measurements += measure()
            advance(1)
    table = Table("what", "unit", "yardstick", "measured", "ratio", "wanted")
    for each in measurements:
        table.add(*vars(each).values())
    table.print()
    write_json(json_file, [vars(each) for each in measurements])
