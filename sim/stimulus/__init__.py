"""Stimulus: legal bit patterns, from the exhaustive to the random."""
