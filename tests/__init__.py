"""Tests, one file for each source file, and the oracle they compare golden with."""
