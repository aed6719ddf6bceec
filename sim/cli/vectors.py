"""`scalewright vectors`: stimulus for other simulators."""

import shlex
from pathlib import Path

import click
import numpy as np

from scalewright.golden.calibration import Clip
from scalewright.golden.config import DatapathConfig
from scalewright.sim.bench.element import as_fields
from scalewright.sim.blocks import design_of
from scalewright.sim.cli.parameters.configuration import DatapathOptions, datapath_options
from scalewright.sim.cli.parameters.notation import notation_argument
from scalewright.sim.cli.parameters.operands import load_operands
from scalewright.sim.cli.parameters.options import (
    clip_option,
    json_option,
    output_path,
    scaling_option,
    seed_option,
)
from scalewright.sim.cli.program.help import SectionedCommand
from scalewright.sim.cli.program.terminal import say_next
from scalewright.sim.execution.products import matmul_words
from scalewright.sim.execution.vectors import vector_files, write_vectors
from scalewright.sim.files.outputs import require_writable, write_json
from scalewright.sim.stimulus import vector_pairs as stimulus
from scalewright.sim.testbenches.vector_mac import INPUT, OUTPUT, golden, pack_results


@click.command(cls=SectionedCommand)
@notation_argument("config", required=True)
@datapath_options
@output_path("-o", "--output", metavar="FOLDER", required=True, help="Where the files go.")
@click.option(
    "--vectors",
    type=click.IntRange(min=1),
    default=6000,
    show_default=True,
    help="Random vector pairs, beside the exhaustive ones and corners.",
)
@seed_option
@click.option("--weights", metavar="FILE", help="Take these weights (M, K) ...")
@click.option("--activations", metavar="FILE", help="... and activations (N, K) instead.")
@scaling_option
@clip_option
@json_option
def vectors(
    config: DatapathConfig,
    datapath: DatapathOptions,
    output: Path,
    vectors: int,
    seed: int,
    weights: str | None,
    activations: str | None,
    scaling: str,
    clip: Clip,
    json_file: Path | None,
) -> None:
    """Write $readmemh files of stimulus and expected results, with Verilog to play them.

    The transactions are those of `regress`, or, with two tensors, those of `compare`. The
    manifest names the configuration, the packing, the seed and the files' SHA-256.

    \b
    Example:
      scalewright vectors 4/4U/4/6 --seed 1 -o build/vectors
    """
    if (weights is None) != (activations is None):
        raise ValueError("--weights and --activations go together")
    config = datapath.apply(config)
    design = design_of("vector-mac", config, kept=False)
    require_writable(*vector_files(output, design), json_file, inputs=[weights, activations])
    if weights is not None and activations is not None:
        operands = load_operands(weights, activations, config, scaling, clip)
        inputs, expected = matmul_words(design, operands.weights, operands.activations, config)
        source = {
            "weights": weights,
            "activations": activations,
            "scaling": scaling,
            "clip": str(clip),
        }
    else:
        stream = stimulus.everything(config, vectors, np.random.default_rng(seed))
        result, _ = golden(stream, config)
        inputs = design.codec(INPUT).pack(as_fields(stream, config))
        expected = pack_results(design.codec(OUTPUT), result)
        source = {"seed": str(seed), "random vectors": str(vectors)}
    manifest = write_vectors(output, design, inputs, expected, source)
    write_json(json_file, manifest)
    click.echo(
        f"{output}: {len(inputs):,} vector pairs, {len(expected):,} results; "
        f"to play them there: {manifest['run']}"
    )
    say_next(f"cd {shlex.quote(str(output))} && {manifest['run']}")
