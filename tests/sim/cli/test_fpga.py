"""The command `ppa --fpga`."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tools.command_line import run
from tests.tools.ppa import needs_programs

_COMMAND = ("ppa", "4/4U/4/6", "--vector-size", "4")


@pytest.mark.parametrize(
    ("families", "message"),
    [
        (("ecp5",), "yosys is missing: install it, e.g. `apt-get install yosys`"),
        (
            ("xc7", "ice40"),
            "nextpnr-ice40, yosys are missing: install them, "
            "e.g. `apt-get install nextpnr-ice40 yosys`",
        ),
    ],
)
def test_missing_programs_are_one_line_that_says_what_to_install(
    families: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    options = [word for family in families for word in ("--fpga", family)]
    done = subprocess.run(
        [sys.executable, "-m", "scalewright.sim.cli", *_COMMAND, *options],
        cwd=tmp_path,
        env={"PATH": str(tmp_path), "PYTHONPATH": str(Path.cwd())},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line == f"scalewright: {message}"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--fpga", "virtex"), "'virtex' is not one of 'ice40', 'ecp5', 'xc7'"),
        (
            ("--fpga", "xc7", "--baseline", __file__),
            "--fpga takes no --weights, --liberty or --baseline",
        ),
    ],
)
def test_bad_input_is_refused(options: tuple[str, ...], message: str, tmp_path: Path) -> None:
    done = run(*_COMMAND, *options, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@needs_programs("yosys", "nextpnr-ice40")
def test_counts_are_printed_and_written(tmp_path: Path) -> None:
    families = ("--fpga", "ecp5", "--fpga", "ice40", "--fpga", "ecp5")
    done = run(*_COMMAND, *families, "--json", "counts.json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "counts.json").read_text())
    assert set(results["tools"]) == {"yosys", "nextpnr-ice40"}
    ecp5, ice40 = results["fpga"]
    for counts, family in ((ecp5, "ECP5"), (ice40, "iCE40")):
        assert counts["family"] == family
        assert counts["configuration"] == "4_4U_4_6_v4_c24"
        assert counts["block"] == "vector-mac"
        # The accumulator, its flag, and a valid bit for either stage are the least.
        assert counts["flip_flops"] >= 24 + 1 + 2
        assert f"{counts['luts']:,}" in done.stdout
    assert ecp5["placement"] is None
    assert ice40["luts"] == ice40["cells"]["SB_LUT4"]
    assert ice40["placement"]["logic_cells"] >= ice40["luts"]
    assert f"{ice40['placement']['frequency']:.1f}" in done.stdout
