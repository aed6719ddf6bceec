"""Reads the part of RTLIL, Yosys's text form of a netlist, that Amaranth writes.

A value is a tuple of chunks, the lowest first: a `Const`, or a `Slice` of a wire. (The format is
described in Yosys's manual, appendix "RTLIL text representation".)
"""

import re
from dataclasses import dataclass, field

__all__ = ["Assign", "Cell", "Const", "Module", "Process", "Slice", "Switch", "Wire", "read"]


@dataclass
class Wire:
    """A wire: its width in bits, and `input` or `output` where it is a port."""

    name: str
    width: int
    direction: str | None


@dataclass(frozen=True)
class Const:
    """Constant bits: a number of `width` bits."""

    width: int
    value: int


@dataclass(frozen=True)
class Slice:
    """Bits `low` and up of a wire."""

    wire: str
    low: int
    width: int


@dataclass
class Assign:
    """A part of a wire gets a value."""

    target: Slice
    value: tuple


@dataclass
class Switch:
    """The first case with a matching pattern is taken; a case without patterns always matches.

    Patterns are strings of `0`, `1` and `-`, the highest bit first.
    """

    test: tuple
    cases: list


@dataclass
class Process:
    """Statements in order, of which the last that applies to a bit holds."""

    body: list


@dataclass
class Cell:
    """An operator, a flip-flop or an instance of a module."""

    kind: str
    name: str
    parameters: dict = field(default_factory=dict)
    connections: dict = field(default_factory=dict)


@dataclass
class Module:
    """A module: wires by name, cells, processes, and what else connects wires."""

    name: str
    wires: dict = field(default_factory=dict)
    initial: dict = field(default_factory=dict)
    cells: list = field(default_factory=list)
    processes: list = field(default_factory=list)
    connections: list = field(default_factory=list)

    def ports(self, direction):
        """Wires that are ports of a direction, in order."""
        return [wire for wire in self.wires.values() if wire.direction == direction]


_TOKEN = re.compile(r"\{|\}|\d+'[01x-]*|\[\d+(?::\d+)?\]|[\\$][^\s]+")


def read(text):
    """Return the modules of a text, in order.

    Raises:
    ------
    ValueError
        A line of a kind that Amaranth does not write for these designs.
    """
    modules = []
    attributes = {}
    stack = []  # bodies that statements go to
    cell = None
    for line in text.splitlines():
        words = line.split(None, 1)
        if not words:
            continue
        keyword, rest = words[0], words[1] if len(words) > 1 else ""
        if keyword == "attribute":
            name, _, value = rest.partition(" ")
            attributes[name] = value
            continue
        if keyword == "module":
            modules.append(Module(rest.removeprefix("\\")))
            stack = [None]
        elif keyword == "wire":
            _add_wire(modules[-1], rest.split(), attributes)
        elif keyword == "cell":
            kind, name = rest.split()
            cell = Cell(kind, name)
            modules[-1].cells.append(cell)
            stack.append(None)
        elif keyword == "parameter":
            name, _, value = rest.partition(" ")
            cell.parameters[name.removeprefix("\\")] = value
        elif keyword == "connect" and cell is not None:
            name, _, value = rest.partition(" ")
            cell.connections[name.removeprefix("\\")] = _value(modules[-1], value)
        elif keyword == "connect":
            left, right = _values(modules[-1], rest)
            modules[-1].connections.append(Assign(left[0], right))
        elif keyword == "process":
            modules[-1].processes.append(Process([]))
            stack.append(modules[-1].processes[-1].body)
        elif keyword == "assign":
            left, right = _values(modules[-1], rest)
            stack[-1].append(Assign(left[0], right))
        elif keyword == "switch":
            stack[-1].append(Switch(_value(modules[-1], rest), []))
            stack.append(stack[-1][-1])
        elif keyword == "case":
            if not isinstance(stack[-1], Switch):
                stack.pop()
            patterns = [word.strip(" ,").partition("'")[2] for word in rest.split(",") if word]
            stack[-1].cases.append((patterns, []))
            stack.append(stack[-1].cases[-1][1])
        elif keyword == "end":
            body = stack.pop()
            if stack and isinstance(stack[-1], Switch):
                stack.pop()  # the end of the last case is that of the switch
            elif body is None:
                cell = None
        else:
            raise ValueError(f"RTLIL has `{keyword}`, which is not known here: {line}")
        attributes = {}
    return modules


def _add_wire(module, words, attributes):
    width = int(words[words.index("width") + 1])
    direction = next((word for word in words if word in ("input", "output")), None)
    name = words[-1]
    module.wires[name] = Wire(name, width, direction)
    if "\\init" in attributes:
        module.initial[name] = _const(attributes["\\init"])


def _const(word):
    width, _, bits = word.partition("'")
    return Const(int(width), int(bits.replace("x", "0") or "0", 2))


def _value(module, text):
    (value,) = _values(module, text)
    return value


def _values(module, text):
    """The values that stand in a text, one after the other."""
    values, inside = [], None
    for token in _TOKEN.findall(text):
        if token == "{":
            inside = []
        elif token == "}":
            values.append(tuple(_joined(reversed(inside))))
            inside = None
        elif token[0] == "[":
            high, _, low = token[1:-1].partition(":")
            chunks = values if inside is None else inside
            whole = chunks[-1] if inside is not None else chunks[-1][0]
            part = Slice(whole.wire, int(low or high), int(high) - int(low or high) + 1)
            chunks[-1] = part if inside is not None else (part,)
        else:
            if token[0] in "\\$":
                chunk = Slice(token, 0, module.wires[token].width)
            else:
                chunk = _const(token)
            if inside is None:
                values.append((chunk,))
            else:
                inside.append(chunk)
    return values


def _joined(chunks):
    """Chunks without empty ones."""
    return [chunk for chunk in chunks if chunk.width]
