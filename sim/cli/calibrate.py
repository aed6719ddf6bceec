"""`scalewright calibrate`: clipping thresholds of a tensor."""

from pathlib import Path

import click
import numpy as np

from scalewright.golden.calibration import Granularity, split_groups
from scalewright.golden.config import VECTOR_SIZES, OperandFormat
from scalewright.golden.octav import End
from scalewright.sim.cli.parameters.options import json_option, output_path, progress_bar
from scalewright.sim.cli.program.help import SectionedCommand
from scalewright.sim.cli.program.table import Table
from scalewright.sim.files import tensors as tensor_file
from scalewright.sim.files.names import printable
from scalewright.sim.files.outputs import replacing, require_writable, write_json
from scalewright.sim.files.pictures import require_picture
from scalewright.sim.reports.clipping import Choice, Keep, compare_methods

_METHODS = 7


@click.command(cls=SectionedCommand)
@click.argument("tensor")
@click.option("--bits", type=int, required=True, metavar="N", help="Bits of the elements, 2 to 8.")
@click.option("--unsigned", is_flag=True, help="Unsigned elements; negative values clip to 0.")
@click.option(
    "--per",
    type=click.Choice([granularity.value for granularity in Granularity]),
    default=Granularity.TENSOR.value,
    show_default=True,
    help="What shares a threshold; a channel is a row.",
)
@click.option(
    "--vector-size",
    type=click.Choice([str(size) for size in VECTOR_SIZES]),
    default="16",
    show_default=True,
    metavar="V",
    help="Elements of a vector, with --per vector.",
)
@output_path(
    "--plot",
    "picture",
    metavar="FILE",
    help="Draw the tensor, or its first channel or vector (.png, .svg, .pdf).",
)
@output_path("--out", metavar="FILE", help="Write the thresholds to a .npz or .safetensors.")
@json_option
def calibrate(
    tensor: str,
    bits: int,
    unsigned: bool,
    per: str,
    vector_size: str,
    picture: Path | None,
    out: Path | None,
    json_file: Path | None,
) -> None:
    """Choose clipping thresholds for a tensor by every method, and compare their true errors.

    TENSOR is a .npy, .npz or .safetensors file; FILE:NAME picks one tensor of several.

    \b
    Example:
      scalewright calibrate weights.npy --bits 4 --per channel --plot build/clip.png
    """
    fmt = OperandFormat(element_bits=bits, signed=not unsigned)
    require_picture(picture)
    if out is not None:
        tensor_file.require_writable_kind(out)
    require_writable(picture, out, json_file, inputs=[tensor])
    values = tensor_file.load(tensor)
    try:
        groups = split_groups(values, Granularity(per), int(vector_size))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{printable(tensor)}: {error}") from None
    keep = Keep.EVERYTHING if json_file else Keep.THRESHOLDS if out else Keep.FIRST
    with progress_bar("samples", _METHODS * groups.size) as advance:
        choices = compare_methods(groups, fmt, keep=keep, progress=advance)
    # Buffered: a float64 copy would be twice the tensor.
    signal = float(np.einsum("gn,gn->", groups, groups, dtype=np.float64)) / groups.size
    table = Table("method", "threshold", "MSE", "over optimal", "SNR dB", "passes", "ended", "s")
    for choice in choices:
        table.add(*_row(choice, choices[0], signal))
    table.print()
    if picture is not None:
        # Slow to import, and needed here alone.
        from scalewright.sim.reports.clipping_picture import draw

        title = "the whole tensor" if per == "tensor" else f"{per} 0 of {len(groups):,}"
        with replacing(picture) as scratch:
            kind = picture.suffix.removeprefix(".")
            draw(scratch, kind, groups, fmt, choices, group=0, title=title)
        click.echo(f"{printable(picture)}: {title}")
    if out is not None:
        tensors = {
            choice.method: choice.thresholds.astype(np.float32, copy=False) for choice in choices
        }
        tensor_file.save(out, tensors, {"tensor": tensor, "bits": bits, "unsigned": unsigned})
    if json_file is not None:
        write_json(json_file, [choice.as_dict() for choice in choices])


def _row(choice: Choice, optimal: Choice, signal: float) -> tuple[object, ...]:
    low, high = choice.lowest, choice.highest
    # As they are used and written, in float32, in full.
    threshold = " .. ".join(dict.fromkeys(str(np.float32(each)) for each in (low, high)))
    ratio = choice.mean_mse / optimal.mean_mse if optimal.mean_mse else 1.0
    noise = 10 * np.log10(signal / choice.mean_mse) if choice.mean_mse else float("inf")
    passes = ends = "-"
    if choice.recursion is not None:
        passes = f"{choice.recursion.mean_iterations:.1f}"
        counts = choice.recursion.end_counts
        ends = ", ".join(f"{counts[end]:,} {end.name.lower()}" for end in End if counts.get(end))
    return (
        choice.method,
        threshold,
        f"{choice.mean_mse:.4g}",
        f"{ratio:.6f}",
        float(noise),
        passes,
        ends,
        f"{choice.seconds:.3f}",
    )
