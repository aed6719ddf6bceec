"""The command line, `scalewright`: one module for each command, imported when it is called.

Nothing else is imported here: whatever goes wrong with an import, `main` can say so.
"""

# In the order of a user's first day.
COMMANDS = (
    "generate",
    "regress",
    "soak",
    "compare",
    "calibrate",
    "inspect",
    "quantize",
    "run",
    "vectors",
    "ppa",
    "demo",
    "doctor",
)

# Exit statuses, beside 0 for success. Nothing but a comparison of hardware and golden ends in 1.
DIFFERENT = 1
BAD_INPUT = 2  # or a missing tool, a full disk, too little memory
DEFECT = 3  # of Scalewright
GROWN = 4  # figures of `ppa` beyond those of its --baseline
INTERRUPTED = 130


def main() -> None:
    """Run the command line: one line on stderr says what went wrong."""
    try:
        from scalewright.sim.cli.program.launch import launch
        from scalewright.sim.simulators.process import ending_on_signals

        with ending_on_signals():
            launch("scalewright.sim.cli.commands", "cli")
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None
