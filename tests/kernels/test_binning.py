import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faket_dask.kernels.binning import bin_axes


@settings(max_examples=60)
@given(ny=st.integers(4, 50), nx=st.integers(4, 50), factor=st.integers(1, 4), level=st.floats(-9, 9))
def test_constant_stays(ny, nx, factor, level):
    binned = bin_axes(np.full((ny, nx), level), factor, (0, 1))
    assert binned.shape == (ny // factor, nx // factor)
    assert binned.dtype == np.float32
    np.testing.assert_allclose(binned, level, rtol=1e-5, atol=1e-6)


@settings(max_examples=60)
@given(ny=st.integers(60, 75), nx=st.integers(60, 75), factor=st.integers(2, 4))
def test_centre_stays_the_centre(ny, nx, factor):
    y, x = np.indices((ny, nx))
    image = np.exp(-((y - ny // 2 - 3.0) ** 2 + (x - nx // 2 + 5.0) ** 2) / (2 * 5.0**2))
    binned = bin_axes(image, factor, (0, 1)).astype(np.float64)
    rows, columns = np.indices(binned.shape)
    place = [(binned * rows).sum() / binned.sum(), (binned * columns).sum() / binned.sum()]
    expected = [binned.shape[0] // 2 + 3 / factor, binned.shape[1] // 2 - 5 / factor]
    np.testing.assert_allclose(place, expected, atol=0.02)


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_frequencies_beyond_the_new_nyquist_are_removed(factor):
    x = np.arange(240)
    beyond = np.broadcast_to(np.cos(2 * np.pi * 0.85 / factor * x), (24, 240))
    within = np.broadcast_to(np.cos(2 * np.pi * 0.15 / factor * x), (24, 240))
    assert bin_axes(beyond, factor, (0, 1))[:, 5:-5].std() < 0.03 * beyond.std()
    assert bin_axes(within, factor, (0, 1))[:, 5:-5].std() == pytest.approx(within.std(), rel=0.05)


def test_volumes_are_binned_along_every_axis():
    volume = np.random.default_rng(0).random((9, 12, 10))
    binned = bin_axes(volume, 2, (0, 1, 2))
    assert binned.shape == (4, 6, 5)
    level = np.broadcast_to(bin_axes(volume[4], 2, (0, 1)), (4, 6, 5))
    same = bin_axes(np.broadcast_to(volume[4], volume.shape), 2, (0, 1, 2))
    np.testing.assert_allclose(same, level, atol=1e-6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: bin_axes(np.zeros((4, 4)), 0, (0, 1)), "from 1 to 4"),
        (lambda: bin_axes(np.zeros((4, 8)), 5, (0, 1)), "from 1 to 4"),
    ],
)
def test_unusable_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
