"""`scalewright run`: a quantized network on the simulated engine."""

import shlex
from pathlib import Path
from typing import Any

import click
import numpy as np
import numpy.typing as npt

from scalewright.golden.config import EngineConfig
from scalewright.golden.layer import Layer, LayerResult, run_layer
from scalewright.golden.network import Product, Tensor, as_real, run_network
from scalewright.golden.network.execution import Run
from scalewright.golden.network.graph import Graph, evaluate
from scalewright.golden.quantized import Floats, Quantized
from scalewright.sim.cli import DIFFERENT
from scalewright.sim.cli.parameters.engine import (
    EngineSize,
    engine_size_options,
    golden_table,
    layer_table,
    layers_line,
    reloading_line,
    require_input,
)
from scalewright.sim.cli.parameters.options import json_option, output_path, progress_bar
from scalewright.sim.cli.program.help import SectionedCommand
from scalewright.sim.cli.program.terminal import say_next
from scalewright.sim.execution.networks import NetworkRun, count_words, run_on_rtl
from scalewright.sim.execution.products import signal_to_noise_db
from scalewright.sim.files import tensors as tensor_file
from scalewright.sim.files.names import printable
from scalewright.sim.files.outputs import require_writable, write_json
from scalewright.sim.models.float_model import read_graph
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
@click.option(
    "--float",
    "float_model",
    metavar="MODEL.onnx",
    type=click.Path(path_type=Path),
    help="The network before quantization: its accuracy, and the noise of each layer against it.",
)
@engine_size_options
@output_path("--out", metavar="FILE.npz", help="Write the network's outputs to this file.")
@json_option
def run(
    model: Path,
    inputs: str,
    labels: str | None,
    where: str,
    float_model: Path | None,
    size: EngineSize,
    out: Path | None,
    json_file: Path | None,
) -> int:
    """Run a quantized network: matrix products on the engine, all other operators on the host.

    INPUTS (N, ...) is a .npy file, .npz:NAME or .safetensors:NAME. Each layer has a row, with the
    results that saturated; --float adds the signal-to-noise ratio against the float network. Exit
    status 1 if any result of the engine differs from the golden network's.

    \b
    Example:
      scalewright run build/digits.vsq.onnx images.npy --labels labels.npy
      scalewright run build/digits.vsq.onnx images.npy --float digits.onnx --on golden
    """
    if out is not None:
        tensor_file.require_writable_kind(out)
    require_writable(out, json_file, inputs=[model, inputs, labels, float_model])
    network, default = read_model(model)
    config = size.apply(default)
    graph = None if float_model is None else read_graph(float_model)
    x = tensor_file.load(inputs)
    require_input(inputs, x, network.input_shape)
    classes = None if labels is None else _load_labels(labels, len(x))
    ran: NetworkRun | None = None
    saturated: dict[str, int] = {}
    try:
        real = {} if graph is None else _evaluated(graph, x)
        if where == "rtl":
            words = count_words(network, x, config)
            with progress_bar("words", words) as advance:
                ran = run_on_rtl(network, x, config, words=words, progress=advance)
            tensors = ran.tensors
            saturated = {layer.name: layer.saturated for layer in ran.layers}
        else:
            with progress_bar("steps on golden", len(network.steps)) as advance:
                counting = _counting(config, saturated)
                tensors = run_network(network, x, config, run=counting, progress=advance)
    except (ValueError, TypeError) as error:
        raise ValueError(printable(f"{model} on {inputs}: {error}")) from None
    outputs = as_real(tensors[network.output])
    noise = {p.name: _noise(real.get(p.output), tensors[p.output]) for p in network.products}
    results: dict[str, Any] = {"model": str(model), "inputs": inputs, "on": where}
    results |= {"config": config.as_dict(), "count": len(x), "saturated": sum(saturated.values())}
    if ran is not None:
        layer_table(ran, noise).print()
        click.echo(layers_line(ran, config, len(x)))
        if reloading := reloading_line(network, config):
            click.echo(reloading)
        results["layers"] = [
            {**layer.as_dict(), "snr_db": noise[layer.name]} for layer in ran.layers
        ]
        results["cycles"], results["mismatches"] = ran.cycles, ran.mismatch_count
    else:
        golden_table(network, noise, saturated).print()
        results["layers"] = [
            {
                "name": product.name,
                "output": product.output,
                "kind": product.kind,
                "snr_db": noise[product.name],
                "saturated": saturated[product.name],
            }
            for product in network.products
        ]
    floats = None if graph is None else real[graph.output]
    results["snr_db"] = _noise(floats, tensors[network.output])
    click.echo(
        f"{len(x)} inputs: {results['saturated']:,} results saturated"
        + ("" if results["snr_db"] is None else f"; SNR of the outputs {results['snr_db']:.2f} dB")
    )
    if classes is not None:
        accuracy = _accuracy(outputs, classes)
        results["accuracy"] = accuracy
        text = f"accuracy on {len(x)} inputs: {100 * accuracy:.2f} %"
        if floats is not None:
            results["float_accuracy"] = _accuracy(floats, classes)
            text += f", of the float network {100 * results['float_accuracy']:.2f} %"
        click.echo(text)
    if out is not None:
        tensor_file.save(out, {"outputs": outputs}, {"model": str(model), "on": where})
        click.echo(f"outputs {outputs.shape}: {out}")
    following = _next(model, inputs, config, on_rtl=ran is not None)
    write_json(json_file, {**results, "next": shlex.join(following)})
    say_next(following)
    return DIFFERENT if ran is not None and ran.mismatch_count else 0


def _evaluated(graph: Graph, x: Floats) -> dict[str, Floats]:
    with progress_bar("nodes in floats", len(graph.nodes)) as advance:
        return evaluate(graph, x, progress=advance)


def _load_labels(source: str, count: int) -> npt.NDArray[Any]:
    classes = tensor_file.load(source)
    if classes.shape != (count,) or classes.dtype.kind not in "iu":
        raise ValueError(
            f"{source}: labels must be {count} integers, not {classes.dtype} {classes.shape}"
        )
    return classes


def _counting(config: EngineConfig, saturated: dict[str, int]) -> Run:
    """Golden, which notes how many results of each product saturate."""

    def run_counted(product: Product, layer: Layer, activations: Quantized) -> LayerResult:
        result = run_layer(layer, activations, config)
        saturated[product.name] = int(result.saturated.sum())
        return result

    return run_counted


def _noise(real: Floats | None, tensor: Tensor) -> float | None:
    """Signal-to-noise ratio in dB against the float network; None where that has no such tensor."""
    values = as_real(tensor)
    if real is None or real.shape != values.shape:
        return None
    return signal_to_noise_db(real.astype(np.float64), values.astype(np.float64))


def _accuracy(outputs: Floats, classes: npt.NDArray[Any]) -> float:
    rows = outputs.reshape(len(outputs), -1)
    if len(rows) != len(classes):
        raise ValueError(
            f"outputs {outputs.shape} must be {len(classes)} for {len(classes)} labels"
        )
    return float(np.mean(rows.argmax(axis=1) == classes))


def _next(model: Path, inputs: str, config: EngineConfig, *, on_rtl: bool) -> list[str]:
    """The command that follows: the engine after golden, its Verilog after that."""
    if not on_rtl:
        return ["scalewright", "run", str(model), inputs]
    datapath = config.datapath
    options = {
        "--vector-size": datapath.vector_size,
        "--accumulator-bits": datapath.accumulator_bits,
    }
    if datapath.scale_product_bits is not None:
        options["--scale-product-bits"] = datapath.scale_product_bits
    options |= {"--lanes": config.lanes, "--depth": config.depth, "--post-lanes": config.post_lanes}
    options["--result-bits"] = config.result_bits
    words = [str(word) for pair in options.items() for word in pair]
    command = ["scalewright", "generate", str(datapath), "--block", "engine", *words]
    return [*command, "-o", "build/engine.v"]
