"""Clipping methods against each other: `python -m scalewright.sim.reports.clipping_speed`.

Their true error against the exact optimum on large tensors and on single vectors, and their speed.
"""

from scalewright.sim.cli.program.launch import launch

# First of all: imports may fail, too.
if __name__ == "__main__":
    launch("scalewright.sim.reports.clipping_speed", "main")


from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any, TypeVar

import click
import numpy as np
import numpy.typing as npt

from scalewright.golden.clipping import max_threshold, octav_threshold
from scalewright.golden.config import OperandFormat
from scalewright.golden.mse import mean_squared_error, mse_optimal, mse_sweep
from scalewright.sim.cli.parameters.options import json_option, progress_bar
from scalewright.sim.cli.program.table import Table
from scalewright.sim.files.outputs import require_writable, write_json
from scalewright.sim.reports.clipping import compare_methods

T = TypeVar("T")

_BITS = (3, 4, 6)
_VECTOR_SIZES = (16, 64)
_SPEED_DISTRIBUTIONS = ("Gaussian", "Gaussian, 1e-4 at 50 sigma")


def _with_outliers(rng: np.random.Generator, size: int) -> npt.NDArray[np.float64]:
    x = rng.standard_normal(size)
    x[rng.random(size) < 1e-4] *= 50
    return x


DISTRIBUTIONS: dict[str, Callable[[np.random.Generator, int], npt.NDArray[np.float64]]] = {
    "Gaussian": lambda rng, n: rng.standard_normal(n),
    "Laplace": lambda rng, n: rng.laplace(size=n),
    "Student t3": lambda rng, n: rng.standard_t(3, n),
    "Gaussian, 1e-4 at 50 sigma": _with_outliers,
    "70 % zeros + Laplace": lambda rng, n: rng.laplace(size=n) * (rng.random(n) < 0.3),
}


def large_tensors(samples: int, advance: Callable[[int], None]) -> list[dict[str, Any]]:
    """Errors of every method relative to the optimum, for each distribution and width."""
    rows = []
    for name, draw in DISTRIBUTIONS.items():
        x = draw(np.random.default_rng(0), samples).astype(np.float32)[None]
        for bits in _BITS:
            choices = compare_methods(x, OperandFormat(element_bits=bits))
            rows.append(
                {
                    "distribution": name,
                    "bits": bits,
                    "ratios": {c.method: c.mean_mse / choices[0].mean_mse for c in choices},
                    "seconds": {c.method: c.seconds for c in choices},
                }
            )
            advance(1)
    return rows


def small_vectors(count: int, advance: Callable[[int], None]) -> list[dict[str, Any]]:
    """Mean error of Gaussian vectors with a threshold each, relative to the optimum."""
    rows = []
    for size in _VECTOR_SIZES:
        x = np.random.default_rng(0).standard_normal((count, size), dtype=np.float32)
        for bits in _BITS:
            fmt = OperandFormat(element_bits=bits)
            started = perf_counter()
            optimal = mse_optimal(x, fmt)
            seconds = perf_counter() - started
            least = mean_squared_error(x, fmt, optimal).mean()
            octav = mean_squared_error(x, fmt, octav_threshold(x, fmt).thresholds)
            largest = mean_squared_error(x, fmt, max_threshold(x, fmt))
            rows.append(
                {
                    "vector_size": size,
                    "bits": bits,
                    "octav": float(octav.mean() / least),
                    "max": float(largest.mean() / least),
                    "octav_loses": float(100 * np.mean(octav > largest)),
                    "optimal_seconds": seconds,
                }
            )
            advance(1)
    return rows


def speed(advance: Callable[[int], None]) -> list[dict[str, Any]]:
    """OCTAV to its fixed point against the sweep of 100, on 4096 x 4096 at 4 bits."""
    fmt = OperandFormat(element_bits=4)
    rows = []
    for name in _SPEED_DISTRIBUTIONS:
        drawn = DISTRIBUTIONS[name](np.random.default_rng(0), 4096 * 4096)
        x = drawn.astype(np.float32).reshape(4096, 4096)
        for per, groups in (("tensor", x.reshape(1, -1)), ("row", x)):
            octav_seconds, octav = _best(partial(octav_threshold, groups, fmt), 3)
            sweep_seconds, sweep = _best(partial(mse_sweep, groups, fmt), 1)
            octav_mse = mean_squared_error(groups, fmt, octav.thresholds).mean()
            rows.append(
                {
                    "distribution": name,
                    "per": per,
                    "octav_seconds": octav_seconds,
                    "sweep_seconds": sweep_seconds,
                    "speedup": sweep_seconds / octav_seconds,
                    "mse_ratio": float(octav_mse / mean_squared_error(groups, fmt, sweep).mean()),
                }
            )
            advance(1)
    return rows


def _best(call: Callable[[], T], repeats: int) -> tuple[float, T]:
    best = float("inf")
    for _ in range(repeats):
        started = perf_counter()
        result = call()
        best = min(best, perf_counter() - started)
    return best, result


def _text(value: object, form: str) -> object:
    return format(value, form) if isinstance(value, float) else value


@click.command()
@click.option("--samples", type=click.IntRange(min=100), default=1_000_000, show_default=True)
@click.option("--vectors", type=click.IntRange(min=10), default=65_536, show_default=True)
@json_option
def main(samples: int, vectors: int, json_file: Path | None) -> None:
    """Measure, and print three tables."""
    require_writable(json_file)
    total = len(DISTRIBUTIONS) * len(_BITS) + len(_VECTOR_SIZES) * len(_BITS)
    total += 2 * len(_SPEED_DISTRIBUTIONS)
    with progress_bar("measurements", total) as advance:
        results = {
            "large_tensors": large_tensors(samples, advance),
            "small_vectors": small_vectors(vectors, advance),
            "speed": speed(advance),
        }
    methods = list(results["large_tensors"][0]["ratios"])
    table = Table(f"MSE over optimal, {samples:,} samples", "bits", *methods[1:])
    for row in results["large_tensors"]:
        ratios = [f"{row['ratios'][method]:.4f}" for method in methods[1:]]
        table.add(row["distribution"], row["bits"], *ratios)
    table.print()
    table = Table("mean seconds", *methods)
    for bits in _BITS:
        rows = [row for row in results["large_tensors"] if row["bits"] == bits]
        means = [np.mean([row["seconds"][method] for row in rows]) for method in methods]
        table.add(f"{bits} bits", *(f"{mean:.3f}" for mean in means))
    table.print()
    table = Table(
        "V", "bits", "octav over optimal", "max over optimal", "octav loses to max, %", "optimal, s"
    )
    for row in results["small_vectors"]:
        table.add(
            *(f"{value:.3f}" if isinstance(value, float) else value for value in row.values())
        )
    table.print()
    table = Table("4096 x 4096", "per", "octav, s", "sweep, s", "speed-up", "MSE / sweep's")
    for row in results["speed"]:
        table.add(
            *(f"{value:.4g}" if isinstance(value, float) else value for value in row.values())
        )
    table.print()
    write_json(json_file, results)
