"""Devices that this machine has."""

from __future__ import annotations

from faket_dask.errors import InputError


def check_device(device: str) -> None:
    """Refuse a device that this machine does not have.

    Raises
    ------
    InputError
        If it is ``"cuda"`` and PyTorch finds no such device, or neither that nor ``"cpu"``.

    Examples
    --------
    >>> check_device("cpu")
    """
    if device == "cpu":
        return
    if device != "cuda":
        raise InputError(f"there is no device {device!r}; there are cpu and cuda")
    import torch  # imported late: it takes seconds, and most work is done without

    if not torch.cuda.is_available():
        raise InputError("device cuda: PyTorch finds no CUDA device here; use cpu, or a machine with a GPU")
