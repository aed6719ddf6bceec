"""`scalewright quantize`: a float network becomes one of integers."""

import shlex
from pathlib import Path
from typing import Any

import click

from scalewright.golden.calibration import Clip
from scalewright.golden.config import DatapathConfig, EngineConfig
from scalewright.golden.network.correction import Correction, Method
from scalewright.golden.network.feeds import count_of
from scalewright.golden.quantize import Scaling
from scalewright.sim.cli.parameters.configuration import DatapathOptions, datapath_options
from scalewright.sim.cli.parameters.engine import shown
from scalewright.sim.cli.parameters.inputs import batch_of, load_inputs, paths_of
from scalewright.sim.cli.parameters.notation import notation_argument
from scalewright.sim.cli.parameters.options import (
    clip_option,
    json_option,
    output_path,
    progress_bar,
    scaling_option,
)
from scalewright.sim.cli.program.help import SectionedCommand
from scalewright.sim.cli.program.table import Table
from scalewright.sim.cli.program.terminal import say_next
from scalewright.sim.execution import wider
from scalewright.sim.execution.quantization import quantize as quantize_measured
from scalewright.sim.files.names import printable
from scalewright.sim.files.outputs import replacing, require_writable, write_json
from scalewright.sim.models.float_model import read_graph
from scalewright.sim.models.quantized_model import write_model


@click.command(cls=SectionedCommand)
@click.argument("model", metavar="MODEL.onnx", type=click.Path(path_type=Path))
@click.option(
    "--calibrate",
    "inputs",
    metavar="INPUTS",
    required=True,
    multiple=True,
    help="Inputs (N, ...) as the network will see them: .npy, .npz:NAME or .safetensors:NAME. For "
    "a network of several inputs NAME=FILE for each, or one .npz with all.",
)
@notation_argument("config", required=True)
@datapath_options
@click.option(
    "--result-bits",
    type=int,
    default=EngineConfig.result_bits,
    show_default=True,
    metavar="R",
    help="Bits of a rescaled result, 8 to 32.",
)
@clip_option
@scaling_option
@click.option(
    "--correction",
    type=click.Choice(["auto", *(method.value for method in Method)]),
    default="auto",
    show_default=True,
    help="Of what quantized weights do to results: gains and offsets of channels, offsets alone, "
    "or nothing; auto takes what is best for a quarter of the inputs, of at least four.",
)
@click.option(
    "--wide",
    "wide",
    metavar="LAYER[:w|:a]",
    multiple=True,
    help="Give a layer wider elements, composed of two digits, in twice the cycles for its weights "
    "(:w) or its activations (:a), or in four times for both; `first`, `last` or its name.",
)
@output_path(
    "-o", "--output", metavar="FILE.onnx", required=True, help="The quantized network, ONNX."
)
@json_option
def quantize(
    model: Path,
    inputs: tuple[str, ...],
    config: DatapathConfig,
    datapath: DatapathOptions,
    result_bits: int,
    clip: Clip,
    scaling: str,
    correction: str,
    wide: tuple[str, ...],
    output: Path,
    json_file: Path | None,
) -> None:
    """Quantize a float network for the engine, and write it as a standard ONNX model.

    Products (Conv, Gemm, MatMul) become layers of the engine, those of two activations as well,
    batch normalization and ReLU a part of them; other operators stay, and run in ONNX Runtime.
    Coarse scales of activations come from the calibration inputs, on which saturated results are
    counted, too. The model runs in any ONNX runtime of opset 21.

    \b
    Example:
      scalewright quantize digits.onnx --calibrate images.npy --config 4/4U/4/6 --clip octav \\
          -o build/digits.vsq.onnx
    """
    require_writable(output, json_file, inputs=[model, *paths_of(inputs)])
    graph = read_graph(model, quantizable=True)
    engine = EngineConfig(datapath=datapath.apply(config), result_bits=result_bits)
    values = load_inputs(inputs, graph.inputs)
    count = count_of(values)
    try:
        done = quantize_measured(
            graph,
            values,
            engine,
            clip,
            scaling=Scaling(scaling),
            method=None if correction == "auto" else Method(correction),
            fit_accumulators=datapath.accumulator_bits is None,
            wide=wider.choose(graph, wide),
            batch=batch_of(values),
            progress=progress_bar,
        )
    except (ValueError, TypeError) as error:
        where = f"{model} on {', '.join(inputs)}"
        raise ValueError(printable(f"{where}: {error}")) from None
    engine = done.config
    written = write_model(done.network, engine, done.results).SerializeToString()
    with replacing(output) as scratch:
        scratch.write_bytes(written)

    table = Table(
        "layer", "operator", "weights", "SNR of weights dB", "SNR of results dB", "saturated"
    )
    layers: list[dict[str, Any]] = []
    for layer in done.layers:
        product = layer.product
        table.add(
            printable(product.name),
            product.kind,
            " x ".join(map(str, layer.shape)) if layer.shape else "activations",
            shown(layer.weights_snr),
            layer.results_snr,
            layer.saturated,
        )
        layers.append(
            {
                "name": product.name,
                "output": product.output,
                "kind": product.kind,
                "shape": layer.shape,
                "gamma": product.gamma,
                "unit": product.unit,
                "fraction_bits": product.fraction_bits,
                "activation_function": product.activation_function.name.lower(),
                "weights_snr_db": layer.weights_snr,
                "results_snr_db": layer.results_snr,
                "saturated": layer.saturated,
                "accumulator_bits": layer.accumulator_bits,
                "wide": "w" * product.wide_weights + "a" * product.wide_input,
            }
        )
    table.print()
    click.echo(
        f"{output}: {len(layers)} layers, {engine.datapath.summary}, {len(written):,} bytes; "
        f"calibrated on {count} inputs with clipping by {clip}"
    )
    click.echo(_correction_line(done.correction, chosen=correction == "auto"))
    for warning in done.warnings:
        click.echo(f"warning: {printable(warning)}", err=True)
    following = ["scalewright", "run", str(output), *inputs, "--float", str(model)]
    following += ["--on", "golden"]
    write_json(
        json_file,
        {
            "model": str(model),
            "output": str(output),
            "bytes": len(written),
            "config": engine.datapath.as_dict(),
            "result_bits": result_bits,
            "clip": str(clip),
            "correction": done.correction.method.value,
            "correction_snr_db": {each.value: db for each, db in done.correction.medians.items()},
            "inputs": count,
            "warnings": done.warnings,
            "layers": layers,
            "next": shlex.join(following),
        },
    )
    say_next(following)


def _correction_line(correction: Correction, *, chosen: bool) -> str:
    """What was corrected, and why."""
    text = f"correction: {correction.method.value}"
    if correction.medians:
        ratios = ", ".join(f"{each.value} {db:.2f}" for each, db in correction.medians.items())
        return f"{text} (SNR of the outputs on inputs held out, median in dB: {ratios})"
    if chosen:
        return f"{text} (four inputs or more would show what one is worth)"
    return text
