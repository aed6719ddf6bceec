"""The configurations that regressions cover."""
