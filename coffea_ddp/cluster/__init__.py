"""Dask clusters: connecting to one, workers of the same code, and calls that other code refuses."""
