"""The matrix engine: weight buffer, lanes of vector MACs, post-processing unit."""

from scalewright.hw.engine.engine import Engine

__all__ = ["Engine"]
