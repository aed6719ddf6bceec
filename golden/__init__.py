"""The golden model: plain functions on NumPy arrays that say what every number is."""
