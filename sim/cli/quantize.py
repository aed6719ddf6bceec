"""`scalewright quantize`: a float network becomes one of integers."""

import shlex
from pathlib import Path
from typing import Any

import click
import numpy as np

from scalewright.golden.calibration import Clip
from scalewright.golden.config import DatapathConfig, EngineConfig
from scalewright.golden.layer import Layer, LayerResult, run_layer
from scalewright.golden.network import Product, as_real, run_network
from scalewright.golden.network.graph import evaluate
from scalewright.golden.network.quantization import quantize_network, weight_matrix
from scalewright.golden.quantize import Scaling
from scalewright.golden.quantized import Quantized
from scalewright.sim.cli.parameters.configuration import DatapathOptions, datapath_options
from scalewright.sim.cli.parameters.engine import batch_hint, require_input
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
from scalewright.sim.execution.products import signal_to_noise_db
from scalewright.sim.files import tensors as tensor_file
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
    help="Inputs (N, ...) as the network will see them: .npy, .npz:NAME or .safetensors:NAME.",
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
@output_path(
    "-o", "--output", metavar="FILE.onnx", required=True, help="The quantized network, ONNX."
)
@json_option
def quantize(
    model: Path,
    inputs: str,
    config: DatapathConfig,
    datapath: DatapathOptions,
    result_bits: int,
    clip: Clip,
    scaling: str,
    output: Path,
    json_file: Path | None,
) -> None:
    """Quantize a float network for the engine, and write it as a standard ONNX model.

    Products with constant weights (Conv, Gemm, MatMul) become layers of the engine, batch
    normalization and ReLU a part of them; other operators stay. Coarse scales of activations come
    from the calibration inputs, on which saturated results are counted, too. The model runs in any
    ONNX runtime of opset 21.

    \b
    Example:
      scalewright quantize digits.onnx --calibrate images.npy --config 4/4U/4/6 --clip octav \\
          -o build/digits.vsq.onnx
    """
    require_writable(output, json_file, inputs=[model, inputs])
    graph = read_graph(model, quantizable=True)
    engine = EngineConfig(datapath=datapath.apply(config), result_bits=result_bits)
    values = tensor_file.load(inputs)
    require_input(inputs, values, graph.input_shape)
    try:
        # Evaluated, quantized, and evaluated again.
        with progress_bar("nodes", 3 * len(graph.nodes)) as advance:
            network = quantize_network(
                graph, values, engine, clip, scaling=Scaling(scaling), progress=advance
            )
            real = evaluate(graph, values, progress=advance)
    except (ValueError, TypeError) as error:
        hint = batch_hint(graph.input_shape, len(values))
        raise ValueError(printable(f"{model} on {inputs}: {error}{hint}")) from None
    saturated: dict[str, int] = {}

    def count(product: Product, layer: Layer, activations: Quantized) -> LayerResult:
        result = run_layer(layer, activations, engine)
        saturated[product.output] = int(result.saturated.sum())
        return result

    with progress_bar("steps on golden", len(network.steps)) as advance:
        tensors = run_network(network, values, engine, run=count, progress=advance)
    sizes = graph.input_shape[1:] if graph.input_shape else values.shape[1:]
    output_sizes: tuple[int | None, ...] = real[graph.output].shape[1:]
    if None in sizes:
        output_sizes = (None,) * len(output_sizes)
    written = write_model(network, engine, sizes, output_sizes).SerializeToString()
    with replacing(output) as scratch:
        scratch.write_bytes(written)

    table = Table(
        "layer", "operator", "weights", "SNR of weights dB", "SNR of results dB", "saturated"
    )
    layers: list[dict[str, Any]] = []
    nodes = {node.name: node for node in graph.nodes}
    for product in network.products:
        node = nodes[product.name]
        exact = weight_matrix(node, graph.constants[node.inputs[1]]).astype(np.float64)
        weights_snr = signal_to_noise_db(exact, product.weights.dequantize().astype(np.float64))
        results_snr = signal_to_noise_db(
            real[product.output].astype(np.float64),
            as_real(tensors[product.output]).astype(np.float64),
        )
        shape = " x ".join(str(size) for size in exact.shape)
        table.add(
            printable(product.name),
            product.kind,
            shape,
            weights_snr,
            results_snr,
            saturated[product.output],
        )
        layers.append(
            {
                "name": product.name,
                "output": product.output,
                "kind": product.kind,
                "shape": exact.shape,
                "gamma": product.gamma,
                "unit": product.unit,
                "fraction_bits": product.fraction_bits,
                "activation_function": product.activation_function.name.lower(),
                "weights_snr_db": weights_snr,
                "results_snr_db": results_snr,
                "saturated": saturated[product.output],
            }
        )
    table.print()
    click.echo(
        f"{output}: {len(layers)} layers, {engine.datapath.summary}, {len(written):,} bytes; "
        f"calibrated on {len(values)} inputs with clipping by {clip}"
    )
    following = ["scalewright", "run", str(output), inputs, "--float", str(model), "--on", "golden"]
    write_json(
        json_file,
        {
            "model": str(model),
            "output": str(output),
            "bytes": len(written),
            "config": engine.datapath.as_dict(),
            "result_bits": result_bits,
            "clip": str(clip),
            "inputs": len(values),
            "layers": layers,
            "next": shlex.join(following),
        },
    )
    say_next(following)
