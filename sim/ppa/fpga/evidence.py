"""What a dot product takes of an FPGA, against `*` and `+`.

`python -m scalewright.sim.ppa.fpga.evidence` prints it.

Every netlist is simulated on the digits' tensors, and each result compared with golden's.
"""

from scalewright.sim.cli.program.launch import launch

# First of all: imports may fail, too.
if __name__ == "__main__":
    launch("scalewright.sim.ppa.fpga.evidence", "main")


from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from scalewright.golden.config import DatapathConfig
from scalewright.sim.cli.fpga import placed, programs
from scalewright.sim.cli.parameters.options import jobs, json_option, progress_bar
from scalewright.sim.cli.program.table import Table
from scalewright.sim.files.outputs import require_writable, write_json
from scalewright.sim.ppa import tools
from scalewright.sim.ppa.activity import simulate_gates
from scalewright.sim.ppa.fpga.cells import FAMILIES, Counts, synthesise
from scalewright.sim.ppa.fpga.model import functions
from scalewright.sim.ppa.fpga.placement import Placement, place
from scalewright.sim.ppa.gate_level import RESET_CYCLES, require_golden, stimulus
from scalewright.sim.ppa.measure import Subject
from scalewright.sim.ppa.workload import digits_tensors, vector_pairs
from scalewright.sim.simulators.place import build_folder

_CONFIGS = tuple(DatapathConfig.parse(notation) for notation in ("4/4/-/-", "8/8/-/-"))
_SEEDS = (1, 2, 3)
_VECTORS = 100
# Of a simulation without delays, in ns.
_PERIOD = 10.0


@dataclass(frozen=True)
class Variant:
    """A way to a netlist.

    Attributes:
        family: Key of `FAMILIES`.
        what: In words.
        fused: The compressor tree, or `*` and `+`.
        chains: Each `+` is a carry chain.
        options: Of the family's command.
    """

    family: str
    what: str
    fused: bool = False
    chains: bool = False
    options: tuple[str, ...] = ()

    def subject(self, config: DatapathConfig) -> Subject:
        """The dot product that is mapped."""
        return Subject(config=config, block="dot-product", fused=self.fused)


def _variants() -> list[Variant]:
    found = []
    for family in FAMILIES:
        found += [
            Variant(family, "fused", fused=True),
            Variant(family, "* and +"),
            Variant(family, "* and +, chains", chains=True),
        ]
        if family != "ice40":
            logic = ("-nodsp",)
            found += [
                Variant(family, "* and +, no DSPs", options=logic),
                Variant(family, "* and +, chains, no DSPs", chains=True, options=logic),
            ]
        if family == "ecp5":
            small = ("-nodsp", "-nowidelut")
            found += [
                Variant(family, "fused, no wide LUTs", fused=True, options=small),
                Variant(family, "* and +, no wide LUTs, no DSPs", options=small),
                Variant(family, "* and +, chains, no wide LUTs, no DSPs", False, True, small),
            ]
    return found


def measure(
    variant: Variant, config: DatapathConfig, folder: Path
) -> tuple[Counts, Placement | None]:
    """Map, compare with golden, and place and route on iCE40.

    Raises:
        GateLevelError: The netlist's results are not golden's.
        RuntimeError: A program failed.
    """
    subject = variant.subject(config)
    synthesis = synthesise(
        subject.verilog(),
        subject.module,
        FAMILIES[variant.family],
        folder,
        options=variant.options,
        chains=variant.chains,
    )
    netlist = functions(synthesis)
    no_cells = netlist.folder / "cells.v"
    no_cells.write_text("")
    pairs = vector_pairs(digits_tensors(), config, _VECTORS)
    bits = stimulus(subject.block, config, pairs)
    activity = simulate_gates(netlist, no_cells, bits, _PERIOD, skipped=RESET_CYCLES)
    require_golden(subject.block, config, pairs, activity)
    if variant.family != "ice40":
        return synthesis.counts, None
    return synthesis.counts, place(synthesis, chains=variant.chains, seeds=_SEEDS)


@click.command()
@json_option
def main(json_file: Path | None) -> None:
    """Measure everything, and print a table; MHz is the median of three placements."""
    require_writable(json_file)
    needed = [*programs(tuple(FAMILIES)), "iverilog"]
    tools.require_programs(*needed, "vvp")
    # Placements first: they take longest.
    wanted = [(config, variant) for variant in _variants() for config in _CONFIGS[::-1]]

    def one(number: int) -> tuple[Counts, Placement | None]:
        config, variant = wanted[number]
        return measure(variant, config, build_folder("ppa") / "fpga" / str(number))

    found: dict[tuple[DatapathConfig, Variant], tuple[Counts, Placement | None]] = {}
    with progress_bar("fpga", len(wanted)) as advance, ThreadPoolExecutor(jobs()) as pool:
        for key, each in zip(wanted, pool.map(one, range(len(wanted))), strict=True):
            found[key] = each
            advance(1)
    table = Table("V", "bits", "family", "as", "LUTs", "carry", "DSPs", "logic cells", "MHz")
    results: list[dict[str, Any]] = []
    for config in _CONFIGS:
        for variant in _variants():
            counts, placement = found[config, variant]
            bits = config.weights.element_bits
            name = FAMILIES[variant.family].name
            uses = (counts.luts, counts.carry_bits, counts.dsps)
            table.add(config.vector_size, bits, name, variant.what, *uses, *placed(placement))
            results.append(
                {
                    "configuration": config.slug,
                    **vars(variant),
                    **vars(counts),
                    "placement": placement and placement.as_dict(),
                }
            )
    table.print()
    versions = {name: tools.version_of(name) for name in needed}
    write_json(json_file, {"tools": versions, "dot_products": results})
