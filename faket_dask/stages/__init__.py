"""Steps of the method on NumPy blocks, put together from seeds, kernels and methods.

A stage function states the work of a task, not where it runs: the batch run (`faket_dask.pipeline`) and the lazy graphs
(`faket_dask.graphs`) call the same functions, and so give the same bytes.
"""
