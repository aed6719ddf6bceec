"""`scalewright demo`: a trained network on the RTL."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import click

from scalewright.golden.calibration import Clip
from scalewright.golden.config import EngineConfig
from scalewright.sim.cli import DIFFERENT
from scalewright.sim.cli.parameters.options import clip_option, jobs, json_option, progress_bar
from scalewright.sim.cli.program.help import SectionedCommand
from scalewright.sim.cli.program.table import Table
from scalewright.sim.cli.program.terminal import say_next
from scalewright.sim.demo.digits.network import Digits
from scalewright.sim.demo.networks import (
    ENGINES,
    IMAGES,
    NETWORKS,
    NetworkDemoResult,
    run_network_demo,
)
from scalewright.sim.demo.networks import count as counted
from scalewright.sim.demo.products import (
    CONFIGURATIONS,
    PLAIN_4_BIT,
    SCALED_4_BIT,
    DemoResult,
    run_demo,
    vector_pairs,
)
from scalewright.sim.files.outputs import require_writable, write_json


@click.command(cls=SectionedCommand)
@click.option(
    "--images",
    type=click.IntRange(1, len(Digits.load().labels)),
    metavar="N",
    help="Classify the first N test images.  [default: all 360, or 40 with the convolutional "
    "network]",
)
@click.option("--all", "every", is_flag=True, help="Classify all test images with each network.")
@clip_option
@json_option
def demo(images: int | None, every: bool, clip: Clip, json_file: Path | None) -> int:
    """Classify handwritten digits with the simulated RTL, and compare every result.

    On the vector MAC, a trained network of 17,024 weights runs in five configurations: each layer's
    every multiply-accumulate goes through the generated Verilog. On the engine, the same network
    and a convolutional one run in integers from layer to layer. Exit status 1 if anything differs
    from the golden model.

    \b
    Example:
      scalewright demo --json build/demo.json
    """
    require_writable(json_file)
    digits = Digits.load()
    count = images or len(digits.labels)
    total = sum(vector_pairs(digits, config, count) for config in CONFIGURATIONS)
    with progress_bar("vector pairs", total) as advance, ThreadPoolExecutor(jobs()) as pool:
        results = list(
            pool.map(partial(run_demo, images=count, clip=clip, progress=advance), CONFIGURATIONS)
        )
    shares = {name: count if every or images else min(count, most) for name, most in IMAGES.items()}
    networks = _run_networks(shares)
    _print_macs(results, count)
    click.echo()
    _print_networks(networks)
    mismatches = sum(result.mismatches for result in results)
    mismatches += sum(result.run.mismatch_count for result in networks)
    write_json(
        json_file,
        {
            "vector_mac": [result.as_dict() for result in results],
            "engine": [result.as_dict() for result in networks],
        },
    )
    say_next(
        "scalewright compare WEIGHTS.npy ACTIVATIONS.npy 4/4U/4/6 --rtl", "with your own tensors"
    )
    return DIFFERENT if mismatches else 0


def _run_networks(images: Mapping[str, int]) -> list[NetworkDemoResult]:
    """Run each network on each engine, with its number of images."""
    words = {
        (name, engine): counted(name, engine, images[name])
        for engine in ENGINES
        for name in NETWORKS
    }
    of_engine = {engine: sum(words[name, engine] for name in NETWORKS) for engine in ENGINES}
    with progress_bar("engine words", sum(words.values())) as advance:

        def run(name: str, engine: EngineConfig) -> NetworkDemoResult:
            return run_network_demo(
                name, engine, images[name], words=of_engine[engine], progress=advance
            )

        # Engine by engine, so that simulators are built side by side.
        keys = sorted(words, key=lambda key: list(NETWORKS).index(key[0]))
        with ThreadPoolExecutor(jobs()) as pool:
            results = dict(zip(keys, pool.map(lambda key: run(*key), keys), strict=True))
        return [results[key] for key in words]


def _print_macs(results: list[DemoResult], count: int) -> None:
    table = Table(
        "configuration",
        "P",
        "float %",
        "golden %",
        "RTL %",
        "SNR dB",
        "compared",
        "mismatches",
        "pairs",
        "pairs/s",
    )
    for result in results:
        table.add(
            result.config,
            result.config.rounded_scale_product_bits or "-",
            100 * result.float_accuracy,
            100 * result.golden_accuracy,
            100 * result.rtl_accuracy,
            result.signal_to_noise_db,
            result.accumulators,
            result.mismatches,
            result.vectors,
            round(result.vectors / result.seconds),
        )
    table.print()
    mismatches = sum(result.mismatches for result in results)
    click.echo(
        f"{count} images, {sum(result.vectors for result in results):,} vector pairs of "
        f"{CONFIGURATIONS[0].vector_size}: {mismatches} mismatches between RTL and golden"
    )
    click.echo(_verdict(results, count))


def _print_networks(results: list[NetworkDemoResult]) -> None:
    table = Table(
        "network",
        "engine",
        "images",
        "float %",
        "golden %",
        "RTL %",
        "SNR dB",
        "compared",
        "mismatches",
        "cycles/image",
        "MACs busy %",
    )
    for result in results:
        table.add(
            result.network,
            result.config.datapath,
            result.images,
            100 * result.float_accuracy,
            100 * result.golden_accuracy,
            100 * result.rtl_accuracy,
            result.signal_to_noise_db,
            result.results,
            result.run.mismatch_count,
            round(result.run.cycles / result.images),
            100 * result.run.busy / result.run.cycles,
        )
    table.print()
    engine = ENGINES[0]
    mismatches = sum(result.run.mismatch_count for result in results)
    click.echo(
        f"an engine of {engine.lanes} x {engine.datapath.vector_size} MACs: "
        f"{mismatches} mismatches between RTL and golden in the vectors, scales and flags of all "
        "layers"
    )


def _verdict(results: list[DemoResult], images: int) -> str:
    """What per-vector scales bought at 4 bits, in points of accuracy and in noise."""
    by_slug = {result.config.slug: result for result in results}
    plain = by_slug[PLAIN_4_BIT.slug]
    scaled = by_slug[SCALED_4_BIT.slug]
    loss = 100 * (scaled.float_accuracy - scaled.rtl_accuracy)
    gain = 100 * (scaled.rtl_accuracy - plain.rtl_accuracy)
    outcome = f"gains {gain:.2f} points on" if gain > 0 else f"does not beat ({gain:+.2f} points)"
    return (
        f"{scaled.config} loses {loss:.2f} points against float and {outcome} {plain.config}; one "
        f"image is {100 / images:.2f} points. It lowers the noise of the outputs by "
        f"{scaled.signal_to_noise_db - plain.signal_to_noise_db:.1f} dB."
    )
