"""The lazy graphs, lifted from the stores of a batch run, give the bytes that the run wrote."""

import dask
import numpy as np
import pytest
import xarray as xr

import faket_dask
from faket_dask import graphs
from faket_dask.formats.mrc import open_stack
from faket_dask.kernels.noise import NoiseCurves
from faket_dask.references import open_reference


@pytest.fixture
def series(dataset: faket_dask.Dataset) -> xr.Dataset:
    """What the run made, by tilt."""
    [name] = dataset.series
    return dataset.open(name)


@pytest.fixture
def noisy_and_content(dataset: faket_dask.Dataset, series: xr.Dataset) -> tuple[xr.DataArray, xr.DataArray]:
    """The two stacks made lazily from the run's noiseless projections and noise statistics."""
    section = dataset.spec.config
    curves = NoiseCurves(*(series[name].values for name in ("signal_scale", "noise_scale", "mean", "std")))
    noiseless = series["noiseless"]
    seed, [name] = section.dataset.seed, dataset.series
    level = section.noise.content_level
    return (
        graphs.add_noise(noiseless, curves, seed, name),
        graphs.add_noise(noiseless, curves, seed, name, level),
    )


def reference_stack(dataset: faket_dask.Dataset) -> xr.DataArray:
    """The run's reference, lazily: simulated and in a store, or recorded and in an MRC file."""
    spec = dataset.spec
    if not spec.inputs.recordings:
        store = spec.folder.specimen_tilts("reference-ref")
        return xr.open_zarr(store, consolidated=False)["benchmark"]
    stack = open_stack(spec.references["ref"].stack)
    tilts = np.stack([stack.tilt(index) for index in range(stack.shape[0])])
    angles = open_reference(spec, "ref").tilt_angles
    return xr.DataArray(tilts, dims=("tilt", "y", "x"), coords={"tilt_angle": ("tilt", angles)}).chunk(tilt=2)


def assert_same_bytes(found: xr.DataArray, expected: xr.DataArray) -> None:
    assert found.dtype == expected.dtype == np.float32
    assert found.dims == expected.dims
    assert found.values.tobytes() == expected.values.tobytes()


def test_projection(dataset: faket_dask.Dataset, series: xr.Dataset) -> None:
    [specimen] = dataset.spec.specimens
    store = dataset.spec.folder.specimen(specimen)
    volume = xr.open_zarr(store, group="volume", consolidated=False)["density"]
    projected = graphs.project(
        volume,
        dataset.spec.geometry.acquisition(dataset.series[0]).tilt_angles,
        width=series.sizes["x"],
        projector=dataset.spec.config.acquisition.projector,
    )
    assert len(projected.chunksizes["y"]) > 1
    assert_same_bytes(projected, series["noiseless"])
    for axis in ("x", "y"):
        np.testing.assert_array_equal(projected[axis], series[axis])


def test_noise(noisy_and_content: tuple[xr.DataArray, xr.DataArray], series: xr.Dataset) -> None:
    noisy, content = noisy_and_content
    assert_same_bytes(noisy, series["noisy"])
    assert_same_bytes(content, series["content"])


def test_style_transfer(
    dataset: faket_dask.Dataset,
    series: xr.Dataset,
    noisy_and_content: tuple[xr.DataArray, xr.DataArray],
) -> None:
    style = dataset.spec.config.style
    reference = graphs.reference_style(reference_stack(dataset), style)
    transferred = graphs.transfer_style(*noisy_and_content, reference, style)
    assert_same_bytes(transferred, series["faket"])


def test_computed_reference_gives_the_same_bytes(
    dataset: faket_dask.Dataset,
    series: xr.Dataset,
    noisy_and_content: tuple[xr.DataArray, xr.DataArray],
) -> None:
    style = dataset.spec.config.style
    [reference] = dask.compute(graphs.reference_style(reference_stack(dataset), style))
    [first, *_] = reference.targets
    assert isinstance(first["gram_1"], np.ndarray)
    one_tilt = graphs.transfer_style(*noisy_and_content, reference, style).isel(tilt=[1])
    assert_same_bytes(one_tilt, series["faket"].isel(tilt=[1]))
