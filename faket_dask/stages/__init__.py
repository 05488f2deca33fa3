"""One step of the method each, on NumPy blocks: seeds, extrema, targets and kernels put together.

A stage function says what a task does, not where it runs: the batch run (`faket_dask.dataset`) and the lazy
graphs (`faket_dask.graphs`) call the same ones, and so give the same bytes.
"""
