"""`scalewright regress`: the RTL of many configurations against golden."""

from pathlib import Path

import click
import numpy as np

from scalewright.golden.config import DatapathConfig
from scalewright.sim.blocks import BLOCKS
from scalewright.sim.cli import DIFFERENT
from scalewright.sim.cli.parameters.block import (
    BlockOptions,
    block_option,
    block_options,
    choose_config,
)
from scalewright.sim.cli.parameters.configuration import DatapathOptions, datapath_options
from scalewright.sim.cli.parameters.notation import notation_argument
from scalewright.sim.cli.parameters.options import (
    jobs,
    json_option,
    progress_bar,
    scheduler_option,
    seed_option,
)
from scalewright.sim.cli.program.help import SectionedCommand
from scalewright.sim.cli.program.table import Table
from scalewright.sim.cli.program.terminal import say_next
from scalewright.sim.files.outputs import require_writable, write_json
from scalewright.sim.regression.configurations import covering
from scalewright.sim.regression.regress import Regression, Verdict
from scalewright.sim.regression.regress import regress as run
from scalewright.sim.simulators.build import COCOTB, PLAYERS, SIMULATORS, VERILATOR
from scalewright.sim.tasks.runner import runner_of


@click.command(cls=SectionedCommand)
@notation_argument("notations", several=True)
@block_option
@datapath_options
@block_options
@click.option(
    "--vectors",
    "--tensors",
    "--beats",
    "transactions",
    type=click.IntRange(min=1),
    metavar="N",
    default=6000,
    show_default=True,
    help="Random vector pairs (octav: tensors, rescaler: beats, engine: activation vectors) for "
    "each configuration, beside the fixed ones.",
)
@seed_option
@click.option("--phase", metavar="NAME", help="Play only this phase of the regression.")
@click.option(
    "--waves",
    is_flag=True,
    help="Record waves (VCD; icarus: FST): of a phase that fails, from 500 cycles before.",
)
@click.option(
    "--verilog",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Test this Verilog, such as a synthesised netlist, in place of the generated.",
)
@click.option(
    "--top",
    metavar="MODULE",
    help="Its top-level module, with ports of either kind.  [default: the block's name]",
)
@click.option(
    "--simulator",
    type=click.Choice(list(SIMULATORS)),
    default=VERILATOR.name,
    show_default=True,
    help="verilator compiles for a while, then plays fast: for many vectors. icarus plays at once, "
    "some fifteen times slower, and knows unknown bits (X): for what a reset leaves undefined.",
)
@click.option(
    "--player",
    type=click.Choice(list(PLAYERS)),
    default=COCOTB,
    show_default=True,
    help="cocotb runs the Python testbench that users read and extend. compiled plays the same on "
    "verilator in C++, with the same outcome to the cycle, ten times as fast: for many vectors.",
)
@scheduler_option
@json_option
def regress(
    notations: tuple[DatapathConfig, ...],
    block: str,
    datapath: DatapathOptions,
    options: BlockOptions,
    transactions: int,
    seed: int,
    phase: str | None,
    waves: bool,
    verilog: Path | None,
    top: str | None,
    simulator: str,
    player: str,
    scheduler: str | None,
    json_file: Path | None,
) -> int:
    """Compare the RTL with the golden model, bit for bit.

    Without a NOTATION (or an option of the block octav), the presets are played and configurations
    that have every pair of parameters' values, extremes with extremes. Exit status 1 if any result
    differs.

    \b
    Example:
      scalewright regress 4/4U/4/6 --scale-product-bits 6 --vectors 100000 --seed 1
    """
    require_writable(json_file, inputs=[verilog])
    chosen = [choose_config(block, notation, datapath, options) for notation in notations or [None]]
    configs = [config for config in chosen if config is not None]
    if not configs:
        # Options without a notation hold for all configurations of the vector MAC.
        configs = [
            datapath.apply(config) if isinstance(config, DatapathConfig) else config
            for config in covering(block)
        ]
    if top is not None and verilog is None:
        raise ValueError("--top names the module of a --verilog file: give one")
    if verilog is not None and len(configs) != 1:
        raise ValueError("--verilog tests one file: give one configuration")
    regressions = [
        Regression(block, config, transactions, seed, phase, waves, verilog, simulator, top, player)
        for config in configs
    ]
    verdicts: list[Verdict] = []
    with (
        progress_bar("regress", len(regressions)) as advance,
        runner_of(scheduler, jobs()) as runner,
    ):
        for verdict in runner.run(run, regressions):
            verdicts.append(verdict)
            advance(1)
    table = Table("configuration", "transactions", "results", "cycles", "mismatches")
    for verdict in verdicts:
        table.add(
            verdict.regression.config.slug,
            verdict.transactions,
            verdict.results,
            verdict.cycles,
            verdict.mismatches,
        )
    table.print()
    _print_covered(verdicts)
    failures = [verdict for verdict in verdicts if verdict.failure is not None]
    for verdict in failures:
        click.echo(f"\nFAILED {verdict.regression.config.slug}: {verdict.failure}", err=True)
    for verdict in verdicts:
        if verdict.waves is not None:
            click.echo(f"waves: {verdict.waves}")
    write_json(json_file, [verdict.as_dict() for verdict in verdicts])
    if not failures:
        words = [*BLOCKS[block].words(configs[0]), "--block", block, "-o", f"build/{block}.v"]
        say_next(["scalewright", "generate", *words], "writes the Verilog")
    return DIFFERENT if failures else 0


def _print_covered(verdicts: list[Verdict]) -> None:
    """What the regression has seen in all, and which configurations lack an event."""
    events = dict.fromkeys(event for verdict in verdicts for event in verdict.covered)
    table = Table("event", "times", "configurations with it")
    for event in events:
        times = [verdict.covered.get(event, 0) for verdict in verdicts]
        table.add(event, sum(times), f"{np.count_nonzero(times)} of {len(times)}")
    click.echo()
    table.print()
    for event in events:
        lacking: dict[str, list[str]] = {}
        for verdict in verdicts:
            if event in verdict.missing:
                slug = verdict.regression.config.slug
                lacking.setdefault(verdict.missing[event] or "never drawn", []).append(slug)
        for reason, slugs in lacking.items():
            click.echo(f"not covered: {event} in {', '.join(slugs)}: {reason}")
