"""Runs independent tasks: on the cores of this machine, or on a Dask cluster.

A regression of many configurations, a soak: each is a function and items for it, and the results
come in the order of the items wherever they were computed.
"""
