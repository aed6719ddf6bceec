"""`scalewright run`: a quantized network on the simulated engine."""

from pathlib import Path
from typing import Any

import click
import numpy as np
import numpy.typing as npt

from scalewright.golden.network import as_real, run_network
from scalewright.sim.cli import DIFFERENT
from scalewright.sim.cli.engine import (
    EngineSize,
    engine_size_options,
    layer_table,
    layers_line,
    reloading_line,
)
from scalewright.sim.cli.help import SectionedCommand
from scalewright.sim.cli.options import json_option, output_path, progress_bar
from scalewright.sim.execution.networks import NetworkRun, count_words, run_on_rtl
from scalewright.sim.files import tensors as tensor_file
from scalewright.sim.files.outputs import require_writable, write_json
from scalewright.sim.models.quantized_model import read_model


@click.command(cls=SectionedCommand)
@click.argument("model", metavar="MODEL.vsq.onnx", type=click.Path(path_type=Path))
@click.argument("inputs", metavar="INPUTS")
@click.option("--labels", metavar="LABELS", help="Classes (N,): the accuracy is reported.")
@click.option(
    "--on",
    "where",
    type=click.Choice(["rtl", "golden"]),
    default="rtl",
    show_default=True,
    help="The simulated engine, every result compared with golden; or golden alone.",
)
@engine_size_options
@output_path("--out", metavar="FILE.npz", help="Write the network's outputs to this file.")
@json_option
def run(
    model: Path,
    inputs: str,
    labels: str | None,
    where: str,
    size: EngineSize,
    out: Path | None,
    json_file: Path | None,
) -> int:
    """Run a quantized network: matrix products on the engine, all other operators on the host.

    INPUTS (N, ...) is a .npy file, .npz:NAME or .safetensors:NAME. Exit status 1 if any result of
    the engine differs from the golden network's.

    \b
    Example:
      scalewright run build/digits.vsq.onnx images.npy --labels labels.npy
    """
    if out is not None:
        tensor_file.require_writable_kind(out)
    require_writable(out, json_file, inputs=[model, inputs, labels])
    network, default = read_model(model)
    config = size.apply(default)
    x = tensor_file.load(inputs)
    classes = None if labels is None else _load_labels(labels, len(x))
    ran: NetworkRun | None = None
    try:
        if where == "rtl":
            with progress_bar("words", count_words(network, x, config)) as advance:
                ran = run_on_rtl(network, x, config, progress=advance)
            tensors = ran.tensors
        else:
            tensors = run_network(network, x, config)
    except ValueError as error:
        raise ValueError(f"{model} on {inputs}: {error}") from None
    outputs = as_real(tensors[network.output])
    results: dict[str, Any] = {"model": str(model), "inputs": inputs, "on": where}
    results["config"] = config.as_dict()
    if ran is not None:
        layer_table(ran).print()
        click.echo(layers_line(ran, config, len(x)))
        if reloading := reloading_line(network, config):
            click.echo(reloading)
        results["layers"] = [layer.as_dict() for layer in ran.layers]
        results["cycles"], results["mismatches"] = ran.cycles, ran.mismatch_count
    if classes is not None:
        accuracy = float(np.mean(outputs.reshape(len(x), -1).argmax(axis=1) == classes))
        results["accuracy"] = accuracy
        click.echo(f"accuracy on {len(x)} inputs: {100 * accuracy:.2f} %")
    if out is not None:
        tensor_file.save(out, {"outputs": outputs}, {"model": str(model), "on": where})
        click.echo(f"outputs {outputs.shape}: {out}")
    write_json(json_file, results)
    return DIFFERENT if ran is not None and ran.mismatch_count else 0


def _load_labels(source: str, count: int) -> npt.NDArray[Any]:
    classes = tensor_file.load(source)
    if classes.shape != (count,) or classes.dtype.kind not in "iu":
        raise ValueError(
            f"{source}: labels must be {count} integers, not {classes.dtype} {classes.shape}"
        )
    return classes
