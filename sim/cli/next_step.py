"""What to do next: the last line of a command, on stderr, so that stdout stays the result."""

import shlex

import click


def suggest(*words: str, purpose: str = "") -> None:
    """Print a command to go on with.

    Args:
        words: The command, word by word; quoted where a shell needs it.
        purpose: What it is for.
    """
    command = " ".join(shlex.quote(word) for word in words)
    click.echo(f"Next: {command}{f'   ({purpose})' if purpose else ''}", err=True)
