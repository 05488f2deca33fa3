"""Noise with a reference's spectrum on lazy stacks: the same bytes as in a batch run."""

from pathlib import Path

import dask.array as da
import numpy as np
import pytest
import xarray as xr
from distributed import Client

import faket_dask
from faket_dask.config import parse
from faket_dask.errors import InputError
from faket_dask.graphs import add_noise, reference_noise
from faket_dask.kernels.noise import NoiseCurves
from faket_dask.references.statistics import count_rings
from tests.runs import small_document


def stack(seed: int, name: str, angles: np.ndarray, shape: tuple[int, int] = (64, 72)) -> xr.DataArray:
    data = da.from_array(np.random.default_rng(seed).random((angles.size, *shape), dtype=np.float32))
    return xr.DataArray(data, dims=("tilt", "y", "x"), coords={"tilt_angle": ("tilt", angles)}, name=name)


def curves(tilts: int) -> NoiseCurves:
    return NoiseCurves(np.full(tilts, 0.3), np.full(tilts, 0.95), np.full(tilts, 5.0), np.full(tilts, 2.0))


def test_lazy_and_batch_noise_are_the_same_bytes(tmp_path: Path) -> None:
    document = small_document(tmp_path / "data", specimen={"fiducials": None})
    document["outputs"]["modalities"] = ["spectral", "noisy", "benchmark"]
    with Client(processes=False, n_workers=1, threads_per_worker=1, dashboard_address=None) as client:
        finished = faket_dask.run(parse(document, tmp_path), client)
    name = "specimen-000__b"
    series = finished.open(name)
    measured = NoiseCurves(*(series[key].values for key in ("signal_scale", "noise_scale", "mean", "std")))
    reference = faket_dask.open_series(finished.spec.folder.specimen("reference-b"))["tilts/benchmark"]
    noise = reference_noise(reference, count_rings(finished.spec))
    seed = finished.spec.config.dataset.seed
    for modality, shape_to in (("noisy", None), ("spectral", noise)):
        lazy = add_noise(series["noiseless"], measured, seed, name, noise=shape_to)
        np.testing.assert_array_equal(lazy.compute(scheduler="sync").values, series[modality].values)


def test_nothing_is_computed_before_compute() -> None:
    angles = np.linspace(-40, 40, 3)
    noise = reference_noise(stack(0, "reference", np.array([-30.0, 0.0, 30.0, 45.0])))
    lazy = add_noise(stack(1, "noiseless", angles), curves(3), 7, "series", noise=noise)
    assert lazy.name == "spectral"
    assert dict(zip(lazy.dims, lazy.chunks, strict=True)) == {"tilt": (1, 1, 1), "y": (64,), "x": (72,)}
    computed = lazy.compute(scheduler="sync")
    assert computed.dtype == np.float32
    np.testing.assert_allclose(computed.mean(("y", "x")), 5, rtol=1e-5)


def test_series_without_angles_is_refused() -> None:
    angles = np.linspace(-40, 40, 3)
    noise = reference_noise(stack(0, "reference", angles))
    with pytest.raises(InputError, match="tilt_angle"):
        add_noise(stack(1, "noiseless", angles).drop_vars("tilt_angle"), curves(3), 7, "s", noise=noise)
