"""Shows the `Members` of Amaranth's docstrings, and sections like it, as lists in the reference."""

import re
from typing import Any

import griffe

# A title underlined, then lines of the form `name : what it is`; further lines are indented.
_SECTION = re.compile(
    r"^(Members|Ports|Parameters|Attributes):?\n-+\n(.*?)(?=\n\n|\Z)", re.MULTILINE | re.DOTALL
)
_MEMBER = re.compile(r"^(\S[^:\n]*?) : ", re.MULTILINE)


class Members(griffe.Extension):
    """Rewrites those sections as Markdown before the docstrings are parsed."""

    def on_instance(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Rewrite the docstring of an object that has been loaded."""
        del kwargs
        if obj.docstring is not None:
            obj.docstring.value = _SECTION.sub(_as_list, obj.docstring.value)


def _as_list(section: re.Match[str]) -> str:
    return f"**{section[1]}**\n\n" + _MEMBER.sub(r"- `\1`: ", section[2])
