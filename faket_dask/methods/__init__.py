"""Exchangeable parts of the method, each behind a protocol and in a registry that other packages can add to.

`faket_dask.methods.transfer` holds ways to transfer style, `faket_dask.methods.noise` models of a reference's noise,
and `faket_dask.methods.networks` networks whose activations describe style. Each member is one module; what it
computes, it leaves to `faket_dask.kernels`. Members are imported when they are used, so that names, settings and the
memory model need no PyTorch.
"""
