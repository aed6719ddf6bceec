"""`python -m scalewright.sim.cli` is `scalewright`."""

from scalewright.sim.cli import main

main()
