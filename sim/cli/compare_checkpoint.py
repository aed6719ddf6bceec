"""The part of `scalewright compare` that takes weights alone, of one tensor or a checkpoint."""

from pathlib import Path

import click

from scalewright.sim.blocks.vector_mac import words as command_words
from scalewright.sim.cli.parameters.options import progress_bar
from scalewright.sim.cli.program.table import Table
from scalewright.sim.cli.program.terminal import say_next
from scalewright.sim.files import tensors as tensor_file
from scalewright.sim.files.outputs import replacing, write_json
from scalewright.sim.research import picture
from scalewright.sim.research.chart import chart, key
from scalewright.sim.research.checkpoint import Matrix, Noise, split_matrices, weight_noise
from scalewright.sim.research.choice import UNSCALED, Choice, labels
from scalewright.sim.research.point import Point

_BITS = "stored bits per weight (element bits + scale bits / V)"
_RATIO = "SNR of the weights (dB)"

# Columns of ratios that stand side by side.
_SIDE_BY_SIDE = 10


def compare_checkpoint(
    source: str, choices: list[Choice], *, whole: bool, plot: Path | None, json_file: Path | None
) -> None:
    """Quantize weights for each choice, and print, draw and write their noise.

    Args:
        source: A file of tensors, or one tensor of it.
        choices: What to quantize for.
        whole: All matrices of the file.
        plot: The picture, if any.
        json_file: For the figures, if any.

    Raises:
        ValueError: A file without weights, or weights that cannot be quantized.
    """
    tensors = tensor_file.load_all(Path(source)) if whole else {source: tensor_file.load(source)}
    matrices, others = split_matrices(tensors)
    if not matrices:
        raise ValueError(f"{source}: has no matrix of floats; it has {', '.join(others) or 'none'}")
    choices = _distinct(choices)
    noise: list[list[Noise]] = []
    with progress_bar("layers", len(matrices)) as advance:
        for matrix in matrices:
            noise.append([weight_noise(matrix, choice) for choice in choices])
            advance(1)
    totals = [Noise.of_all(column) for column in zip(*noise, strict=True)]
    if len(matrices) > 1:
        _print_layers(matrices, noise)
    points = [
        Point(name, _series(choice), choice.stored_bits("weights"), total.signal_to_noise_db)
        for name, choice, total in zip(labels(choices), choices, totals, strict=True)
    ]
    _print_choices(choices, totals, noise)
    drawn = chart(points, x=_BITS, y=_RATIO)
    if drawn:
        click.echo("\n" + drawn)
    if others:
        click.echo(f"left out, being no matrices of floats: {', '.join(others)}", err=True)
    if plot is not None:
        with replacing(plot) as scratch:
            kind = plot.suffix.removeprefix(".")
            title = f"{source}: {totals[0].elements:,} weights in {len(matrices)} layers"
            picture.draw(scratch, kind, points, x=_BITS, y=_RATIO, title=title)
    results = {
        "weights": source,
        "left_out": others,
        "comparisons": [
            {
                **choice.as_dict(),
                "stored_bits": choice.stored_bits("weights"),
                "elements": total.elements,
                "signal_to_noise_db": total.signal_to_noise_db,
                "layers": {
                    matrix.name: {
                        "shape": list(tensors[matrix.name].shape),
                        "signal_to_noise_db": row[at].signal_to_noise_db,
                    }
                    for matrix, row in zip(matrices, noise, strict=True)
                },
            }
            for at, (choice, total) in enumerate(zip(choices, totals, strict=True))
        ],
    }
    write_json(json_file, results)
    best = max(zip(totals, choices, strict=True), key=lambda each: each[0].signal_to_noise_db)[1]
    notation, *options = command_words(best.config)
    name = f"{source}:{matrices[0].name}" if whole else source
    say_next(
        ["scalewright", "compare", name, "ACTIVATIONS.npy", "--config", notation, *options],
        "the noise of a layer's products",
    )


def _series(choice: Choice) -> str:
    return choice.series if choice.config.weights.scale_bits else UNSCALED


def _distinct(choices: list[Choice]) -> list[Choice]:
    """One of those that do the same to weights."""
    unique: dict[object, Choice] = {}
    for choice in choices:
        scaled = choice.config.weights.scale_bits is not None
        how = (choice.config.vector_size, choice.scaling) if scaled else None
        unique.setdefault((choice.config.weights, choice.clip, how), choice)
    return list(unique.values())


def _print_layers(matrices: list[Matrix], noise: list[list[Noise]]) -> None:
    """SNR of every layer, a column for each choice, by its letter."""
    for start in range(0, len(noise[0]), _SIDE_BY_SIDE):
        columns = range(start, min(start + _SIDE_BY_SIDE, len(noise[0])))
        table = Table("layer", "shape", *(f"{key(at)}, dB" for at in columns))
        for matrix, row in zip(matrices, noise, strict=True):
            shape = "x".join(str(size) for size in matrix.values.shape)
            table.add(matrix.name, shape, *(row[at].signal_to_noise_db for at in columns))
        table.print()
        click.echo()


def _print_choices(choices: list[Choice], totals: list[Noise], noise: list[list[Noise]]) -> None:
    table = Table("", "configuration", "V", "clip", "scaling", "bits", "SNR dB", "worst layer dB")
    for at, (choice, total) in enumerate(zip(choices, totals, strict=True)):
        scaled = choice.config.weights.scale_bits is not None
        table.add(
            key(at),
            choice.config,
            choice.config.vector_size if scaled else "-",
            choice.clip,
            choice.scaling.value if scaled else "-",
            choice.stored_bits("weights"),
            total.signal_to_noise_db,
            min(row[at].signal_to_noise_db for row in noise),
        )
    table.print()
