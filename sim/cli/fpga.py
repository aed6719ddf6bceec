"""`scalewright ppa --fpga`: what designs take of an FPGA."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from scalewright.sim.cli.parameters.options import jobs, progress_bar
from scalewright.sim.cli.program.table import Table
from scalewright.sim.files.outputs import write_json
from scalewright.sim.ppa.fpga.cells import FAMILIES, Synthesis, synthesise
from scalewright.sim.ppa.fpga.placement import Placement, place
from scalewright.sim.ppa.measure import Subject
from scalewright.sim.ppa.tools import require_programs, version_of
from scalewright.sim.simulators.place import build_folder


def programs(families: tuple[str, ...]) -> list[str]:
    """What families of FPGAs need."""
    return ["yosys", *(["nextpnr-ice40"] if "ice40" in families else [])]


def count(subjects: list[Subject], families: tuple[str, ...], json_file: Path | None) -> None:
    """Map designs to families of FPGAs, and print what they take; iCE40 is placed and routed too.

    Raises:
        ToolError: A program is missing.
    """
    needed = programs(families)
    require_programs(*needed)
    wanted = [(subject, family) for subject in subjects for family in families]
    found: list[tuple[Synthesis, Placement | None]] = []

    def one(key: tuple[Subject, str]) -> tuple[Synthesis, Placement | None]:
        subject, family = key
        folder = build_folder("ppa") / family / subject.slug
        synthesis = synthesise(subject.verilog(), subject.module, FAMILIES[family], folder)
        return synthesis, place(synthesis) if family == "ice40" else None

    with progress_bar("ppa", len(wanted)) as advance, ThreadPoolExecutor(jobs()) as pool:
        for each in pool.map(one, wanted):
            found.append(each)
            advance(1)
    headings = ["configuration", "family", "LUTs", "carry bits", "flip-flops", "DSPs"]
    table = Table(*headings, "logic cells", "MHz")
    results = []
    for (subject, _), (synthesis, placement) in zip(wanted, found, strict=True):
        counts = synthesis.counts
        table.add(
            subject.config.slug,
            synthesis.family.name,
            counts.luts,
            counts.carry_bits,
            counts.flip_flops,
            counts.dsps,
            *placed(placement),
        )
        results.append(
            {
                "configuration": subject.config.slug,
                "block": subject.block,
                "fused": subject.fused,
                **synthesis.as_dict(),
                "placement": placement and placement.as_dict(),
            }
        )
    table.print()
    versions: dict[str, Any] = {name: version_of(name) for name in needed}
    write_json(json_file, {"tools": versions, "fpga": results})


def placed(placement: Placement | None) -> tuple[str, str]:
    """Logic cells and clock, in words."""
    if placement is None:
        return "", ""
    clock = placement.frequency
    return f"{placement.logic_cells:,}", "too large" if clock is None else f"{clock:.1f}"
