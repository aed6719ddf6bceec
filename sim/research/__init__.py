"""Configurations side by side on a user's tensors: noise against stored bits."""
