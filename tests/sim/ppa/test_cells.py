"""Cell libraries: what a Liberty file says of energy, loads and functions."""

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalewright.sim.ppa.cells import CellLibrary, EnergyTable, Floats
from tests.tools.ppa import TINY, needs_flow, osu_library, tiny_library

# Halves and quarters: results are exact.
_TABLE = EnergyTable(
    slews=np.array([0.125, 0.25, 0.5]),
    loads=np.array([1.0, 3.0]),
    energies=np.array([[1.0, 5.0], [2.0, 6.0], [6.0, 10.0]]),
)

_FULL_ADDERS = """
  cell (BIG) {
    area : 20; pin (A) { } pin (B) { } pin (C) { }
    pin (S) { direction : output; function : "A^B^C"; }
    pin (T) { direction : output; function : "A B+A C+B C"; }
  }
  cell (SMALL) {
    area : 12;
    pin (CO) { direction : output; function : "(P Q)+(CI (P+Q))"; }
    pin (P) { direction : input; } pin (CI) { direction : input; } pin (Q) { direction : input; }
    pin (X) { direction : output; function : "((P^Q)^CI)"; }
  }
  cell (NOT_QUITE) {
    area : 5; pin (A) { } pin (B) { } pin (C) { }
    pin (S) { direction : output; function : "A^B^C"; }
    pin (T) { direction : output; function : "A B+A C"; }
  }
}"""


@pytest.mark.parametrize(
    ("slew", "load", "energy"),
    [
        (0.125, 1, 1),
        (0.25, 3, 6),
        (0.5, 3, 10),
        (0.25, 2, 4),  # half-way from 2 to 6
        (0.375, 1, 4),  # half-way from 2 to 6
        (0.375, 2, 6),  # half-way from 4 to 8
        (0.75, 1, 10),  # from 2 to 6 in 0.25, and 4 more
        (0, 1, 0),  # from 2 to 1 in 0.125, and 1 less
        (0.25, 5, 10),  # from 2 to 6, and 4 more
        (0.25, 0, 0),  # half of 4 less than 2
        (0.75, 5, 18),  # beyond both ends: from 10 to 14, and 4 more
    ],
)
def test_energies_are_linear_between_and_beyond_grid_points(
    slew: float, load: float, energy: float
) -> None:
    assert _TABLE.look_up(slew, load) == energy


def test_energies_of_many_pins_are_looked_up_at_once() -> None:
    slews, loads = np.array([0.125, 0.25, 0.75]), np.array([1.0, 2.0, 5.0])
    assert _TABLE.look_up(slews, loads).tolist() == [1.0, 4.0, 18.0]


_axes = st.lists(st.integers(0, 100), min_size=1, max_size=6, unique=True).map(sorted)
_factors = st.integers(-10, 10)


@given(_axes, _axes, st.tuples(_factors, _factors, _factors, _factors), st.data())
def test_interpolation_of_a_bilinear_function_is_that_function(
    slews: list[int], loads: list[int], factors: tuple[int, int, int, int], data: st.DataObject
) -> None:
    def energy(slew: Floats, load: Floats) -> Floats:
        constant, by_slew, by_load, by_both = factors
        # An axis of one point says nothing of other points.
        slew = slew if len(slews) > 1 else np.zeros(1)
        load = load if len(loads) > 1 else np.zeros(1)
        return np.asarray(constant + by_slew * slew + by_load * load + by_both * slew * load)

    s, c = np.array(slews, np.float64), np.array(loads, np.float64)
    table = EnergyTable(s, c, np.broadcast_to(energy(s[:, None], c), (len(s), len(c))))
    at = np.array(data.draw(st.lists(st.integers(-50, 150), min_size=2, max_size=2)), float)
    # Energies up to 1e5, extrapolated up to 150-fold along both axes, in doubles: 2e9 * 2^-53 and
    # a few roundings more.
    np.testing.assert_allclose(
        table.look_up(at[0], at[1]), energy(at[:1], at[1:])[0], rtol=0, atol=1e-5
    )


def test_tables_have_slews_first_whatever_the_library_does(tmp_path: Path) -> None:
    cells = tiny_library(tmp_path).cells
    (load_first, scalar), (slew_first, _) = (
        cells["INV"].pins["Y"].energy["A"],
        cells["DFF"].pins["Q"].energy["CLK"],
    )
    assert load_first.slews.tolist() == [0.02, 0.1, 0.5]
    assert load_first.loads.tolist() == slew_first.loads.tolist() == [1, 3]
    assert load_first.energies.tolist() == [[1, 5], [3, 7], [7, 11]]
    assert slew_first.energies.tolist() == [[1, 5], [3, 7]]
    (passive, _) = cells["DFF"].pins["CLK"].energy[None]
    assert (passive.slews.tolist(), passive.loads.tolist()) == ([0.02, 0.1], [0])
    assert passive.energies.tolist() == [[1], [2]]
    assert scalar.look_up([0, 1], [5, 6]).tolist() == [2, 2]


def test_reads_units_cells_and_pins(tmp_path: Path) -> None:
    library = tiny_library(tmp_path)
    assert (library.name, library.voltage) == ("tiny", 2.0)
    # Products of decimal fractions: the last bit may differ.
    assert library.time_unit == pytest.approx(1e-9, rel=1e-15, abs=0)
    assert library.capacitance_unit == pytest.approx(1e-13, rel=1e-15, abs=0)
    assert library.leakage_unit == pytest.approx(1e-11, rel=1e-15, abs=0)
    inverter, flip_flop = library.cells["INV"], library.cells["DFF"]
    assert (inverter.area, inverter.leakage, inverter.sequential) == (3, 5, False)
    assert inverter.inputs == ("A",)
    assert inverter.pins["A"].capacitance == 2
    assert inverter.pins["Y"].output
    assert inverter.pins["Y"].function == "(!A)"
    assert flip_flop.sequential
    assert [name for name, pin in flip_flop.pins.items() if pin.clock] == ["CLK"]
    assert list(library.cells["XOR"].pins["Y"].energy) == ["A", "B"]


def test_truth_tables_are_of_gates_only(tmp_path: Path) -> None:
    cells = tiny_library(tmp_path).cells
    assert cells["INV"].truth_tables(1) == {"Y": 0b01}
    assert cells["XOR"].truth_tables(2) == {"Y": 0b0110}
    assert cells["XOR"].truth_tables(3) is None
    assert cells["DFF"].truth_tables(2) is None


def test_library_without_a_full_adder_has_none(tmp_path: Path) -> None:
    library = tiny_library(tmp_path)
    assert library.full_adder() is None
    assert library.gate(0b0110, 2) == "XOR"
    assert library.gate(0b1000, 2) is None


def test_full_adder_is_the_smallest_that_is_one(tmp_path: Path) -> None:
    text = TINY.rstrip().removesuffix("}") + _FULL_ADDERS
    adder = tiny_library(tmp_path, text).full_adder()
    assert adder is not None
    assert (adder.name, adder.area, adder.inputs) == ("SMALL", 12, ("P", "CI", "Q"))
    assert (adder.sum, adder.carry) == ("X", "CO")


@pytest.mark.parametrize("content", [b"hello", b"\x1f\x8b\x08\xff"])
def test_says_which_file_is_no_library(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "cells.lib"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"^{re.escape(str(path))}: not a Liberty file$"):
        CellLibrary.read(path)


@pytest.mark.parametrize(
    "content",
    [
        "library (tiny) { }",
        TINY.replace("capacitive_load_unit (100, ff);", ""),
        TINY.replace("capacitive_load_unit (100, ff);", "capacitive_load_unit (1);"),
        TINY.replace("nom_voltage : 2;", ""),
        TINY.replace("(tiny)", "()"),
        TINY.replace("area : 3;", "area : big;"),
        TINY.replace('"5, 7, 11"', '"5, 7"'),
    ],
)
def test_says_which_file_lacks_something(content: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=rf"^{re.escape(str(tmp_path / 'tiny.lib'))}: "):
        tiny_library(tmp_path, content)


def test_index_of_the_template_serves_where_a_table_has_none(tmp_path: Path) -> None:
    index = 'index_1 ("0.02, 0.1");'
    template = "power_lut_template (by_slew) { variable_1 : input_transition_time; "
    text = TINY.replace(f"{index} values", "values").replace(template, template + index)
    assert text.count(index) == 2
    for table in tiny_library(tmp_path, text).cells["DFF"].pins["CLK"].energy[None]:
        assert table.slews.tolist() == [0.02, 0.1]
    unlike = text.replace(index, 'index_1 ("7, 8");', 1)
    cells = tiny_library(tmp_path, unlike).cells
    assert cells["DFF"].pins["CLK"].energy[None][0].slews.tolist() == [7, 8]
    assert cells["DFF"].pins["Q"].energy["CLK"][0].slews.tolist() == [0.02, 0.1]


def test_rising_and_falling_may_have_one_table(tmp_path: Path) -> None:
    pair = 'rise_power (scalar) { values ("2"); }\n        fall_power (scalar) { values ("4"); }'
    assert pair in TINY
    cells = tiny_library(tmp_path, TINY.replace(pair, 'power (scalar) { values ("3"); }')).cells
    (table,) = cells["XOR"].pins["Y"].energy["A"]
    assert table.look_up(0, 0) == 3
    # A cause without a table is none: no mean of nothing.
    cells = tiny_library(tmp_path, TINY.replace(pair, "")).cells
    assert list(cells["XOR"].pins["Y"].energy) == ["B"]


@needs_flow
def test_reads_the_cells_of_osu018() -> None:
    library = osu_library()
    assert (len(library.cells), library.voltage) == (32, 1.8)
    assert library.capacitance_unit == 1e-12
    adder = library.full_adder()
    assert adder is not None
    assert (adder.name, adder.inputs, adder.sum, adder.carry) == (
        "FAX1",
        ("A", "B", "C"),
        "YS",
        "YC",
    )
    # Of AND2X1 and AND2X2, both of area 32, the name decides.
    gates = {"AND2X1": (0b1000, 2), "NAND3X1": (0b01111111, 3), "INVX1": (0b01, 1)}
    assert {name: library.gate(*truth) for name, truth in gates.items()} == {n: n for n in gates}
    assert [name for name, cell in library.cells.items() if cell.sequential] == [
        "DFFNEGX1",
        "DFFPOSX1",
        "DFFSR",
        "LATCH",
    ]
