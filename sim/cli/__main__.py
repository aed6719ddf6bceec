"""`python -m scalewright.sim.cli` is `scalewright`."""

from scalewright.sim.cli import main

# Workers of a command import this module, too.
if __name__ == "__main__":
    main()
