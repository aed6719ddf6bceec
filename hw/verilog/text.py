"""Pieces of Verilog text: numbers, indices, statements, and lines that are not too long."""

import re
from dataclasses import dataclass
from textwrap import wrap

__all__ = [
    "Waiver",
    "bit_range",
    "broken",
    "constant",
    "else_statement",
    "if_statement",
    "index_of",
    "is_bracketed",
    "is_word",
    "nested",
    "opened",
]

_COLUMNS = 100
_WORD = re.compile(r"[A-Za-z_]\w*(\[\d+(:\d+)?\])?|\d+'[bdh][\da-f]+")


@dataclass(frozen=True)
class Waiver:
    """A rule of Verilator that some lines break, those of slang that say the same, and why."""

    rule: str
    reason: str
    slang: tuple[str, ...] = ()

    def around(self, lines):
        """The lines with the rules off."""
        return [
            f"/* verilator lint_off {self.rule} */ // {self.reason}",
            *(f"// slang lint_off {rule}" for rule in self.slang),
            *lines,
            *(f"// slang lint_on {rule}" for rule in self.slang),
            f"/* verilator lint_on {self.rule} */",
        ]


def bit_range(width):
    """The range of a declaration; none for one bit."""
    return f" [{width - 1}:0]" if width > 1 else ""


def constant(const):
    """A sized number."""
    if const.width == 1:
        return f"1'b{const.value}"
    return f"{const.width}'h{const.value:x}" if const.value > 9 else f"{const.width}'d{const.value}"


def index_of(low, width):
    """The index of bits of a wire."""
    return f"[{low}]" if width == 1 else f"[{low + width - 1}:{low}]"


def is_bracketed(text):
    """Whether a text is one pair of brackets, or braces."""
    if text[0] not in "({":
        return False
    depth = 0
    for at, character in enumerate(text):
        depth += (character in "({") - (character in ")}")
        if depth == 0:
            return at == len(text) - 1
    return False


def is_word(text):
    """Whether a text is a name, or one with an index."""
    return _WORD.fullmatch(text) is not None


def nested(text):
    """A text as an operand of a conditional operator."""
    return f"({text})" if " " in text and not is_bracketed(text) else text


def if_statement(condition, block):
    """A statement under a condition: its lines."""
    condition = condition if is_bracketed(condition) and condition[0] == "(" else f"({condition})"
    return opened(f"if {condition}", block)


def else_statement(block):
    """The other branch of an `if`: its lines."""
    if len(block) == 1 and block[0][0].startswith("if "):
        return [f"else {block[0][0]}", *block[0][1:]]
    return opened("else", block)


def opened(head, block):
    """Statements under their head, on one line where that fits and no `else` can go astray."""
    if len(block) == 1 and len(block[0]) == 1:
        (line,) = block[0]
        if not line.startswith("if ") and len(head) + len(line) < _COLUMNS - 12:
            return [f"{head} {line}"]
    lines = [f"  {line}" for statement in block for line in statement]
    return [f"{head} begin", *lines, "end"]


def broken(line):
    """A line, or several."""
    return wrap(
        line,
        _COLUMNS - 8,
        subsequent_indent="    ",
        break_long_words=False,
        break_on_hyphens=False,
    )
