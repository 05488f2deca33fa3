"""File formats of other programs, one small module each; all convert through `faket_dask.geometry`."""
