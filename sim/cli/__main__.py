"""`python -m sim.cli` is `scalewright`."""

from sim.cli import main

main()
