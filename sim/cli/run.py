"""`scalewright run`: a quantized network on the simulated engine."""

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
import numpy.typing as npt

from scalewright.golden.config import EngineConfig
from scalewright.golden.network import Network, Tensor, as_real, run_network
from scalewright.golden.network.feeds import batches, count_of, fixed_batch, join
from scalewright.golden.network.graph import Graph, evaluator
from scalewright.golden.network.saturation import counting
from scalewright.sim.cli import DIFFERENT
from scalewright.sim.cli.parameters.engine import (
    EngineSize,
    engine_size_options,
    golden_table,
    layer_table,
    layers_line,
    reloading_line,
)
from scalewright.sim.cli.parameters.inputs import batch_of, load_inputs, paths_of
from scalewright.sim.cli.parameters.options import (
    json_option,
    output_path,
    progress_bar,
    seed_option,
)
from scalewright.sim.cli.program.help import SectionedCommand
from scalewright.sim.cli.program.terminal import say_next
from scalewright.sim.execution.networks import NetworkRun, count_words, run_on_rtl
from scalewright.sim.execution.products import Ratio
from scalewright.sim.files import tensors as tensor_file
from scalewright.sim.files.names import printable
from scalewright.sim.files.outputs import require_writable, write_json
from scalewright.sim.models.float_model import read_graph
from scalewright.sim.models.quantized_model import read_model


@click.command(cls=SectionedCommand)
@click.argument("model", metavar="MODEL.vsq.onnx", type=click.Path(path_type=Path))
@click.argument("inputs", metavar="INPUTS...", nargs=-1, required=True)
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
@click.option(
    "--sample",
    type=click.IntRange(min=1),
    metavar="ROWS",
    help="The engine plays so many rows of each layer, drawn at random; all by default.",
)
@seed_option
@engine_size_options
@output_path("--out", metavar="FILE.npz", help="Write the network's outputs to this file.")
@json_option
def run(
    model: Path,
    inputs: tuple[str, ...],
    labels: str | None,
    where: str,
    float_model: Path | None,
    sample: int | None,
    seed: int,
    size: EngineSize,
    out: Path | None,
    json_file: Path | None,
) -> int:
    """Run a quantized network: matrix products on the engine, all other operators on the host.

    INPUTS (N, ...) is a .npy file, .npz:NAME or .safetensors:NAME; for a network of several inputs
    NAME=FILE for each, or one .npz with all. Each layer has a row, with the results that saturated;
    --float adds the signal-to-noise ratio against the float network. Exit status 1 if any result of
    the engine differs from the golden network's.

    \b
    Example:
      scalewright run build/digits.vsq.onnx images.npy --labels labels.npy
      scalewright run build/digits.vsq.onnx images.npy --float digits.onnx --on golden
    """
    if out is not None:
        tensor_file.require_writable_kind(out)
    require_writable(out, json_file, inputs=[model, *paths_of(inputs), labels, float_model])
    network, default = read_model(model)
    config = size.apply(default)
    graph = None if float_model is None else read_graph(float_model)
    x = load_inputs(inputs, network.inputs)
    count = count_of(x)
    classes = None if labels is None else _load_labels(labels, count)
    try:
        execution = _execute(
            network, graph, x, config, on_rtl=where == "rtl", sample=sample, seed=seed
        )
    except (ValueError, TypeError) as error:
        raise ValueError(printable(f"{model} on {', '.join(inputs)}: {error}")) from None
    ran, saturated = execution.ran, execution.saturated
    noise = {each.name: execution.noise.get(each.output) for each in network.products}
    outputs = execution.outputs[network.outputs[0]]
    results: dict[str, Any] = {"model": str(model), "inputs": list(inputs), "on": where}
    results |= {"config": config.as_dict(), "count": count, "saturated": sum(saturated.values())}
    if ran is not None:
        layer_table(ran, noise).print()
        click.echo(layers_line(ran, config, count))
        if reloading := reloading_line(network, config):
            click.echo(reloading)
        results["layers"] = [
            {**layer.as_dict(), "snr_db": noise.get(layer.name)} for layer in ran.layers
        ]
        results["cycles"], results["mismatches"] = ran.cycles, ran.mismatch_count
    else:
        golden_table(network, noise, saturated).print()
        results["layers"] = [
            {
                "name": product.name,
                "output": product.output,
                "kind": product.kind,
                "snr_db": noise.get(product.name),
                "saturated": saturated[product.name],
            }
            for product in network.products
        ]
    floats = execution.floats
    results["snr_db"] = execution.noise.get(network.outputs[0])
    click.echo(
        f"{count} inputs: {results['saturated']:,} results saturated"
        + ("" if results["snr_db"] is None else f"; SNR of the outputs {results['snr_db']:.2f} dB")
    )
    if classes is not None:
        accuracy = _accuracy(outputs, classes)
        results["accuracy"] = accuracy
        text = f"accuracy on {count} inputs: {100 * accuracy:.2f} %"
        if floats is not None:
            results["float_accuracy"] = _accuracy(floats, classes)
            text += f", of the float network {100 * results['float_accuracy']:.2f} %"
        click.echo(text)
    if out is not None:
        # The only one goes by this name, whatever the model calls it.
        saved = {"outputs": outputs} if len(network.outputs) == 1 else execution.outputs
        tensor_file.save(out, saved, {"model": str(model), "on": where})
        shapes = ", ".join(f"{name} {values.shape}" for name, values in saved.items())
        click.echo(printable(f"{shapes}: {out}"))
    following = _next(model, inputs, config, on_rtl=ran is not None)
    write_json(json_file, {**results, "next": shlex.join(following)})
    say_next(following)
    return DIFFERENT if ran is not None and ran.mismatch_count else 0


def _load_labels(source: str, count: int) -> npt.NDArray[Any]:
    classes = tensor_file.load(source)
    if classes.shape != (count,) or classes.dtype.kind not in "iu":
        raise ValueError(
            f"{source}: labels must be {count} integers, not {classes.dtype} {classes.shape}"
        )
    return classes


@dataclass(frozen=True, eq=False, kw_only=True)
class _Execution:
    """What running a network gave.

    Attributes:
        outputs: Of the network, by name.
        floats: The first output of the network before quantization, or None.
        noise: Signal-to-noise ratios in dB against it, by tensor, as far as there are.
        saturated: Saturated results by product.
        ran: What the engine took, or None.
    """

    outputs: dict[str, npt.NDArray[Any]]
    floats: npt.NDArray[Any] | None
    noise: dict[str, float]
    saturated: dict[str, int]
    ran: NetworkRun | None


def _execute(
    network: Network,
    graph: Graph | None,
    x: Mapping[str, npt.NDArray[Any]],
    config: EngineConfig,
    *,
    on_rtl: bool,
    sample: int | None,
    seed: int,
) -> _Execution:
    count, batch = count_of(x), batch_of(x)
    names = [*(product.output for product in network.products), *network.outputs]
    compute = None if graph is None else evaluator(graph, names)
    saturated: Counter[str] = Counter({product.name: 0 for product in network.products})
    ratios: dict[str, Ratio] = {}
    parts: dict[str, list[npt.NDArray[Any]]] = {name: [] for name in network.outputs}
    floats: list[npt.NDArray[Any]] = []

    def compare(inputs: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        real = {} if compute is None else compute(inputs)
        for name in dict.fromkeys(names):
            values = as_real(tensors[name])
            if name in parts:
                parts[name].append(values)
            if name in real and real[name].shape == values.shape:
                ratios.setdefault(name, Ratio()).add(real[name], values)
        if network.outputs[0] in real:
            floats.append(real[network.outputs[0]])

    run_counted = counting(config, lambda product, n: saturated.update({product.name: n}))
    ran = None
    size = fixed_batch(network.inputs) or batch
    if on_rtl:
        words = count_words(network, x, config, batch=batch, sample=sample)
        with progress_bar("words", words) as advance:
            ran = run_on_rtl(
                network,
                x,
                config,
                words=words,
                batch=batch,
                sample=sample,
                seed=seed,
                progress=advance,
            )
        saturated.update({layer.name: layer.saturated for layer in ran.layers})
        compare(x, ran.tensors)
    else:
        with progress_bar("inputs on golden", count) as advance:
            for part in batches(x, size):
                compare(part, run_network(network, part, config, run=run_counted, keep=names))
                advance(count_of(part))
    joined = {name: join([(v, len(v)) for v in values], name) for name, values in parts.items()}
    return _Execution(
        outputs=joined,
        floats=np.concatenate(floats) if floats else None,
        noise={name: ratio.db for name, ratio in ratios.items()},
        saturated=dict(saturated),
        ran=ran,
    )


def _accuracy(outputs: npt.NDArray[Any], classes: npt.NDArray[Any]) -> float:
    rows = outputs.reshape(len(outputs), -1)
    if len(rows) != len(classes):
        raise ValueError(
            f"outputs {outputs.shape} must be {len(classes)} for {len(classes)} labels"
        )
    return float(np.mean(rows.argmax(axis=1) == classes))


def _next(model: Path, inputs: Sequence[str], config: EngineConfig, *, on_rtl: bool) -> list[str]:
    """The command that follows: the engine after golden, its Verilog after that."""
    if not on_rtl:
        return ["scalewright", "run", str(model), *inputs]
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
