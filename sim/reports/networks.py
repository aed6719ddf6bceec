"""Networks on the engine, each in a row: what runs there, what it loses, whether the RTL agrees.

Each layer is given rows of its own inputs, drawn at random, on the simulated RTL; and the file that
the quantized network is written to is run by ONNX Runtime, whose result is compared with golden's:
`python -m scalewright.sim.reports.networks MODEL.onnx...`.
"""

from scalewright.sim.cli.program.launch import launch

# First of all: imports may fail, too.
if __name__ == "__main__":
    launch("scalewright.sim.reports.networks", "networks")


from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
import numpy.typing as npt

from scalewright.golden.calibration import Clip
from scalewright.golden.config import DatapathConfig, EngineConfig
from scalewright.golden.network import Network, Region, run_network
from scalewright.golden.network.graph import evaluate
from scalewright.golden.network.quantization import quantize_network
from scalewright.golden.network.saturation import (
    fitting_bits,
    largest_accumulators,
    with_accumulators,
)
from scalewright.sim.cli.parameters.engine import EngineSize, engine_size_options
from scalewright.sim.cli.parameters.notation import NotationOrPreset
from scalewright.sim.cli.parameters.options import json_option, progress_bar
from scalewright.sim.cli.program.table import Table
from scalewright.sim.execution.inspection import loads_of, stand_in
from scalewright.sim.execution.networks import count_words, run_on_rtl
from scalewright.sim.execution.products import signal_to_noise_db
from scalewright.sim.files.names import printable
from scalewright.sim.files.outputs import require_writable, write_json
from scalewright.sim.files.tensors import load_all
from scalewright.sim.models.float_model import read_graph
from scalewright.sim.models.host import open_session
from scalewright.sim.models.quantized_model import write_model

# One engine for most networks.
_ACCUMULATOR_BITS = 32
Feeds = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True, kw_only=True)
class Row:
    """A network on the engine.

    Attributes:
        model: Its file.
        layers: Products on the engine.
        stacks: Of these, products of two activations.
        groups: Of these, convolutions in groups.
        regions: Regions of the host between them.
        multiplications: What the engine multiplies for the inputs.
        accumulator_bits: Bits of accumulators that hold its sums.
        snr_db: Signal-to-noise ratio of the first output in dB, uncorrected.
        runtime_db: That of golden's first output against ONNX Runtime's of the written file.
        results: Results of the RTL that were compared.
        mismatches: Those that differ from golden's.
    """

    model: str
    layers: int
    stacks: int
    groups: int
    regions: int
    multiplications: int
    accumulator_bits: int
    snr_db: float
    runtime_db: float
    results: int
    mismatches: int


def measure(model: Path, config: EngineConfig, sample: int, *, alike: int = 1) -> Row:
    """Quantize a network, and run it in golden, on the RTL and in ONNX Runtime.

    Args:
        model: The file; inputs by name come from the .npz beside it, or are random numbers.
        config: The engine; its accumulators are wider where the network needs it.
        sample: Rows of each layer that the RTL plays.
        alike: How many networks of about this size the engine plays: many are worth a faster one.

    Raises:
        ValueError: A network that cannot be read or quantized.
    """
    graph = read_graph(model, quantizable=True)
    beside = model.with_suffix(".npz")
    inputs: Feeds = load_all(beside) if beside.exists() else stand_in(graph.inputs)
    network = quantize_network(graph, inputs, with_accumulators(config, 48), Clip("max"))
    largest = largest_accumulators(network, inputs, config)
    bits = max(fitting_bits(p, largest[p.name], config) for p in network.products)
    config = with_accumulators(config, max(bits, _ACCUMULATOR_BITS))
    words = alike * count_words(network, inputs, config, sample=sample)
    ran = run_on_rtl(network, inputs, config, words=words, sample=sample)
    (name, *_) = network.outputs
    loads, result = loads_of(network, inputs, config)
    golden = result.astype(np.float64)
    exact = evaluate(graph, inputs, keep=[name])[name].astype(np.float64)
    return Row(
        model=str(model),
        layers=len(network.products),
        stacks=sum(product.right is not None for product in network.products),
        groups=sum(product.group > 1 for product in network.products),
        regions=sum(isinstance(step, Region) for step in network.steps),
        multiplications=sum(load.multiplications for load in loads),
        accumulator_bits=bits,
        snr_db=signal_to_noise_db(exact, golden),
        runtime_db=signal_to_noise_db(_in_runtime(network, config, inputs, name), golden),
        results=sum(layer.results for layer in ran.layers),
        mismatches=ran.mismatch_count,
    )


def _in_runtime(
    network: Network, config: EngineConfig, inputs: Feeds, name: str
) -> npt.NDArray[np.float64]:
    """An output of the written file in ONNX Runtime."""
    results = run_network(network, inputs, config, keep=network.outputs)
    session = open_session(write_model(network, config, results), [])
    (values,) = session.run([name], dict(inputs))
    return np.asarray(values, np.float64)


@click.command()
@click.argument("models", metavar="MODEL.onnx...", nargs=-1, required=True)
@click.option(
    "--config",
    type=NotationOrPreset(),
    default="8/8/-/-",
    show_default=True,
    metavar="NOTATION",
    help="The engine's datapath.",
)
@click.option(
    "--sample",
    type=click.IntRange(min=1),
    default=4,
    show_default=True,
    metavar="ROWS",
    help="Rows of each layer that the RTL plays.",
)
@engine_size_options
@json_option
def networks(
    models: tuple[str, ...],
    config: DatapathConfig,
    sample: int,
    size: EngineSize,
    json_file: Path | None,
) -> int:
    """Run networks on the engine, and compare RTL, golden and ONNX Runtime."""
    require_writable(json_file, inputs=list(models))
    engine = size.apply(EngineConfig(datapath=config, depth=1024, result_bits=24))
    table = Table(
        "network", "layers", "of two activations", "in groups", "MMACs", "accumulator bits",
        "SNR dB", "ONNX Runtime dB", "RTL results", "mismatches",
    )  # fmt: skip
    rows = []
    with progress_bar("networks", len(models)) as advance:
        for model in models:
            row = measure(Path(model), engine, sample, alike=len(models))
            rows.append(row)
            table.add(
                printable(Path(model).stem), row.layers, row.stacks, row.groups,
                row.multiplications / 1e6, row.accumulator_bits, row.snr_db, row.runtime_db,
                row.results, row.mismatches,
            )  # fmt: skip
            advance(1)
    table.print()
    write_json(json_file, {"config": engine.as_dict(), "rows": [vars(row) for row in rows]})
    return int(any(row.mismatches for row in rows))
