"""What to do next: the last line of a command, on stderr, so that stdout stays the result."""

import shlex

import click

from scalewright.sim.cli.terminal import quiet


def suggest(*words: str, purpose: str = "") -> None:
    """Print a command to go on with; not with SCALEWRIGHT_QUIET.

    Args:
        words: The command, word by word; quoted where a shell needs it.
        purpose: What it is for.
    """
    if quiet():
        return
    command = " ".join(shlex.quote(word) for word in words)
    click.echo(f"Next: {command}{f'   ({purpose})' if purpose else ''}", err=True)
