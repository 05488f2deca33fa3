"""Dask plugins that adapt workers to long, durable units of work."""
