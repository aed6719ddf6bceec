"""Shows text that comes from files: names of tensors and nodes, messages of libraries."""


def printable(name: str) -> str:
    r"""Text with all that a terminal would obey, or show as nothing, as an escape.

    Those are control characters (with them the sequences that colour, move and erase), line and
    paragraph separators, unpaired surrogates, and the invisible characters of Unicode, which turn
    the direction of writing among other things: `\x1b`, `\u202e`. Everything else stays.
    """
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in name
    )
