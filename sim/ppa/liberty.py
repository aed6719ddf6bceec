"""Reads Liberty files (.lib): groups of attributes and groups.

Our own, in sixty lines: of the two readers on the package index, one is under the GPL, and the
other has no build for recent Pythons.
"""

import re
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

_TOKEN = re.compile(
    r"""
    (?P<skip> \s+ | \\\s*\n | /\*.*?\*/ | //[^\n]* )
  | "(?P<string>[^"]*)"
  | (?P<mark>[{}();:,])
  | (?P<word> (?: (?!/[*/]) [^\s{}();:,"] )+ )
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass
class Group:
    """A group, such as `cell (INVX1) { ... }`.

    Attributes:
        kind: What it is: `cell`.
        arguments: In its parentheses: `INVX1`.
        values: Its attributes by name: `name : value;` is one text, `name (a, b);` its arguments.
        groups: The groups in it.
    """

    kind: str
    arguments: list[str]
    values: dict[str, list[str]] = field(default_factory=dict)
    groups: list["Group"] = field(default_factory=list)

    def all(self, *kinds: str) -> list["Group"]:
        """The groups of these kinds directly in it."""
        return [group for group in self.groups if group.kind in kinds]

    def text(self, name: str, default: str = "") -> str:
        """An attribute of one value."""
        return self.values.get(name, [default])[0]

    def numbers(self, name: str) -> list[list[float]]:
        """An attribute of rows of numbers; no rows where it is not there."""
        rows = [re.findall(r"[-+.\deE]+", row) for row in self.values.get(name, [])]
        return [[float(number) for number in row] for row in rows]


def parse(text: str) -> Group:
    """Read the text of a Liberty file.

    Raises:
        ValueError: It is not one.
    """
    try:
        outermost = Group("file", [])
        tokens = deque(_tokens(text))
        _read_into(outermost, tokens)
        (library,) = outermost.all("library")
        if tokens:
            raise ValueError("a brace too many")
    except (ValueError, IndexError, RecursionError):
        raise ValueError("not a Liberty file") from None
    return library


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise ValueError(text[at : at + 20])
        at = match.end()
        if match.lastgroup != "skip":
            yield str(match.lastgroup), str(match[match.lastgroup or 0])
    yield "mark", "}"


def _read_into(group: Group, tokens: deque[tuple[str, str]]) -> None:
    """Read up to the brace that closes the group."""
    while (first := tokens.popleft()) != ("mark", "}"):
        kind, token = first
        if kind == "mark":
            continue  # stray semicolons
        _, mark = tokens.popleft()
        if mark == ":":
            words = []
            while (each := tokens.popleft()) != ("mark", ";"):
                if each in (("mark", "{"), ("mark", "}")):
                    raise ValueError(token)
                words.append(each[1])
            group.values[token] = [" ".join(words)]
        elif mark == "(":
            arguments = []
            while (each := tokens.popleft()) != ("mark", ")"):
                if each[0] != "mark":
                    arguments.append(each[1])
            if tokens[0] == ("mark", "{"):
                tokens.popleft()
                group.groups.append(Group(token, arguments))
                _read_into(group.groups[-1], tokens)
            else:  # with a semicolon, which many libraries leave out
                group.values[token] = arguments
        else:
            raise ValueError(token)


def evaluate(function: str, values: Mapping[str, int], ones: int) -> int:
    """Evaluate a cell's function, such as `(!((A B)+C))`, bit by bit.

    Args:
        function: `!a` or `a'` is NOT, `^` XOR, `*`, `&` or a space AND, `+` or `|` OR, in this
            order of precedence.
        values: Of the pins.
        ones: All bits set.

    Raises:
        ValueError: A pin without a value, or something that is not a function.
    """
    tokens = re.findall(r"[A-Za-z_]\w*|\S", function)

    def either() -> int:
        result = both()
        while tokens and tokens[0] in "+|":
            tokens.pop(0)
            result |= both()
        return result

    def both() -> int:
        result = exclusive()
        while tokens and tokens[0] not in "+|)":
            if tokens[0] in "*&":
                tokens.pop(0)
            result &= exclusive()
        return result

    def exclusive() -> int:
        result = single()
        while tokens and tokens[0] == "^":
            tokens.pop(0)
            result ^= single()
        return result

    def single() -> int:
        token = tokens.pop(0) if tokens else ""
        if token == "!":
            return single() ^ ones
        if token == "(":
            result = either()
            if not tokens or tokens.pop(0) != ")":
                raise ValueError(f"no function: {function!r}")
        elif token in values:
            result = values[token]
        else:
            raise ValueError(f"no function: {function!r}")
        while tokens and tokens[0] == "'":
            tokens.pop(0)
            result ^= ones
        return result

    result = either()
    if tokens:
        raise ValueError(f"no function: {function!r}")
    return result
