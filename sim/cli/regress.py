"""`scalewright regress`: the RTL of many configurations against golden."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click

from golden.config import DatapathConfig
from sim.cli import DIFFERENT
from sim.cli.options import (
    DatapathOptions,
    NotationOrPreset,
    block_option,
    datapath_options,
    jobs,
    json_option,
    progress_bar,
    seed_option,
    write_json,
)
from sim.cli.table import Table
from sim.coverage import COVERING
from sim.regress import Regression, Verdict
from sim.regress import regress as run
from sim.tensor_file import require_writable


@click.command()
@click.argument("configs", metavar="[NOTATION]...", type=NotationOrPreset(), nargs=-1)
@block_option
@datapath_options
@click.option(
    "--vectors",
    type=click.IntRange(min=1),
    default=6000,
    show_default=True,
    help="Random vector pairs for each configuration, beside the exhaustive ones and corners.",
)
@seed_option
@click.option("--phase", metavar="NAME", help="Play only this phase of the regression.")
@click.option("--waves", is_flag=True, help="Record waves (VCD).")
@click.option(
    "--verilog",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Test this Verilog, such as a synthesised netlist, in place of the generated.",
)
@json_option
def regress(
    configs: tuple[DatapathConfig, ...],
    block: str,
    datapath: DatapathOptions,
    vectors: int,
    seed: int,
    phase: str | None,
    waves: bool,
    verilog: Path | None,
    json_file: Path | None,
) -> int:
    """Compare the RTL with the golden model, bit for bit.

    Without a NOTATION, configurations are played that cover every width, signedness, absent
    scale, scale product and vector size. Exit status 1 if any result differs.

    \b
    Example:
      scalewright regress 4/4U/4/6 --scale-product-bits 6 --vectors 100000 --seed 1
    """
    require_writable(json_file)
    if verilog is not None and len(configs) != 1:
        raise ValueError("--verilog tests one file: give one NOTATION")
    regressions = [
        Regression(block, datapath.apply(config), vectors, seed, phase, waves, verilog)
        for config in configs or COVERING
    ]
    verdicts: list[Verdict] = []
    with progress_bar("regress", len(regressions)) as advance, ThreadPoolExecutor(jobs()) as pool:
        for verdict in pool.map(run, regressions):
            verdicts.append(verdict)
            advance(1)
    table = Table("configuration", "V", "P", "C", "vectors", "results", "cycles", "mismatches")
    for verdict in verdicts:
        config = verdict.regression.config
        table.add(
            config,
            config.vector_size,
            config.rounded_scale_product_bits,
            config.accumulator_bits,
            verdict.vectors,
            verdict.results,
            verdict.cycles,
            verdict.mismatches,
        )
    table.print()
    failures = [verdict for verdict in verdicts if verdict.failure is not None]
    for verdict in failures:
        click.echo(f"\nFAILED {verdict.regression.config}: {verdict.failure}", err=True)
    for verdict in verdicts:
        if verdict.waves is not None:
            click.echo(f"waves: {verdict.waves}")
    write_json(json_file, [verdict.as_dict() for verdict in verdicts])
    return DIFFERENT if failures else 0
