"""Foreign formats, one small module each. All of them convert through `faket_dask.geometry`."""
