"""Reads README and the pages of docs/: their blocks, and what a comment says of each.

A comment before a block says how it is tested: `<!-- test: KINDS: REASON -->`, where KINDS are
`on request`, `never` and `needs NAME` (a program or a module), with `; ` between them.
"""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = ("README.md", *(str(p.relative_to(ROOT)) for p in sorted(ROOT.glob("docs/pages/**/*.md"))))

_BLOCK = re.compile(
    r"(?:^<!-- test: (?P<kinds>[^:]+): (?P<reason>[^\n]+) -->\n)?"
    r"^```(?P<language>\w*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_KIND = re.compile(r"on request|never|needs [\w-]+")


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        line: Of its page, from 1.
        language: `sh`, `python` or another.
        text: What it holds.
        kinds: How it is tested, as the comment before it says.
    """

    line: int
    language: str
    text: str
    kinds: frozenset[str]

    @property
    def commands(self) -> list[str]:
        """Its lines, continued ones joined."""
        lines = self.text.replace("\\\n", " ").splitlines()
        return [line for line in lines if line.strip()]

    @property
    def needs(self) -> list[str]:
        """Programs and modules that it cannot do without."""
        return [kind.removeprefix("needs ") for kind in self.kinds if kind.startswith("needs ")]


def text_of(page: str) -> str:
    """A page's source."""
    return (ROOT / page).read_text()


def blocks_of(page: str) -> list[Block]:
    """The blocks of a page, from top to bottom.

    Raises:
        ValueError: A comment names a kind that there is not.
    """
    text = text_of(page)
    found = []
    for match in _BLOCK.finditer(text):
        kinds = re.split(r"[;,] ", match["kinds"]) if match["kinds"] else []
        for kind in kinds:
            if not _KIND.fullmatch(kind):
                raise ValueError(f"{page}: a test must be {_KIND.pattern}, not {kind!r}")
        line = text.count("\n", 0, match.start("text")) + 1
        found.append(Block(line, match["language"], match["text"], frozenset(kinds)))
    return found


def without_blocks(page: str) -> str:
    """A page's prose."""
    return _BLOCK.sub("", text_of(page))
