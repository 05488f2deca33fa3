"""Pure functions on NumPy arrays, one operation of the method each: no Dask, no files, no configuration."""
