"""Draws all pictures of the documentation: python docs/pictures/draw.py [FOLDER].

Needs the extra `docs`. The folder is docs/pages/pictures by default, where they are committed.
"""

import sys
from pathlib import Path

import scaling
import timing
from blocks import DIAGRAMS
from canvas import save

FOLDER = Path(__file__).parents[1] / "pages" / "pictures"


def main(folder: Path) -> None:
    """Draw everything."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, diagram in DIAGRAMS.items():
        save(diagram().figure, folder / f"{name}.svg")
    save(scaling.figure(), folder / "two-level-scaling.svg")
    timing.draw(folder / "vector-mac-timing.svg")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
