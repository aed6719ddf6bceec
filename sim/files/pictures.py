"""What can be known of a picture before it is drawn."""

from pathlib import Path

SUFFIXES = (".png", ".svg", ".pdf")


def require_picture(path: Path | None) -> None:
    """Check, before the work, that a picture can be drawn after it.

    Raises:
        ValueError: An unknown kind of file.
        ImportError: matplotlib is missing.
    """
    if path is None:
        return
    if path.suffix not in SUFFIXES:
        raise ValueError(f"{path}: a plot must end in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}")
    import matplotlib.figure  # noqa: F401 - whether it can be
