"""`scalewright ppa`: area, delay and energy; or what is taken of an FPGA."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click

from scalewright.golden.config import PRESETS, DatapathConfig
from scalewright.sim.cli import GROWN, fpga
from scalewright.sim.cli.parameters.configuration import DatapathOptions, datapath_options
from scalewright.sim.cli.parameters.notation import notation_argument
from scalewright.sim.cli.parameters.options import jobs, json_option, progress_bar
from scalewright.sim.cli.program.help import SectionedCommand
from scalewright.sim.cli.program.table import Table
from scalewright.sim.cli.program.terminal import say_next
from scalewright.sim.files import tensors as tensor_file
from scalewright.sim.files.outputs import require_writable, write_json
from scalewright.sim.ppa.baseline import ALLOWED_GROWTH, growths
from scalewright.sim.ppa.cells import CellLibrary
from scalewright.sim.ppa.fpga.cells import FAMILIES
from scalewright.sim.ppa.measure import BLOCKS, Measurement, Subject, measure
from scalewright.sim.ppa.tools import CellFiles, flow_versions, require_flow
from scalewright.sim.ppa.workload import Tensors, digits_tensors
from scalewright.sim.simulators.place import plain_build_folder

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(cls=SectionedCommand)
@notation_argument("notations", several=True)
@click.option(
    "--block",
    type=click.Choice(BLOCKS),
    default=BLOCKS[0],
    show_default=True,
    help="Which hardware; the dot product has a register behind it and none before, the rescaler "
    "one lane.",
)
@datapath_options
@click.option(
    "--fpga",
    "families",
    type=click.Choice(list(FAMILIES)),
    multiple=True,
    help="Count cells of this family of FPGAs, and place and route on iCE40, in place of standard "
    "cells; may be given several times.",
)
@click.option(
    "--dsp-multipliers", is_flag=True, help="Take the rescaler with `*`, as `generate` does."
)
@click.option("--weights", metavar="FILE", help="Weights (M, K) to work on.  [default: the demo's]")
@click.option("--activations", metavar="FILE", help="Activations (N, K).  [default: the demo's]")
@click.option(
    "--vectors",
    type=click.IntRange(min=100),
    metavar="N",
    default=400,
    show_default=True,
    help="Vector pairs, or accumulators, to simulate at gate level.",
)
@click.option("--liberty", type=_FILE, help="Other cells (.lib), with --cells.")
@click.option("--cells", type=_FILE, help="Verilog of these, with delays.")
@click.option("--baseline", type=_FILE, help="A former --json FILE: exit status 4 on growth.")
@json_option
def ppa(
    notations: tuple[DatapathConfig, ...],
    block: str,
    datapath: DatapathOptions,
    families: tuple[str, ...],
    dsp_multipliers: bool,
    weights: str | None,
    activations: str | None,
    vectors: int,
    liberty: Path | None,
    cells: Path | None,
    baseline: Path | None,
    json_file: Path | None,
) -> int:
    """Measure area, delay and energy of the hardware, mapped onto standard cells.

    Yosys maps the Verilog, OpenSTA times it, and Icarus simulates the netlist with the delays of
    its cells; each result must equal golden's. Cells are those of OSU for 0.18 um unless others are
    given. Wires and the clock tree are not in the figures. Without a NOTATION, the presets.

    With --fpga, Yosys alone counts LUTs, carry bits, flip-flops and DSPs; on iCE40 nextpnr gives
    logic cells and the clock, by the slowest path between registers.

    \b
    Example:
      scalewright ppa 4/4/4/6 8/8/-/- --json build/ppa.json
      scalewright ppa 4/4/4/6 --fpga ice40 --fpga xc7
    """
    require_writable(json_file, inputs=[weights, activations, liberty, cells, baseline])
    if (weights is None) != (activations is None):
        raise ValueError("--weights and --activations go together")
    if (liberty is None) != (cells is None):
        raise ValueError("--liberty and --cells go together")
    if dsp_multipliers and block != "rescaler":
        raise ValueError(f"only --block rescaler takes --dsp-multipliers, not {block}")
    subjects = [
        Subject(config=datapath.apply(config), block=block, fused=not dsp_multipliers)
        for config in notations or PRESETS.values()
    ]
    if families:
        if (weights, liberty, baseline) != (None, None, None):
            raise ValueError("--fpga takes no --weights, --liberty or --baseline")
        fpga.count(subjects, tuple(dict.fromkeys(families)), json_file)
        return 0
    files = CellFiles()
    if liberty is not None and cells is not None:
        files = CellFiles(liberty, cells)
    require_flow(files)
    library = CellLibrary.read(files.liberty)
    tensors = digits_tensors()
    if weights is not None and activations is not None:
        tensors = Tensors(weights, tensor_file.load(weights), tensor_file.load(activations))
    folder = plain_build_folder("ppa")
    measurements: list[Measurement] = []
    with progress_bar("ppa", len(subjects)) as advance, ThreadPoolExecutor(jobs()) as pool:
        for measurement in pool.map(
            lambda subject: measure(subject, tensors, files, library, folder, vectors=vectors),
            subjects,
        ):
            measurements.append(measurement)
            advance(1)
    per_mac = block != "rescaler"
    table = Table(
        "configuration",
        "area",
        "in flip-flops %",
        "critical path ns",
        *(("pJ / vector", "pJ / MAC") if per_mac else ("pJ / result",)),
    )
    for each in measurements:
        table.add(
            each.subject.config.slug,
            round(each.area),
            100 * each.sequential_area / each.area,
            each.critical_path,
            each.energy,
            *([each.energy_per_mac] if per_mac else []),
        )
    table.print()
    results = {
        "library": library.name,
        "tools": flow_versions(),
        "tensors": tensors.name,
        "measurements": [each.as_dict() for each in measurements],
    }
    write_json(json_file, results)
    if baseline is None:
        kept = "FILE" if json_file is None else str(json_file)
        say_next(["scalewright", "ppa", "--baseline", kept], "fails where figures have grown")
        return 0
    grown = [each for each in growths(measurements, baseline) if each[2] > ALLOWED_GROWTH]
    for configuration, what, growth in grown:
        click.echo(f"{configuration}: {what} has grown by {100 * growth:.1f} %", err=True)
    return GROWN if grown else 0
