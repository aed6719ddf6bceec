"""Comparisons of speed and of clipping methods."""
