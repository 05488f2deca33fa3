"""Programs of the field, each in an environment of its own, on the files that faket_dask exports."""
