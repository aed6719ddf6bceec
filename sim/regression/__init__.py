"""Regressions: what they play, and which configurations they cover."""
