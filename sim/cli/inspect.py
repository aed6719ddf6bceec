"""`scalewright inspect`: what of a network runs where, and what it would lose."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from scalewright.golden.config import DatapathConfig, EngineConfig
from scalewright.sim.cli.parameters.configuration import DatapathOptions, datapath_options
from scalewright.sim.cli.parameters.engine import EngineSize, engine_size_options
from scalewright.sim.cli.parameters.inputs import load_inputs, paths_of
from scalewright.sim.cli.parameters.notation import NotationOrPreset
from scalewright.sim.cli.parameters.options import json_option, progress_bar
from scalewright.sim.cli.program.help import SectionedCommand
from scalewright.sim.cli.program.table import Table
from scalewright.sim.cli.program.terminal import say_next
from scalewright.sim.execution.inspection import Inspection, stand_in
from scalewright.sim.execution.inspection import inspect as inspect_graph
from scalewright.sim.files.names import printable
from scalewright.sim.files.outputs import require_writable, write_json
from scalewright.sim.models.float_model import read_graph

# Where the user names none: one scale for each channel, then one for each vector, too.
_DEFAULT = ("8/8/-/-", "4/8/4/-", "4/4/4/6")


@click.command(cls=SectionedCommand)
@click.argument("model", metavar="MODEL.onnx", type=click.Path(path_type=Path))
@click.argument("inputs", metavar="[INPUTS]...", nargs=-1)
@click.option(
    "--config",
    "configs",
    metavar="NOTATION",
    type=NotationOrPreset(),
    multiple=True,
    help="W/A/ws/as, such as 4/4U/4/6, or a preset; several to compare them.  "
    f"[default: {', '.join(_DEFAULT)}]",
)
@datapath_options
@engine_size_options
@json_option
def inspect(
    model: Path,
    inputs: tuple[str, ...],
    configs: tuple[DatapathConfig, ...],
    datapath: DatapathOptions,
    size: EngineSize,
    json_file: Path | None,
) -> None:
    """Show what of a network runs where, and what it would lose.

    Each product has a row: its multiplications, the bytes of its weights, its cycles on the engine
    at least, and the share of the engine's multiplications that it uses. Whatever cannot be
    computed is told at once. INPUTS are as those of `run`, for the signal-to-noise ratio of each
    configuration; without them the network gets random numbers of the sizes that it declares.

    \b
    Example:
      scalewright inspect model.onnx
      scalewright inspect model.onnx images.npy --config 8/8/-/- --config 4/4/4/6
    """
    require_writable(json_file, inputs=[model, *paths_of(inputs)])
    graph = read_graph(model, quantizable=True)
    x = load_inputs(inputs, graph.inputs) if inputs else stand_in(graph.inputs)
    chosen = configs or tuple(DatapathConfig.parse(text) for text in _DEFAULT)
    engines = [size.apply(EngineConfig(datapath=datapath.apply(each))) for each in chosen]
    found: list[tuple[EngineConfig, Inspection | ValueError]] = []
    with progress_bar("configurations", len(engines)) as advance:
        for engine in engines:
            # What a network reaches shall not saturate here: quantize chooses accumulators.
            wide = replace(engine, datapath=replace(engine.datapath, accumulator_bits=48))
            try:
                found.append((engine, inspect_graph(graph, x, wide)))
            except ValueError as error:
                found.append((engine, error))
            advance(1)
    done = [(engine, each) for engine, each in found if isinstance(each, Inspection)]
    if not done:
        _, reason = found[0]
        raise ValueError(printable(f"{model}: {reason}"))
    engine, first = done[0]
    _print_layers(first)
    total = sum(layer.multiplications for layer in first.layers)
    cycles = sum(layer.cycles for layer in first.layers)
    host = ", ".join(f"{count} {kind}" for kind, count in first.host.items()) or "nothing"
    click.echo(
        f"{len(first.layers)} layers on {engine}: {total:,} multiplications, {cycles:,} cycles; "
        f"on the host: {host}"
    )
    table = Table("configuration", "weights KiB", "cycles", "useful %", "SNR dB")
    for each, result in found:
        if isinstance(result, ValueError):
            click.echo(printable(f"{each.datapath}: {result}"), err=True)
            continue
        spent = sum(layer.capacity for layer in result.layers)
        table.add(
            str(each.datapath),
            sum(layer.weight_bytes for layer in result.layers) / 1024,
            sum(layer.cycles for layer in result.layers),
            100 * sum(layer.multiplications for layer in result.layers) / spent,
            result.snr_db if inputs else "-",
        )
    table.print()
    write_json(
        json_file,
        {
            "model": str(model),
            "inputs": list(inputs),
            "configurations": [
                _as_dict(each, result, measured=bool(inputs)) for each, result in found
            ],
        },
    )
    following = ["scalewright", "quantize", str(model), "--calibrate", *(inputs or ["x.npy"])[:1]]
    say_next([*following, "--config", str(engine.datapath), "-o", "build/network.vsq.onnx"])


def _print_layers(inspection: Inspection) -> None:
    table = Table("layer", "operator", "weights", "MACs", "bytes", "cycles", "useful %")
    for layer in inspection.layers:
        table.add(
            printable(layer.name),
            layer.kind,
            layer.shape,
            layer.multiplications,
            layer.weight_bytes,
            layer.cycles,
            100 * layer.efficiency,
        )
    table.print()


def _as_dict(
    engine: EngineConfig, result: Inspection | ValueError, *, measured: bool
) -> dict[str, Any]:
    facts: dict[str, Any] = {"config": engine.as_dict()}
    if isinstance(result, ValueError):
        return {**facts, "error": str(result)}
    return {
        **facts,
        "snr_db": result.snr_db if measured else None,
        "host": result.host,
        "layers": [layer.as_dict() for layer in result.layers],
    }
