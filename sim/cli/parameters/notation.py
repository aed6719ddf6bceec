"""The notation on the command line: `W/A/ws/as`, a preset, and what users write in their place."""

import re
from collections.abc import Callable
from difflib import get_close_matches
from functools import wraps
from typing import Any

import click

from scalewright.golden.config import PRESETS, DatapathConfig

_HELP = "The same as NOTATION: W/A/ws/as, such as 4/4U/4/6, or a preset."


class NotationOrPreset(click.ParamType[DatapathConfig]):
    """`W/A/ws/as`, or the name of a preset."""

    name = "notation"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> DatapathConfig:
        """Turn the text into a configuration with everything else at its default."""
        if isinstance(value, DatapathConfig):
            return value
        if value in PRESETS:
            return PRESETS[value]
        try:
            return DatapathConfig.parse(value)
        except ValueError as error:
            hint = "" if "/" in value else f"; presets are {', '.join(PRESETS)}"
            meant = suggestion(value)
            hint += "" if meant is None else f"; did you mean {meant}?"
            raise click.UsageError(f"{error}{hint}") from None


def suggestion(text: str) -> str | None:
    """What a text that is no notation may mean, with the reason; None if nobody knows."""
    compact = re.sub(r"\s", "", text).upper().lstrip("(").rstrip(")")
    if match := re.fullmatch(r"W(\d+)A(\d+)([UX]?)|A(\d+)W(\d+)", compact):
        weights, activations, suffix, last, first = match.groups()
        compact = f"{weights or first}/{activations or last}{suffix or ''}"
    elif match := re.fullmatch(r"(U?)(?:INT|I|S|FP|)(\d+)(?:[-_]?BITS?)?", compact):
        compact = f"{match[2]}/{match[2]}{match[1]}"
    # An X between two numbers separates them, behind one it is a suffix.
    parts = re.split(r"[/\\,:;_|]|(?<=[\d-])X(?=[\d-])", compact)
    reason = ""
    if len(parts) == 2:
        parts += ["-", "-"]
        reason = ", without per-vector scales"
    parts = [{"": "-", "NONE": "-", "0": "-"}.get(part, part) for part in parts]
    if re.search("[UX]", parts[0]):
        parts[0] = re.sub("[UX]", "", parts[0])
        reason = ": weights are signed"
    parts[1:2] = [re.sub(r"^([UX])(\d+)$", r"\2\1", part) for part in parts[1:2]]
    if match := re.fullmatch(r"(\d+)(?:UX|XU)", parts[1] if len(parts) > 1 else ""):
        parts[1] = f"{match[1]}X"
        reason = ": activations of either sign, U is for unsigned ones only"
    found = "/".join(parts)
    try:
        DatapathConfig.parse(found)
    except ValueError:
        return next(iter(get_close_matches(text.lower(), PRESETS, n=1, cutoff=0.7)), None)
    return found + reason


def require_one(argument: Any, option: Any, *, required: bool) -> None:
    """Check that the notation is not given both ways; where it is required, that it is given.

    Raises:
        UsageError: It is not so.
    """
    if argument and option:
        raise click.UsageError("NOTATION and --config mean the same: give one of them")
    if required and not argument and not option:
        raise click.UsageError("Missing option '--config' or argument NOTATION, such as 4/4U/4/6")


def notation_argument(
    name: str, *, required: bool = False, several: bool = False
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Take the notation as an argument, or as the option --config, which means the same.

    Args:
        name: What the command calls it.
        required: Whether the command needs one.
        several: Whether it takes any number, as a tuple.
    """
    metavar = "[NOTATION]..." if several else "NOTATION" if required else "[NOTATION]"

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(command)
        def gathered(**arguments: Any) -> Any:
            given, option = arguments.pop("notation_argument"), arguments.pop("notation_option")
            require_one(given, option, required=required)
            if option is not None:
                given = (option,) if several else option
            return command(**arguments, **{name: given})

        gathered = click.option(
            "--config", "notation_option", metavar="NOTATION", type=NotationOrPreset(), help=_HELP
        )(gathered)
        return click.argument(
            "notation_argument",
            metavar=metavar,
            type=NotationOrPreset(),
            required=False,
            nargs=-1 if several else 1,
        )(gathered)

    return decorate
