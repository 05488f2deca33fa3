"""Graphs are built without computing anything, and refuse at once what they cannot compute."""

import dask
import dask.array as da
import numpy as np
import pytest
import xarray as xr

from faket_dask import graphs
from faket_dask.config import StyleSection
from faket_dask.errors import InputError
from faket_dask.kernels.noise import NoiseCurves

ANGLES = np.array([-40.0, 0.0, 40.0])
CURVES = NoiseCurves(*(np.full(3, value) for value in (0.5, 0.5, 10.0, 2.0)))
STYLE = StyleSection(weights="random", style_layers={1: 1.0}, content_layers={1: 1.0})


class ComputedError(Exception):
    """Something was computed that nobody had asked for."""


def untouchable(shape: tuple[int, int, int]) -> da.Array:
    """An array that cannot be computed."""

    def refuse() -> np.ndarray:
        raise ComputedError

    return da.from_delayed(dask.delayed(refuse)(), shape, dtype=np.float32)


def volume_of(data: da.Array | np.ndarray) -> xr.DataArray:
    return xr.DataArray(data, dims=("z", "y", "x"))


def stack_of(data: da.Array | np.ndarray, angles: np.ndarray = ANGLES) -> xr.DataArray:
    return xr.DataArray(data, dims=("tilt", "y", "x"), coords={"tilt_angle": ("tilt", angles)})


def random_stack(seed: int, tilts: int = 3) -> xr.DataArray:
    return stack_of(np.random.default_rng(seed).random((tilts, 32, 32), dtype=np.float32), ANGLES[:tilts])


def test_nothing_is_computed_before_compute() -> None:
    noiseless = graphs.project(volume_of(untouchable((8, 32, 48))), ANGLES, width=32)
    noisy = graphs.add_noise(noiseless, CURVES, seed=1, series="a")
    content = graphs.add_noise(noiseless, CURVES, seed=1, series="a", level=0.25)
    reference = graphs.reference_style(stack_of(untouchable((3, 40, 40))), STYLE)
    faket = graphs.transfer_style(noisy, content, reference, STYLE)
    assert [array.name for array in (noiseless, noisy, content, faket)] == [
        "noiseless",
        "noisy",
        "noisy",
        "faket",
    ]
    for array in (noiseless, noisy, content, faket):
        assert array.shape == (3, 32, 32)
        assert array.dtype == np.float32
        np.testing.assert_array_equal(array["tilt_angle"], ANGLES)
        with pytest.raises(ComputedError):
            array.compute(scheduler="synchronous")


def test_series_in_two_styles_can_be_computed_together() -> None:
    noisy, content = random_stack(0), random_stack(1)
    styles = [graphs.reference_style(random_stack(seed), STYLE) for seed in (2, 3)]
    alone = [graphs.transfer_style(noisy, content, style, STYLE).values for style in styles]
    together = dask.compute(*(graphs.transfer_style(noisy, content, style, STYLE) for style in styles))
    assert not np.array_equal(*alone)
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, other.values)


def test_equal_requests_share_their_tasks() -> None:
    volume = volume_of(da.ones((8, 32, 48), chunks=(8, 16, 48), dtype=np.float32))
    assert graphs.project(volume, ANGLES).data.name == graphs.project(volume, ANGLES).data.name
    assert graphs.project(volume, ANGLES).data.name != graphs.project(volume, ANGLES / 2).data.name
    stack = random_stack(0)
    names = {graphs.add_noise(stack, CURVES, seed, "a").data.name for seed in (1, 1, 2)}
    assert len(names) == 2


@pytest.mark.parametrize("chunks", [(8, 32, 48), (3, 5, 7)])
def test_chunks_do_not_change_a_byte(chunks: tuple[int, int, int]) -> None:
    density = np.random.default_rng(0).random((8, 32, 48), dtype=np.float32)
    whole = graphs.project(volume_of(density), ANGLES, width=32)
    cut = graphs.project(volume_of(da.from_array(density, chunks=chunks)), ANGLES, width=32)
    noisy = [graphs.add_noise(stack, CURVES, seed=1, series="a").values for stack in (whole, cut)]
    assert noisy[0].tobytes() == noisy[1].tobytes()


def test_array_that_is_no_volume_is_refused() -> None:
    volume = volume_of(untouchable((8, 32, 48)))
    with pytest.raises(InputError, match=r"dimensions \(z, y, x\)"):
        graphs.project(volume.transpose("y", "z", "x"), ANGLES)
    for width in (0, 49):
        with pytest.raises(InputError, match=f"width {width} .* 48"):
            graphs.project(volume, ANGLES, width=width)
    for angles in ([0.0, np.nan], [], [[0.0]]):
        with pytest.raises(InputError, match="tilt angles"):
            graphs.project(volume, angles)


def test_array_that_is_no_stack_is_refused() -> None:
    stack = stack_of(untouchable((3, 32, 32)))
    turned = stack.transpose("y", "x", "tilt")
    with pytest.raises(InputError, match=r"dimensions \(tilt, y, x\)"):
        graphs.add_noise(turned, CURVES, 1, "a")
    with pytest.raises(InputError, match="3 noise statistics for 2 tilts"):
        graphs.add_noise(stack[:2], CURVES, 1, "a")
    with pytest.raises(InputError, match=r"dimensions \(tilt, y, x\)"):
        graphs.reference_style(turned, STYLE)
    with pytest.raises(InputError, match="no coordinate tilt_angle"):
        graphs.reference_style(stack.drop_vars("tilt_angle"), STYLE)


def test_stacks_of_different_shapes_are_refused() -> None:
    stack = stack_of(untouchable((3, 32, 32)))
    reference = graphs.reference_style(stack, STYLE)
    with pytest.raises(InputError, match="they must agree"):
        graphs.transfer_style(stack, stack[:, :, :31], reference, STYLE)
    with pytest.raises(InputError, match=r"dimensions \(tilt, y, x\)"):
        graphs.transfer_style(stack[0], stack[0], reference, STYLE)
    with pytest.raises(InputError, match="no coordinate tilt_angle"):
        graphs.transfer_style(stack.drop_vars("tilt_angle"), stack, reference, STYLE)
