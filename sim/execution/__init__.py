"""Runs matrix products and whole networks on the RTL."""
