"""Shows names that come from files: tensors, layers, paths."""

import itertools
from collections.abc import Iterable

# A list of names in a message goes no further, nor does a name in it.
_LISTED = 12
_LISTED_CHARACTERS = 80


def printable(text: object) -> str:
    r"""Text with all that a terminal would obey, or show as nothing, as an escape.

    Those are control characters (with them the sequences that colour, move and erase), line and
    paragraph separators, unpaired surrogates, and the invisible characters of Unicode, which turn
    the direction of writing among other things: `\x1b`, `\u202e`. Everything else stays.
    """
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in str(text)
    )


def abridged(text: str, characters: int) -> str:
    """Printable text; where it is longer than so many characters, without its middle.

    A message begins with what is wrong, and ends in what to do.
    """
    shown = printable(text if len(text) <= characters else text[:characters] + text[-characters:])
    half = characters // 2
    return shown if len(shown) <= characters else f"{shown[: half - 3]} ... {shown[2 - half :]}"


def listing(names: Iterable[str]) -> str:
    """Names for a message, printable: the first dozen, and how many there are beyond them."""
    all_names = list(names)
    shown = [shortened(name) for name in itertools.islice(all_names, _LISTED)]
    rest = len(all_names) - len(shown)
    return (", ".join(shown) + (f" and {rest:,} more" if rest else "")) or "none"


def shortened(text: object, characters: int = _LISTED_CHARACTERS) -> str:
    """Printable text, cut where it is longer than so many characters."""
    # Long names are cut before they are escaped: that is where the time goes.
    whole = str(text)
    shown = printable(whole[: characters + 1])
    return shown if len(shown) <= characters else f"{shown[: characters - 3]}..."
