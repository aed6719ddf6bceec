"""The vector MAC: dot product, scale product, saturating accumulator."""

from scalewright.hw.mac.vector_mac import VectorMac, VectorPair

__all__ = ["VectorMac", "VectorPair"]
