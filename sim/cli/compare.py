"""`scalewright compare`: the user's own tensors, quantized in many ways, and through the RTL."""

from functools import partial
from pathlib import Path
from typing import Any

import click

from scalewright.sim.blocks import design_of
from scalewright.sim.blocks.vector_mac import words as command_words
from scalewright.sim.cli import DIFFERENT
from scalewright.sim.cli.compare_checkpoint import compare_checkpoint
from scalewright.sim.cli.parameters.operands import Matrices, load_matrices
from scalewright.sim.cli.parameters.options import json_option, output_path, progress_bar
from scalewright.sim.cli.parameters.sweep import Sweep, sweep_options
from scalewright.sim.cli.program.help import SectionedCommand
from scalewright.sim.cli.program.table import Table
from scalewright.sim.cli.program.terminal import say_next
from scalewright.sim.execution.products import compare_matmul
from scalewright.sim.files import tensors as tensor_file
from scalewright.sim.files.outputs import replacing, require_writable, write_json
from scalewright.sim.files.pictures import require_picture
from scalewright.sim.research import picture
from scalewright.sim.research.chart import chart, key
from scalewright.sim.research.choice import Choice, labels
from scalewright.sim.research.point import Point
from scalewright.sim.research.product import OPERANDS, Product, multiply
from scalewright.sim.simulators.build import build_player

_BITS = "stored bits per element (element bits + scale bits / V), mean of weights and activations"
_RATIO = "SNR of the products (dB)"


@click.command(cls=SectionedCommand)
@click.argument("weights")
@click.argument("activations", required=False)
@sweep_options
@click.option(
    "--all",
    "whole",
    is_flag=True,
    help="Compare all weights of a checkpoint, layer by layer; without ACTIVATIONS.",
)
@click.option(
    "--rtl", is_flag=True, help="Play the products in the RTL too, and compare it with golden."
)
@output_path("--plot", "plot", metavar="FILE", help="Draw SNR against bits (.png, .svg, .pdf).")
@output_path(
    "--out",
    metavar="FILE",
    help="Of one configuration: write integers, scales and results to a .npz or .safetensors.",
)
@json_option
def compare(
    weights: str,
    activations: str | None,
    swept: Sweep,
    whole: bool,
    rtl: bool,
    plot: Path | None,
    out: Path | None,
    json_file: Path | None,
) -> int:
    """Quantize tensors in several ways, and compare the noise with what each way stores.

    WEIGHTS (M, K) and ACTIVATIONS (N, K) are .npy, .npz or .safetensors files; FILE:NAME picks
    one tensor of several. Weights have one coarse scale for each row, activations one in all.
    Their product is computed as the hardware does it, by the golden model, and with --rtl by the
    RTL as well, every accumulator compared: exit status 1 if any differs. Without ACTIVATIONS, the
    noise is that of the weights themselves; with --all of every matrix of a checkpoint, as PyTorch
    lays them out.

    Options with `,...` take several values, as in `--vector-size 4,16,64`, or come several times:
    every combination is compared, in one table and one plot.

    \b
    Example:
      scalewright compare w.npy x.npy --config 4/4/4/6,4/4/-/-,8/8/-/- --plot build/snr.png
      scalewright compare model.safetensors --all --config 4/4/4/6,4/4/-/- --vector-size 4,16,64
      scalewright compare model.safetensors:fc1 inputs.npy --config 4/4U/4/6 --rtl
    """
    _require_sense(activations, whole, rtl, out)
    choices = swept.choices(every_vector_size=rtl)
    if out is not None:
        if len(choices) > 1:
            raise ValueError(f"--out {out} takes one configuration, not {len(choices)}")
        tensor_file.require_writable_kind(out)
    require_picture(plot)
    require_writable(out, plot, json_file, inputs=[weights, activations])
    if activations is None:
        compare_checkpoint(weights, choices, whole=whole, plot=plot, json_file=json_file)
        return 0

    matrices = load_matrices(weights, activations)
    products = _multiply_all(matrices, choices, rtl)
    _print_table(products)
    points = [
        Point(name, each.choice.series, each.choice.stored_bits(*OPERANDS), each.signal_to_noise_db)
        for name, each in zip(labels(choices), products, strict=True)
    ]
    drawn = chart(points, x="stored bits per element, mean of both operands", y=_RATIO)
    if drawn:
        click.echo("\n" + drawn)
    for each in products:
        _report_mismatch(each)
    if out is not None:
        summary = _summary(products[0], weights, activations)
        tensor_file.save(out, products[0].tensors(), summary)
    if plot is not None:
        with replacing(plot) as scratch:
            picture.draw(
                scratch,
                plot.suffix.removeprefix("."),
                points,
                x=_BITS,
                y=_RATIO,
                title=f"{weights} {matrices.weights.shape} times "
                f"{activations} {matrices.activations.shape}",
            )
    write_json(json_file, _results(products, weights, activations))
    _suggest(products, weights, activations, rtl)
    return DIFFERENT if any(each.played and each.played.mismatch_count for each in products) else 0


def _require_sense(activations: str | None, whole: bool, rtl: bool, out: Path | None) -> None:
    """Check that the options go together."""
    if whole and activations is not None:
        raise ValueError(
            f"--all compares weights alone: leave out {activations}, or name one tensor of the "
            "checkpoint, as in model.safetensors:NAME, in place of --all"
        )
    for given, option in ((rtl, "--rtl"), (out is not None, "--out")):
        if given and activations is None:
            raise ValueError(f"{option} needs ACTIVATIONS: without them there is no product")


def _multiply_all(matrices: Matrices, choices: list[Choice], rtl: bool) -> list[Product]:
    products = []
    total = len(choices)
    pairs = len(matrices.weights) * len(matrices.activations)
    length = matrices.weights.shape[1]
    vectors = [pairs * -(-length // choice.config.vector_size) for choice in choices]
    if rtl:
        total = sum(vectors)
    with progress_bar("vector pairs" if rtl else "configurations", total) as advance:
        for choice, words in zip(choices, vectors, strict=True):
            operands = matrices.quantize(choice.config, choice.scaling, choice.clip)
            play = None
            if rtl:
                built = build_player(design_of("vector-mac", choice.config), words)
                play = partial(compare_matmul, built, config=choice.config, progress=advance)
            products.append(
                multiply(choice, operands.weights, operands.activations, operands.exact, play)
            )
            if not rtl:
                advance(1)
    return products


def _print_table(products: list[Product]) -> None:
    rtl = any(each.played for each in products)
    table = Table(
        *("", "configuration", "V", "P", "clip", "scaling", "bits", "SNR dB"),
        *("accumulators", "saturated"),
        *(("mismatches", "pairs/s") if rtl else ()),
    )
    for index, each in enumerate(products):
        config = each.choice.config
        table.add(
            key(index),
            config,
            config.vector_size,
            config.rounded_scale_product_bits if each.choice.scaled else "-",
            each.choice.clip,
            each.choice.scaling.value if each.choice.scaled else "-",
            each.choice.stored_bits(*OPERANDS),
            each.signal_to_noise_db,
            each.result.accumulators.size,
            each.saturated,
            *(
                (each.played.mismatch_count, round(each.vectors / each.seconds))
                if each.played
                else ()
            ),
        )
    table.print()


def _report_mismatch(product: Product) -> None:
    if product.played is not None and product.played.first_mismatch is not None:
        mismatch, (n, m) = product.played.first_mismatch
        click.echo(
            f"{product.choice.config}: first mismatch at activation row {n}, weight row {m}: "
            f"got {mismatch.got}, want {mismatch.want} (payload words)",
            err=True,
        )


def _summary(product: Product, weights: str, activations: str) -> dict[str, Any]:
    return {**product.as_dict(), "weights": weights, "activations": activations}


def _results(products: list[Product], weights: str, activations: str) -> dict[str, Any]:
    """All figures; those of a single configuration also where they have always stood, on top."""
    summaries = [_summary(each, weights, activations) for each in products]
    top = summaries[0] if len(summaries) == 1 else {"weights": weights, "activations": activations}
    return {**top, "comparisons": summaries}


def _suggest(products: list[Product], weights: str, activations: str, rtl: bool) -> None:
    """What to do about sums that were clipped; to play the best in the RTL; or to generate it."""
    best = max(products, key=lambda each: (not each.saturated, each.signal_to_noise_db))
    config = best.choice.config
    notation, *options = command_words(config)
    command = ("scalewright", "compare", weights, activations, "--config", notation)
    if best.saturated:
        at = options.index("--accumulator-bits")
        del options[at : at + 2]
        options += ["--accumulator-bits", "exact"]
        options += ["--vectors-per-sum", str(best.weights.elements.shape[1])]
        say_next([*command, *options], "the accumulator saturates: a wide one does not")
    elif not rtl:
        options += ["--clip", str(best.choice.clip), "--scaling", best.choice.scaling.value]
        say_next([*command, *options, "--rtl"], "plays it in the RTL")
    elif any(each.played and each.played.mismatch_count for each in products):
        say_next(["scalewright", "regress", notation, *options], "finds where it differs")
    else:
        say_next(["scalewright", "generate", notation, *options, "-o", "build/mac.v"])
