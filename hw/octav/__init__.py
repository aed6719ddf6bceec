"""The OCTAV unit: the iteration that finds a clipping threshold."""

from scalewright.hw.octav.octav_unit import OctavUnit

__all__ = ["OctavUnit"]
