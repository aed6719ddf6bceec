"""Simulators: finding them, building designs with them, running them."""
