"""Noise models of the modalities that show noise of one kind, whichever noise a transfer starts from."""

from __future__ import annotations

from contextlib import suppress

from faket_dask.errors import InputError
from faket_dask.methods.noise import NOISE_MODELS


def find_noise_model(modality: str) -> str | None:
    """Return the name of the noise model that a modality shows; ``None`` if it shows none.

    Several models may belong to one modality. The first is meant, and those of this package come first: an installed
    package changes no data set that does not name its models.

    Examples
    --------
    >>> find_noise_model("noisy"), find_noise_model("spectral"), find_noise_model("benchmark")
    ('white', 'spectral', None)
    """
    for name in NOISE_MODELS.names:
        with suppress(InputError):  # the package of a model that nothing names may be broken
            if NOISE_MODELS.get(name).modality == modality:
                return name
    return None
