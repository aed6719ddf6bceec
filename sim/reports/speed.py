"""Speed of the tools: `python -m scalewright.sim.reports.speed`.

Three ratios, each of two measurements taken in turn in one run: the simulation harness against a
bare loop, golden's matrix product against NumPy's in float32, and quantization against the least
that NumPy can do, one multiplication and one rounding.
"""

from scalewright.sim.cli.program.launch import launch

# First of all: imports may fail, too.
if __name__ == "__main__":
    launch("scalewright.sim.reports.speed", "main")


from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import click
import numpy as np

from scalewright.golden.config import DatapathConfig, OperandFormat
from scalewright.golden.mac import matmul
from scalewright.golden.quantize import quantize
from scalewright.sim.bench import bare_loop, testbench
from scalewright.sim.bench.plan import Phase
from scalewright.sim.blocks import design_of
from scalewright.sim.cli.parameters.options import json_option, progress_bar
from scalewright.sim.cli.program.table import Table
from scalewright.sim.files.outputs import require_writable, write_json
from scalewright.sim.simulators.build import build
from scalewright.sim.simulators.simulation import simulate
from scalewright.sim.stimulus import vector_pairs as stimulus
from scalewright.sim.testbenches.vector_mac import INPUT, OUTPUT, golden, pack_results

_SIMULATED_VECTORS = 200_000
_REPEATS = 9


@dataclass(frozen=True)
class Measurement:
    """Two figures and their ratio.

    Attributes:
        name: What is measured.
        unit: Unit of the figures.
        yardstick: The figure to compare with.
        measured: Ours.
        ratio: Ours over the yardstick's.
        wanted: What the ratio should be.
    """

    name: str
    unit: str
    yardstick: float
    measured: float
    ratio: float
    wanted: str


def harness(vectors: int = _SIMULATED_VECTORS) -> Measurement:
    """Cycles per second of the harness, with every result compared, against a bare loop."""
    config = DatapathConfig.parse("4/4/4/6")
    built = build(design_of("vector-mac", config))
    stream = stimulus.random(config, vectors, np.random.default_rng(0))
    result, _ = golden(stream, config)
    phase = Phase(
        name="benchmark",
        inputs={INPUT: built.design.codec(INPUT).pack(stream)},
        expected={OUTPUT: pack_results(built.design.codec(OUTPUT), result)},
    )
    rates: dict[str, list[float]] = {bare_loop.__name__: [], testbench.__name__: []}
    for _ in range(3):
        for module, measured in rates.items():
            run = simulate(built, [phase], test_module=module)
            assert run.failure is None
            measured.append(run.outcomes[0].cycles / run.outcomes[0].seconds)
    bare, ours = (max(measured) for measured in rates.values())
    return Measurement("harness / bare loop", "cycles/s", bare, ours, ours / bare, ">= 0.6")


def matrix_product(notation: str, wanted: str, **options: Any) -> Measurement:
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
    return Measurement(name, "ms", yardstick, measured, measured / yardstick, wanted)


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
    with progress_bar("measurements", len(products) + 2) as advance:
        steps: tuple[Callable[[], Measurement], ...] = (
            harness,
            *(partial(matrix_product, name, wanted, **more) for name, wanted, more in products),
            quantization,
        )
        for measure in steps:
            measurements.append(measure())
            advance(1)
    table = Table("what", "unit", "yardstick", "measured", "ratio", "wanted")
    for each in measurements:
        table.add(*vars(each).values())
    table.print()
    write_json(json_file, [vars(each) for each in measurements])
