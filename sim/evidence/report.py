"""Measures what training methods are worth: `python -m scalewright.sim.evidence.report`.

Every seed of every experiment is a job of its own, in a process with one thread, and its results
are kept in `build/training`: an interrupted run goes on where it was. After a change of anything
that they depend on they are measured anew.
"""

from scalewright.sim.cli.program.launch import launch

# First of all: imports may fail, too.
if __name__ == "__main__":
    launch("scalewright.sim.evidence.report", "main")


import hashlib
import json
import platform
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import click
import torch

from scalewright.sim.cli.parameters.options import jobs, json_option, output_path, progress_bar
from scalewright.sim.evidence import (
    octav_mad,
    oscillations,
    page,
    replaced_blocks,
    tempered_noise,
    vector_scales,
)
from scalewright.sim.evidence.experiment import Experiment, Measured, Row
from scalewright.sim.files.outputs import replacing, require_writable, write_json
from scalewright.sim.simulators.place import build_folder
from scalewright.sim.simulators.watchdog import end_with_parent

# The longest first.
EXPERIMENTS: tuple[Experiment, ...] = (
    *octav_mad.EXPERIMENTS,
    *vector_scales.EXPERIMENTS,
    *replaced_blocks.EXPERIMENTS,
    *oscillations.EXPERIMENTS,
    *tempered_noise.EXPERIMENTS,
)

_ROOT = Path(__file__).parents[2]


def source_digest(experiment: Experiment) -> str:
    """A hash of everything that an experiment's results depend on."""
    digest = hashlib.sha256(f"{torch.__version__} {platform.python_version()}".encode())
    here = Path(__file__)
    others = {Path(item.source) for item in EXPERIMENTS} - {Path(experiment.source)}
    others |= {here, here.with_name("page.py")}
    for folder in (
        *(_ROOT / name for name in ("golden", "sim/training", "golden/config")),
        here.parent,
    ):
        for file in sorted(set(folder.glob("*.py")) - others):
            digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def run_job(name: str, seed: int, share: float, folder: Path) -> Measured:
    """Measurements of one seed of an experiment, from the folder if they are there."""
    (experiment,) = [item for item in EXPERIMENTS if item.name == name]
    file = folder / f"{name}-{seed}-{share:g}-{source_digest(experiment)}.json"
    if file.exists():
        stored: Measured = json.loads(file.read_text())
        return stored
    torch.set_num_threads(1)
    measured = experiment.run(seed, share)
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(file) as scratch:
        scratch.write_text(json.dumps(measured))
    return measured


def measure(
    experiments: tuple[Experiment, ...], seeds: int, share: float, folder: Path
) -> dict[str, list[Measured]]:
    """Measurements of all seeds of experiments, with a progress bar."""
    wanted = [(item.name, seed) for item in experiments for seed in range(seeds)]
    results: dict[tuple[str, int], Measured] = {}
    # Spawned: torch's threads do not survive a fork.
    pool = ProcessPoolExecutor(jobs(), mp_context=get_context("spawn"), initializer=end_with_parent)
    with pool, progress_bar("training", len(wanted)) as advance:
        futures = {pool.submit(run_job, *job, share, folder): job for job in wanted}
        for future in as_completed(futures):
            results[futures[future]] = future.result()
            advance(1)
    return {item.name: [results[item.name, seed] for seed in range(seeds)] for item in experiments}


@click.command()
@click.option("--seeds", type=click.IntRange(1), default=8, show_default=True, metavar="N")
@click.option(
    "--share",
    type=click.FloatRange(0, 1, min_open=True),
    default=1.0,
    show_default=True,
    help="Share of the training steps: less is for a quick look.",
)
@click.option(
    "--only", "names", multiple=True, metavar="NAME", help="Only experiments with such names."
)
@output_path(
    "--page",
    "page_file",
    metavar="FILE.md",
    help="Write the table to this file, and its picture beside it.",
)
@json_option
def main(
    seeds: int, share: float, names: tuple[str, ...], page_file: Path | None, json_file: Path | None
) -> None:
    r"""Measure the claims of the papers on training, on small networks.

    \b
    Example:
      python -m scalewright.sim.evidence.report --seeds 2 --share 0.05 --only oscillations
    """
    picture = page_file and page.picture_of(page_file)
    require_writable(page_file, picture, json_file)
    chosen = tuple(item for item in EXPERIMENTS if not names or item.name in names)
    if not chosen:
        known = ", ".join(item.name for item in EXPERIMENTS)
        raise click.UsageError(f"--only must name some of {known}")
    results = measure(chosen, seeds, share, build_folder("training"))
    rows: list[Row] = [row for item in chosen for row in item.rows(results[item.name])]
    page.print_rows(rows)
    facts: dict[str, Any] = {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "seeds": seeds,
        "share": share,
    }
    if page_file is not None:
        page.write(page_file, rows, results, facts)
    write_json(json_file, {**facts, "rows": [row.__dict__ for row in rows], "measured": results})
