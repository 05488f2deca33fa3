"""Comparison of two tilt-series."""
