import numpy as np
import pytest

from faket_dask.specimen.ice import ice_fluctuation, ice_texture


def test_slices_do_not_depend_on_their_block():
    whole = ice_texture((6, 9, 7), 0, 10.0, 1.0, 42)
    part = ice_texture((6, 4, 7), 3, 10.0, 1.0, 42)
    np.testing.assert_array_equal(part, whole[:, 3:7])
    assert not np.array_equal(whole[:, 0], whole[:, 1])
    assert not np.array_equal(ice_texture((6, 9, 7), 0, 10.0, 1.0, 43), whole)


def test_texture_is_white_with_molecular_fluctuation():
    texture = ice_texture((40, 60, 80), 0, 10.0, 2.0, 1)
    assert texture.mean() == pytest.approx(0, abs=0.005)
    assert texture.std() == pytest.approx(2 * ice_fluctuation(10.0), rel=0.01)
    neighbours = np.corrcoef(texture[1:].ravel(), texture[:-1].ravel())[0, 1]
    assert abs(neighbours) < 0.02


def test_fluctuation_scales_with_inverse_root_of_volume():
    assert ice_fluctuation(5.0) / ice_fluctuation(20.0) == pytest.approx(8)
    # 31 molecules of ice in a voxel of 10 Å, with S(0) = 0.06.
    assert ice_fluctuation(10.0) == pytest.approx(4.53 * np.sqrt(0.06 / 31.1), rel=1e-6)
