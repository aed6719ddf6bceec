"""Area, delay and energy of a block, checked against golden."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from scalewright.golden.config import DatapathConfig
from scalewright.hw.mac.dot_product import DotProduct
from scalewright.hw.post_processor.rescaler import Rescaler
from scalewright.hw.verilog import convert
from scalewright.sim.ppa.activity import simulate_gates
from scalewright.sim.ppa.cells import CellLibrary
from scalewright.sim.ppa.energy import energy_per_cycle
from scalewright.sim.ppa.gate_level import (
    RESET_CYCLES,
    engine,
    require_golden,
    stimulus,
    vector_mac,
)
from scalewright.sim.ppa.netlist import map_to_cells
from scalewright.sim.ppa.timing import time_netlist
from scalewright.sim.ppa.tools import CellFiles
from scalewright.sim.ppa.workload import Array, Tensors, accumulator_beats, vector_pairs

BLOCKS = ("vector-mac", "dot-product", "rescaler")

# Cycles of start-up, behind those of reset, before toggles count.
_START = 5


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What is measured.

    Attributes:
        config: The datapath.
        block: `vector-mac`; `dot-product`: registered output, no input registers; `rescaler`: one
            lane.
        fused: Compressor trees; or `*` and `+`, for a dot product or a rescaler.
        full_adders: The library's full adders are used for those of the compressors.
        booth: Yosys makes Booth multipliers of `*`.
        elements_of: The datapath whose elements it works on; its own by default.
    """

    config: DatapathConfig
    block: str = "vector-mac"
    fused: bool = True
    full_adders: bool = True
    booth: bool = False
    elements_of: DatapathConfig | None = None

    def __post_init__(self) -> None:
        if self.block not in BLOCKS:
            raise ValueError(f"block must be one of {', '.join(BLOCKS)}, not {self.block}")
        if self.block == "vector-mac" and not self.fused:
            raise ValueError("a vector-mac has compressor trees, and no variant with operators")
        if self.booth and self.fused:
            raise ValueError(f"booth is for operators: a fused {self.block} has no `*`")

    @property
    def module(self) -> str:
        """Name of its module in Verilog."""
        return self.block.replace("-", "_")

    def verilog(self) -> str:
        """Its Verilog, of no technology."""
        if self.block == "vector-mac":
            return vector_mac(self.config).verilog
        if self.block == "rescaler":
            block = Rescaler(replace(engine(self.config), dsp_multipliers=not self.fused))
        else:
            block = DotProduct(self.config, fused=self.fused)
        return str(convert(block, name=self.module))

    def work(self, tensors: Tensors, count: int) -> dict[str, Array]:
        """What it works on: vector pairs, or accumulators."""
        if self.block == "rescaler":
            return accumulator_beats(tensors, engine(self.config), count)
        return vector_pairs(tensors, self.config, count, elements_of=self.elements_of)

    def per_mac(self, energy: float) -> float | None:
        """The energy of one cycle, by multiplications of elements."""
        return None if self.block == "rescaler" else energy / self.config.vector_size

    @property
    def slug(self) -> str:
        """One word, for names of files."""
        style = "" if self.fused else "_booth" if self.booth else "_operators"
        style += "" if self.full_adders else "_gates"
        elements = "" if self.elements_of is None else f"_of_{self.elements_of.slug}"
        return f"{self.block.replace('-', '_')}_{self.config.slug}{style}{elements}"


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """What came out.

    Attributes:
        subject: What was measured.
        area: Cell area, in the unit of the library (a NAND2X1 of OSU's has 24).
        sequential_area: That of the flip-flops.
        cells: How many there are of each.
        critical_path: Shortest clock period, in ns.
        energy: Of one vector pair, or one accumulator, in pJ.
        energy_per_mac: Of one multiplication of elements, in pJ; None where there is none.
        sequential_energy: The flip-flops' part of `energy`, in pJ.
        leakage: In nW.
        vectors: Vector pairs, or accumulators, simulated at gate level, results equal to golden's.
    """

    subject: Subject
    area: float
    sequential_area: float
    cells: dict[str, int]
    critical_path: float
    energy: float
    energy_per_mac: float | None
    sequential_energy: float
    leakage: float
    vectors: int

    def as_dict(self) -> dict[str, Any]:
        """The measurement, ready for JSON."""
        return {
            **asdict(self),
            "subject": {
                **vars(self.subject),
                "config": self.subject.config.slug,
                "elements_of": self.subject.elements_of and self.subject.elements_of.slug,
            },
        }


def measure(
    subject: Subject,
    tensors: Tensors,
    files: CellFiles,
    library: CellLibrary,
    folder: Path,
    *,
    vectors: int = 400,
    yosys: str = "yosys",
) -> Measurement:
    """Map, time and simulate.

    Args:
        subject: What.
        tensors: What it works on.
        files: The cells.
        library: The same, read.
        folder: For the files of every step.
        vectors: Vector pairs, or accumulators, to simulate.
        yosys: The command of Yosys.

    Raises:
        GateLevelError: A result differs from golden's.
        RuntimeError: A program failed.
    """
    work = subject.work(tensors, vectors)
    netlist = map_to_cells(
        subject.verilog(),
        subject.module,
        folder / subject.slug,
        files,
        library,
        full_adders=subject.full_adders,
        booth=subject.booth,
        yosys=yosys,
    )
    timing = time_netlist(netlist, files)
    activity = simulate_gates(
        netlist,
        files.models,
        stimulus(subject.block, subject.config, work),
        2 * timing.critical_path,
        skipped=RESET_CYCLES + _START,
    )
    require_golden(subject.block, subject.config, work, activity)
    toggles = {net: count / activity.cycles for net, count in activity.toggles.items()}
    energy = energy_per_cycle(netlist, library, timing, toggles)
    return Measurement(
        subject=subject,
        area=netlist.area(library),
        sequential_area=netlist.area(library, sequential=True),
        cells=dict(sorted(netlist.cells.items())),
        critical_path=timing.critical_path,
        energy=energy.total * 1e12,
        energy_per_mac=subject.per_mac(energy.total * 1e12),
        sequential_energy=energy.sequential * 1e12,
        leakage=energy.leakage * 1e9,
        vectors=vectors,
    )
