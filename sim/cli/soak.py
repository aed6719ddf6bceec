"""`scalewright soak`: random configurations, each with millions of vectors, against golden."""

from collections.abc import Iterator
from itertools import islice, takewhile
from math import inf
from pathlib import Path
from time import monotonic

import click

from scalewright.golden.config import DatapathConfig
from scalewright.sim.blocks import Config
from scalewright.sim.cli import DIFFERENT
from scalewright.sim.cli.parameters.block import BlockOptions, block_options, choose_config
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
from scalewright.sim.soak.log import SoakLog
from scalewright.sim.soak.task import SOAKED, Done, Task, play, tasks
from scalewright.sim.tasks.runner import runner_of

_DEFAULT_MINUTES = 10


@click.command(cls=SectionedCommand)
@notation_argument("notations", several=True)
@click.option(
    "--block",
    "blocks",
    type=click.Choice(SOAKED),
    multiple=True,
    help="Which hardware, once for each.  [default: all of them in turn]",
)
@datapath_options
@block_options
@click.option(
    "--minutes",
    type=click.FloatRange(min=0, min_open=True),
    metavar="N",
    help=f"Begin nothing new after so many minutes.  [default: {_DEFAULT_MINUTES}, without "
    "--vectors]",
)
@click.option(
    "--vectors",
    type=click.IntRange(min=1),
    metavar="N",
    help="Begin nothing new once so many vector pairs are done, earlier ones in the log included.",
)
@click.option(
    "--share",
    type=click.IntRange(min=1),
    metavar="N",
    default=1 << 22,
    show_default=True,
    help="Vector pairs for each configuration before the next.",
)
@seed_option
@click.option(
    "--log",
    # No OutputPath: what is there is kept, and gone on with.
    type=click.Path(path_type=Path),
    metavar="FILE.jsonl",
    default=Path("build/soak.jsonl"),
    show_default=True,
    help="What was done, a line for each configuration; a soak with the same log goes on there.",
)
@scheduler_option
@json_option
def soak(
    notations: tuple[DatapathConfig, ...],
    blocks: tuple[str, ...],
    datapath: DatapathOptions,
    options: BlockOptions,
    minutes: float | None,
    vectors: int | None,
    share: int,
    seed: int,
    log: Path,
    scheduler: str | None,
    json_file: Path | None,
) -> int:
    """Play random vectors on random configurations, for as long as one likes.

    Without a NOTATION, each configuration is drawn from all that a simulator is built of within
    minutes; with some, they are played in turn, with new vectors each time. Every result is
    compared with the golden model. The first that differs ends the soak, with exit status 1 and the
    command that plays it again with waves.

    \b
    Example:
      scalewright soak --minutes 60 --seed 1 --log build/soak.jsonl
    """
    require_writable(log, json_file)
    configs = {block: _configs(block, notations, datapath, options) for block in blocks or SOAKED}
    slugs = {block: [config.slug for config in some] for block, some in configs.items()}
    if minutes is None and vectors is None:
        minutes = _DEFAULT_MINUTES
    with SoakLog(log, {"seed": seed, "share": share, "configurations": slugs}) as record:
        if not any(done.failure for done in record.done):
            _play(record, tasks(seed, configs, share), minutes, vectors, share, scheduler)
    failures = [done for done in record.done if done.failure is not None]
    _print_table(record.done)
    for done in failures:
        click.echo(f"\nFAILED {done.block} {done.config}: {done.failure}", err=True)
    write_json(json_file, [done.as_dict() for done in record.done])
    if not failures:
        # Another seed, share or configuration would be another soak.
        say_next("the same command again", "goes on where the log ends")
    return DIFFERENT if failures else 0


def _play(
    record: SoakLog,
    endless: Iterator[Task],
    minutes: float | None,
    vectors: int | None,
    share: int,
    scheduler: str | None,
) -> None:
    """Play what the log has not, until a limit or a failure, and add it to the log."""
    end = inf if minutes is None else monotonic() + 60 * minutes
    pairs = sum(done.pairs for done in record.done)
    begun = len(record.done)
    wanted = None if vectors is None else begun + max(0, -(-(vectors - pairs) // share))
    waiting = takewhile(lambda _: monotonic() < end, islice(endless, begun, wanted))
    limit = ("vector pairs", vectors) if vectors else ("seconds", round(60 * (minutes or 0)))
    began, told = monotonic(), 0
    with progress_bar(*limit) as advance, runner_of(scheduler, jobs()) as runner:
        advance(pairs if vectors else 0)
        for done in runner.run(play, waiting):
            record.add(done)
            elapsed = int(monotonic() - began)
            advance(done.pairs if vectors else elapsed - told)
            told = elapsed
            if done.failure is not None:
                return


def _configs(
    block: str,
    notations: tuple[DatapathConfig, ...],
    datapath: DatapathOptions,
    options: BlockOptions,
) -> list[Config]:
    """The configurations of a block that were asked for."""
    chosen = [choose_config(block, notation, datapath, options) for notation in notations]
    return [config for config in chosen if config is not None]


def _print_table(done: list[Done]) -> None:
    table = Table(
        "block", "configurations", "vector pairs", "products", "results", "cycles", "mismatches"
    )
    for block in dict.fromkeys(each.block for each in done):
        of_block = [each for each in done if each.block == block]
        table.add(
            block,
            len({each.config for each in of_block}),
            *(
                sum(getattr(each, name) for each in of_block)
                for name in ("pairs", "products", "results", "cycles", "mismatches")
            ),
        )
    table.print()
