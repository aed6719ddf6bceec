"""The cells of a technology: area, load and energy, from its Liberty file."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from scalewright.sim.files.names import shortened
from scalewright.sim.ppa.liberty import Group, evaluate, parse

Floats: TypeAlias = npt.NDArray[np.float64]

# Truth tables of three inputs.
_SUM, _CARRY = 0b10010110, 0b11101000

_UNITS = {"f": 1e-15, "p": 1e-12, "n": 1e-9, "u": 1e-6, "m": 1e-3}


@dataclass(frozen=True, eq=False)
class EnergyTable:
    """Energy of one transition of a pin, by slew and load.

    Attributes:
        slews: Of the pin that causes it, (S,), in the library's unit of time.
        loads: On the output, (L,), in the library's unit of capacitance; one 0 for an input.
        energies: (S, L), in the library's unit of capacitance times V^2.
    """

    slews: Floats
    loads: Floats
    energies: Floats

    def look_up(self, slew: npt.ArrayLike, load: npt.ArrayLike) -> Floats:
        """Interpolate linearly, and extrapolate beyond the table, as timing tools do."""
        s, low_s = _fraction(self.slews, np.asarray(slew, np.float64))
        c, low_c = _fraction(self.loads, np.asarray(load, np.float64))
        high_s = np.minimum(low_s + 1, len(self.slews) - 1)
        high_c = np.minimum(low_c + 1, len(self.loads) - 1)
        result: Floats = (1 - s) * (
            (1 - c) * self.energies[low_s, low_c] + c * self.energies[low_s, high_c]
        ) + s * ((1 - c) * self.energies[high_s, low_c] + c * self.energies[high_s, high_c])
        return result


@dataclass(frozen=True, eq=False)
class Pin:
    """A pin of a cell.

    Attributes:
        output: Whether it drives.
        clock: Whether it is the clock of a flip-flop.
        capacitance: Its load.
        function: What it computes, as the library writes it; empty for an input.
        energy: Tables by the pin that causes the transition; None for the pin itself.
    """

    output: bool
    clock: bool
    capacitance: float
    function: str
    energy: dict[str | None, list[EnergyTable]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Cell:
    """A cell: its area, its leakage, its pins, and whether it holds state."""

    area: float
    leakage: float
    sequential: bool
    pins: dict[str, Pin]

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of its inputs."""
        return tuple(name for name, pin in self.pins.items() if not pin.output)

    def truth_tables(self, inputs: int) -> dict[str, int] | None:
        """The truth table of each output, bit k for the inputs that make up the number k.

        None for a cell with state, with another number of inputs, or with a function that this
        cannot read.
        """
        if self.sequential or len(self.inputs) != inputs:
            return None
        rows = range(1 << inputs)
        table = {
            name: sum(((row >> at) & 1) << row for row in rows)
            for at, name in enumerate(self.inputs)
        }
        try:
            return {
                name: evaluate(pin.function, table, (1 << (1 << inputs)) - 1)
                for name, pin in self.pins.items()
                if pin.output
            }
        except ValueError:
            return None


@dataclass(frozen=True)
class FullAdderCell:
    """A full adder of a library: its name, its area, and what its pins are called."""

    name: str
    area: float
    inputs: tuple[str, ...]
    sum: str
    carry: str


@dataclass(frozen=True, eq=False)
class CellLibrary:
    """A Liberty file.

    Attributes:
        name: Its name.
        voltage: Supply in V.
        time_unit: Its unit of time in s.
        capacitance_unit: Its unit of capacitance in F.
        leakage_unit: Its unit of leakage power in W.
        cells: By name.
    """

    name: str
    voltage: float
    time_unit: float
    capacitance_unit: float
    leakage_unit: float
    cells: dict[str, Cell]

    @classmethod
    def read(cls, path: Path) -> "CellLibrary":
        """Read a Liberty file.

        Raises:
            ValueError: It is not one.
        """
        try:
            return cls._of(parse(path.read_text()))
        except KeyError as error:
            raise ValueError(f"{path}: no {shortened(error.args[0])}") from None
        except UnicodeDecodeError:
            raise ValueError(f"{path}: not a Liberty file") from None
        except (ValueError, IndexError) as error:
            raise ValueError(f"{path}: {shortened(error)}") from None

    @classmethod
    def _of(cls, library: Group) -> "CellLibrary":
        templates = {
            group.arguments[0]: group
            for group in library.all("lu_table_template", "power_lut_template")
        }
        amount, unit = library.values["capacitive_load_unit"]
        return cls(
            name=library.arguments[0],
            voltage=float(library.text("nom_voltage")),
            time_unit=_quantity(library.text("time_unit")),
            capacitance_unit=float(amount) * _UNITS[unit[0].lower()],
            leakage_unit=_quantity(library.text("leakage_power_unit", "1nW")),
            cells={group.arguments[0]: _cell(group, templates) for group in library.all("cell")},
        )

    def gate(self, truth: int, inputs: int) -> str | None:
        """The name of the smallest cell of one output with this truth table; None without one."""
        found = [
            (cell.area, name)
            for name, cell in self.cells.items()
            if (tables := cell.truth_tables(inputs)) is not None
            if list(tables.values()) == [truth]
        ]
        return min(found)[1] if found else None

    def full_adder(self) -> FullAdderCell | None:
        """The smallest full adder, with its pins; None where the library has none."""
        found = []
        for name, cell in self.cells.items():
            tables = cell.truth_tables(3) or {}
            if sorted(tables.values()) == sorted((_SUM, _CARRY)):
                by_table = {table: pin for pin, table in tables.items()}
                found.append(
                    FullAdderCell(name, cell.area, cell.inputs, by_table[_SUM], by_table[_CARRY])
                )
        return min(found, key=lambda each: each.area) if found else None


def _cell(group: Group, templates: dict[str, Group]) -> Cell:
    pins = {}
    for pin in group.all("pin"):
        energy: dict[str | None, list[EnergyTable]] = {}
        for power in pin.all("internal_power"):
            kinds = ("rise_power", "fall_power", "power")
            tables = [_table(each, templates) for each in power.all(*kinds)]
            if not tables:
                continue
            causes: list[str | None] = [*power.text("related_pin").split()]
            for cause in causes or [None]:
                energy.setdefault(cause, []).extend(tables)
        pins[pin.arguments[0]] = Pin(
            output=pin.text("direction") == "output",
            clock=pin.text("clock") == "true",
            capacitance=float(pin.text("capacitance", "0")),
            function=pin.text("function"),
            energy=energy,
        )
    return Cell(
        area=float(group.text("area", "0")),
        leakage=float(group.text("cell_leakage_power", "0")),
        sequential=bool(group.all("ff", "latch")),
        pins=pins,
    )


def _table(group: Group, templates: dict[str, Group]) -> EnergyTable:
    slews, loads = np.zeros(1), np.zeros(1)
    load_first = False
    template = templates.get(group.arguments[0], Group("scalar", []))
    for number in (1, 2):
        variable = template.text(f"variable_{number}")
        if not variable:
            break
        # The template's own where the table has none
        index = group.numbers(f"index_{number}") or template.numbers(f"index_{number}")
        if index and "capacitance" in variable:
            loads = np.array(index[0])
            load_first = number == 1
        elif index:
            slews = np.array(index[0])
    values = np.array(group.numbers("values"))
    if load_first:
        values = values.reshape(len(loads), len(slews)).T
    return EnergyTable(slews, loads, values.reshape(len(slews), len(loads)))


def _fraction(axis: Floats, at: Floats) -> tuple[Floats, npt.NDArray[np.intp]]:
    """The interval of an axis that holds each value, or is next to it, and where in it."""
    if len(axis) == 1:
        return np.zeros(at.shape), np.zeros(at.shape, np.intp)
    low = np.clip(np.searchsorted(axis, at, side="right") - 1, 0, len(axis) - 2)
    return (at - axis[low]) / (axis[low + 1] - axis[low]), low


def _quantity(text: str) -> float:
    """Such as `1ns` in s."""
    match = re.fullmatch(r"([\d.]+)([a-z]?)[a-zA-Z]+", text)
    if match is None:
        raise ValueError(f"not a unit: {text!r}")
    return float(match[1]) * _UNITS.get(match[2], 1.0)
