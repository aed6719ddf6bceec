"""The reader of Liberty files, and the functions of cells."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalewright.sim.ppa.liberty import Group, evaluate, parse

_LIBRARY = """
/* A comment { with ; marks " in it,
   of two lines */
library ("small") { // to the end of the line }
  time_unit : "1ns";
  capacitive_load_unit (1,pf);
  nom_voltage : 1.8 ;
  date : Mon Nov 21 ;
  empty ();
  ;
  lu_table_template(delay_2x3) { variable_1 : total_output_net_capacitance; }
  cell (INVX1) {
area:16;
    ff (IQ,IQN) { next_state : "D"; }
    pin(A) { direction : input; direction : output; }
    pin ( Y ) {
      function : "(!A)";
      timing() {
        index_1 ("0.005, 1e-3, -2.5E+1");
        values ( \\
          "1, 2, \\
           3", \\
          "4,5,6");
      }
    }
  }
  cell (NAND2X1) { }
}
"""


def test_groups_nest_and_keep_their_order() -> None:
    library = parse(_LIBRARY)
    assert (library.kind, library.arguments) == ("library", ["small"])
    assert [group.kind for group in library.groups] == ["lu_table_template", "cell", "cell"]
    first, second = library.all("cell")
    assert (first.arguments, second.arguments) == (["INVX1"], ["NAND2X1"])
    assert [group.arguments for group in first.all("pin")] == [["A"], ["Y"]]
    assert [group.arguments for group in first.all("ff", "latch")] == [["IQ", "IQN"]]
    assert library.all("pin") == []
    assert second == Group("cell", ["NAND2X1"])


def test_attributes_are_texts() -> None:
    library = parse(_LIBRARY)
    assert library.text("time_unit") == "1ns"
    assert library.text("nom_voltage") == "1.8"
    assert library.text("date") == "Mon Nov 21"
    assert library.values["capacitive_load_unit"] == ["1", "pf"]
    assert library.values["empty"] == []
    cell = library.all("cell")[0]
    assert cell.text("area") == "16"
    assert cell.text("cell_footprint") == ""
    assert cell.text("cell_footprint", "none") == "none"
    pin_a, pin_y = cell.all("pin")
    assert pin_a.text("direction") == "output"  # the last one counts
    assert pin_y.text("function") == "(!A)"


def test_rows_of_numbers_go_on_over_lines() -> None:
    (timing,) = parse(_LIBRARY).all("cell")[0].all("pin")[1].all("timing")
    assert timing.numbers("index_1") == [[0.005, 0.001, -25.0]]
    assert timing.numbers("values") == [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]
    assert timing.numbers("index_2") == []


def test_line_ends_do_not_matter() -> None:
    assert parse(_LIBRARY.replace("\n", "\r\n")).all("cell")[1:] == parse(_LIBRARY).all("cell")[1:]
    assert parse('library(a){b("1",\\\r\n"2");}').values["b"] == ["1", "2"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello world",
        "module top (input a); assign b = a; endmodule",
        "cell (INVX1) { area : 16; }",
        "library (a) { } library (b) { }",
        'library (a) { b : "no end; }',
        "library (a) { b",
        "library (a) { b ( c",
        "library (a) { b = c; }",
        "{}",
    ],
)
def test_refuses_what_is_no_liberty_file(text: str) -> None:
    with pytest.raises(ValueError, match=r"^not a Liberty file$"):
        parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "library (a) { cell (INVX1) { area : 16;",
        "library (a) { cell (INVX1) { area : 16",
        "library (a) { cell (INVX1) { } ",
        "library (a) { } } cell (INVX1) { }",
        "library (a) { cell (INVX1) { area : 16 } cell (INVX2) { area : 16; } }",
    ],
)
def test_refuses_what_is_cut_off_or_badly_nested(text: str) -> None:
    with pytest.raises(ValueError, match=r"^not a Liberty file$"):
        parse(text)


def test_lists_may_end_without_a_semicolon() -> None:
    text = """library (a) {
        unit (1, pf)
        cell (b) { index_1 ("1, 2")
                   values ("3") }
        cell (c) { }
    }"""
    library = parse(text)
    assert library.values == {"unit": ["1", "pf"]}
    first, second = library.all("cell")
    assert first.values == {"index_1": ["1, 2"], "values": ["3"]}
    assert second.arguments == ["c"]


def test_comments_need_no_space_before_them() -> None:
    library = parse("library (a) { b : 16/* um */; c : 17// um\n; d : 18; // um\n }")
    assert library.values == {"b": ["16"], "c": ["17"], "d": ["18"]}


_PINS = "ABCD"
_ROWS = range(1 << len(_PINS))
_ONES = (1 << len(_ROWS)) - 1
# Of each pin, bit k is its value in row k.
_TABLES = {pin: sum(((row >> at) & 1) << row for row in _ROWS) for at, pin in enumerate(_PINS)}


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        ("A", lambda a, b, c, d: a),
        ("A'", lambda a, b, c, d: not a),
        ("(!A)", lambda a, b, c, d: not a),
        ("!!A", lambda a, b, c, d: a),
        ("A''", lambda a, b, c, d: a),
        ("!A'", lambda a, b, c, d: a),
        ("(!((A B)+C))", lambda a, b, c, d: not ((a and b) or c)),
        ("((A^B)^C)", lambda a, b, c, d: (a + b + c) % 2),
        ("(((A B)+(B C))+(C A))", lambda a, b, c, d: a + b + c >= 2),
        ("(!((S A) + (!S B)))".replace("S", "D"), lambda a, b, c, d: not (a if d else b)),
        ("!A*B|C&D", lambda a, b, c, d: ((not a) and b) or (c and d)),
        ("A+B C^D", lambda a, b, c, d: a or (b and (c != d))),
        ("A^B C", lambda a, b, c, d: (a != b) and c),
        ("A^B'", lambda a, b, c, d: a == b),
        ("(A B)'C", lambda a, b, c, d: not (a and b) and c),
        ("A!B", lambda a, b, c, d: a and not b),
        ("A(B+C)D'", lambda a, b, c, d: a and (b or c) and not d),
    ],
)
def test_evaluates_functions_as_they_read(
    function: str, expected: Callable[[int, int, int, int], int]
) -> None:
    result = evaluate(function, _TABLES, _ONES)
    for row in _ROWS:
        bits = [(row >> at) & 1 for at in range(len(_PINS))]
        assert (result >> row) & 1 == bool(expected(*bits)), f"{function} of {bits}"


# Text, how tightly its outermost operator binds, and truth table.
_Expression = tuple[str, int, int]
_LEVELS = {"+": 0, "|": 0, "*": 1, "&": 1, " ": 1, "^": 2}
_ATOM = 4


def _inverted(operand: _Expression, behind: bool) -> _Expression:
    text, level, table = operand
    text = text if level == _ATOM else f"({text})"
    return (f"{text}'", _ATOM, table ^ _ONES) if behind else (f"!{text}", 3, table ^ _ONES)


def _combined(operator: str, left: _Expression, right: _Expression) -> _Expression:
    level = _LEVELS[operator]
    texts = [text if inner > level else f"({text})" for text, inner, _ in (left, right)]
    a, b = left[2], right[2]
    return operator.join(texts), level, (a | b, a & b, a ^ b)[level]


_expressions: st.SearchStrategy[_Expression] = st.recursive(
    st.sampled_from(_PINS).map(lambda pin: (pin, 4, _TABLES[pin])),
    lambda inner: (
        st.builds(_inverted, inner, st.booleans())
        | st.builds(_combined, st.sampled_from(sorted(_LEVELS)), inner, inner)
    ),
)


@given(_expressions)
def test_only_needed_parentheses_are_needed(expression: _Expression) -> None:
    text, _, table = expression
    assert evaluate(text, _TABLES, _ONES) == table


@pytest.mark.parametrize(
    "function",
    ["", "()", "(A", "A)", "A+", "*A", "A**B", "A^^B", "'A", "A!", "!", "E", "A=B", "IQ", "A[0]"],
)
def test_refuses_what_is_no_function(function: str) -> None:
    with pytest.raises(ValueError, match=r"^no function: "):
        evaluate(function, _TABLES, _ONES)
