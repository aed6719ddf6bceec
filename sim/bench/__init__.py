"""The bench: what plays streams on a design inside a simulator, and compares the results."""
