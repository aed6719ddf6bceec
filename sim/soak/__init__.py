"""Soaks: random configurations, each with millions of random vectors, for as long as one likes."""
