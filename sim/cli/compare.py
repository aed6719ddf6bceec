"""`scalewright compare`: the user's own tensors through the RTL."""

from pathlib import Path
from time import perf_counter
from typing import Any

import click
import numpy as np
import numpy.typing as npt

from scalewright.golden.calibration import Clip
from scalewright.golden.config import DatapathConfig
from scalewright.sim.blocks import design_of
from scalewright.sim.cli import DIFFERENT
from scalewright.sim.cli.configuration import DatapathOptions, datapath_options
from scalewright.sim.cli.help import SectionedCommand
from scalewright.sim.cli.notation import notation_argument
from scalewright.sim.cli.operands import load_operands
from scalewright.sim.cli.options import (
    clip_option,
    json_option,
    output_path,
    progress_bar,
    scaling_option,
)
from scalewright.sim.cli.table import Table
from scalewright.sim.execution.products import compare_matmul, real_product, signal_to_noise_db
from scalewright.sim.files import tensors as tensor_file
from scalewright.sim.files.outputs import require_writable, write_json
from scalewright.sim.simulators.build import build


@click.command(cls=SectionedCommand)
@click.argument("weights")
@click.argument("activations")
@notation_argument("config", required=True)
@datapath_options
@scaling_option
@clip_option
@output_path(
    "--out", metavar="FILE", help="Write integers, scales and results to a .npz or .safetensors."
)
@json_option
def compare(
    weights: str,
    activations: str,
    config: DatapathConfig,
    datapath: DatapathOptions,
    scaling: str,
    clip: Clip,
    out: Path | None,
    json_file: Path | None,
) -> int:
    """Quantize two tensors, multiply them in the RTL, compare every accumulator with golden.

    WEIGHTS (M, K) and ACTIVATIONS (N, K) are .npy, .npz or .safetensors files; FILE:NAME picks
    one tensor of several. Weights have one coarse scale for each row, activations one in all. Exit
    status 1 if any accumulator differs.

    \b
    Example:
      scalewright compare model.safetensors:fc1 inputs.npy --config 4/4U/4/6 --out build/fc1.npz
    """
    config = datapath.apply(config)
    if out is not None:
        tensor_file.require_writable_kind(out)
    require_writable(out, json_file, inputs=[weights, activations])
    operands = load_operands(weights, activations, config, scaling, clip)
    w, a = operands.weights, operands.activations
    built = build(design_of("vector-mac", config))
    total = len(w.elements) * len(a.elements) * w.elements.shape[1]
    started = perf_counter()
    with progress_bar("vector pairs", total) as advance:
        result = compare_matmul(built, w, a, config, progress=advance)
    seconds = perf_counter() - started

    product = real_product(result.rtl, w, a, config)
    summary = {
        "config": config.as_dict(),
        "weights": weights,
        "activations": activations,
        "scaling": scaling,
        "clip": str(clip),
        "vector_pairs": result.vectors,
        "accumulators": result.rtl.accumulators.size,
        "mismatches": result.mismatch_count,
        "saturated": int(result.rtl.saturated.sum()),
        "signal_to_noise_db": signal_to_noise_db(operands.exact, product),
        "cycles": result.cycles,
        "seconds": seconds,
    }
    table = Table("configuration", "accumulators", "mismatches", "saturated", "SNR dB", "pairs/s")
    table.add(
        config,
        summary["accumulators"],
        summary["mismatches"],
        summary["saturated"],
        summary["signal_to_noise_db"],
        round(result.vectors / seconds),
    )
    table.print()
    if result.first_mismatch is not None:
        mismatch, (n, m) = result.first_mismatch
        click.echo(
            f"first mismatch at activation row {n}, weight row {m}: "
            f"got {mismatch.got}, want {mismatch.want} (payload words)",
            err=True,
        )
    if out is not None:
        tensors: dict[str, npt.NDArray[Any]] = {
            "accumulators": result.rtl.accumulators,
            "saturated": result.rtl.saturated.astype(np.uint8),
            "product": product.astype(np.float32),
        }
        for name, operand in (("weights", w), ("activations", a)):
            tensors[f"{name}.elements"] = operand.elements
            tensors[f"{name}.gamma"] = operand.gamma
            if operand.scales is not None:
                tensors[f"{name}.scales"] = operand.scales
        tensor_file.save(out, tensors, summary)
    write_json(json_file, summary)
    return DIFFERENT if result.mismatch_count else 0
