"""Area, delay and energy of a vector MAC or of its dot product, checked against golden."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from golden.config import DatapathConfig
from golden.mac import trace_stream
from hw.dot_product import DotProduct
from hw.verilog import convert
from sim.codec import Codec, Words
from sim.design import Design
from sim.ppa.activity import Activity, Bits, simulate_gates
from sim.ppa.cells import CellLibrary
from sim.ppa.energy import energy_per_cycle
from sim.ppa.netlist import map_to_cells
from sim.ppa.timing import time_netlist
from sim.ppa.tools import CellFiles
from sim.ppa.workload import Array, Tensors, vector_pairs

BLOCKS = ("vector-mac", "dot-product")

# Cycles of reset, and then of start-up before toggles count.
_RESET = 3
_START = 5


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What is measured.

    Attributes:
        config: The datapath.
        block: `vector-mac`, or `dot-product`: registered output, no input registers.
        fused: Compressor trees; or `*` and `+`, for a dot product.
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
            raise ValueError("a vector-mac has compressor trees: only a dot-product has operators")
        if self.booth and self.fused:
            raise ValueError("booth is for operators: a fused dot-product has no `*`")

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
        energy: Of one vector pair, in pJ.
        energy_per_mac: Of one multiplication of elements, in pJ.
        sequential_energy: The flip-flops' part of `energy`, in pJ.
        leakage: In nW.
        vectors: Vector pairs that were simulated at gate level, results equal to golden's.
    """

    subject: Subject
    area: float
    sequential_area: float
    cells: dict[str, int]
    critical_path: float
    energy: float
    energy_per_mac: float
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


class GateLevelError(Exception):
    """The netlist does not compute what golden does."""


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
        vectors: Vector pairs to simulate.
        yosys: The command of Yosys.

    Raises:
        GateLevelError: A result differs from golden's.
        RuntimeError: A program failed.
    """
    pairs = vector_pairs(tensors, subject.config, vectors, elements_of=subject.elements_of)
    if subject.block == "vector-mac":
        design = Design.of("vector-mac", subject.config)
        verilog, module = design.verilog, design.module
        stimulus = _mac_stimulus(design.codec("i").pack(pairs))
    else:
        module = "dot_product"
        verilog = convert(DotProduct(subject.config, fused=subject.fused), name=module)
        stimulus = _dot_stimulus(pairs, subject.config)
    netlist = map_to_cells(
        verilog,
        module,
        folder / subject.slug,
        files,
        library,
        full_adders=subject.full_adders,
        booth=subject.booth,
        yosys=yosys,
    )
    timing = time_netlist(netlist, files)
    activity = simulate_gates(
        netlist, files.models, stimulus, 2 * timing.critical_path, skipped=_RESET + _START
    )
    if subject.block == "vector-mac":
        _check_mac(activity, pairs, subject.config, design.codec("o"))
    else:
        _check_dot(activity, pairs)
    toggles = {net: count / activity.cycles for net, count in activity.toggles.items()}
    energy = energy_per_cycle(netlist, library, timing, toggles)
    return Measurement(
        subject=subject,
        area=netlist.area(library),
        sequential_area=netlist.area(library, sequential=True),
        cells=dict(sorted(netlist.cells.items())),
        critical_path=timing.critical_path,
        energy=energy.total * 1e12,
        energy_per_mac=energy.total * 1e12 / subject.config.vector_size,
        sequential_energy=energy.sequential * 1e12,
        leakage=energy.leakage * 1e9,
        vectors=vectors,
    )


def _mac_stimulus(words: Words) -> dict[str, Bits]:
    """Reset, then a vector pair in each cycle, and every result taken."""
    payload = np.unpackbits(words, axis=1, bitorder="little")
    idle = np.zeros((_RESET, payload.shape[1]), np.uint8)
    running = np.repeat([[0], [1]], [_RESET, len(words)], axis=0).astype(np.uint8)
    return {
        "rst": 1 - running,
        "i__payload": np.concatenate([idle, payload]),
        "i__valid": running,
        "o__ready": np.ones_like(running),
    }


def _dot_stimulus(pairs: dict[str, Array], config: DatapathConfig) -> dict[str, Bits]:
    stimulus = {"rst": np.zeros((_RESET + len(pairs["weights"]), 1), np.uint8)}
    for name in ("weights", "activations"):
        places = np.arange(getattr(config, name).element_bits)
        bits = ((pairs[name][..., None] >> places) & 1).astype(np.uint8)
        bits = bits.reshape(len(bits), -1)
        stimulus[name] = np.concatenate([np.zeros((_RESET, bits.shape[1]), np.uint8), bits])
    return stimulus


def _check_mac(
    activity: Activity, pairs: dict[str, Array], config: DatapathConfig, codec: Codec
) -> None:
    result, _ = trace_stream(**pairs, config=config)
    there = activity.responses["o__valid"][_RESET + 1 :, 0] == 1
    bits = activity.responses["o__payload"][_RESET + 1 :][there]
    _require_known(bits)
    values = codec.unpack(np.packbits(bits, axis=1, bitorder="little"))
    # Those of the last vectors are still inside.
    out = int(pairs["last"][: -config.pipeline_depth].sum())
    _require_equal(values["accumulator"], result.accumulators[:out])
    _require_equal(values["saturated"], result.saturated[:out])


def _check_dot(activity: Activity, pairs: dict[str, Array]) -> None:
    """Each dot product stands in the register in the cycle after its vectors."""
    expected = np.einsum("tv,tv->t", pairs["weights"], pairs["activations"])
    bits = activity.responses["dot"][_RESET + 1 :].astype(np.int64)
    _require_known(bits)
    places = np.arange(bits.shape[1])
    values = (bits << places).sum(axis=1) - (bits[:, -1] << bits.shape[1])
    _require_equal(values, expected[:-1])


def _require_known(bits: npt.NDArray[np.integer]) -> None:
    if (bits > 1).any():
        raise GateLevelError("a result has unknown bits")


def _require_equal(actual: Array, expected: npt.NDArray[Any]) -> None:
    if len(actual) != len(expected):
        raise GateLevelError(f"{len(actual)} results in place of {len(expected)}")
    if not len(expected):
        raise GateLevelError("too few vectors for a result: nothing was compared")
    wrong = np.flatnonzero(actual != expected)
    if len(wrong):
        at = wrong[0]
        raise GateLevelError(
            f"{len(wrong)} of {len(actual)} results differ from golden's; "
            f"the first is result {at}: {actual[at]} in place of {expected[at]}"
        )
