"""Scaling of stacks to [0, 1]."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faket_dask.kernels.style.scaling import TiltScaling, stack_scaling, tilt_extrema


def stack(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(5, 2, (4, 32, 40)).astype(np.float32)


def test_min_max_is_that_of_the_whole_stack() -> None:
    tilts = stack()
    scaling = stack_scaling(tilt_extrema(tilt) for tilt in tilts)
    assert (scaling.low, scaling.high) == (tilts.min(), tilts.max())
    scaled = np.stack([scaling.apply(tilt) for tilt in tilts])
    assert scaled.min() == 0
    assert scaled.max() == 1


def test_hot_pixel_does_not_set_a_robust_range() -> None:
    tilts = stack()
    clean = stack_scaling(tilt_extrema(tilt, 0.5) for tilt in tilts)
    tilts[2, 3, 4] = 1e6
    hot = stack_scaling(tilt_extrema(tilt, 0.5) for tilt in tilts)
    assert hot.span == pytest.approx(clean.span, rel=0.05)
    assert hot.apply(tilts[2])[3, 4] == 1


@given(st.floats(-1e3, 1e3), st.floats(1e-2, 1e3), st.sampled_from([0.0, 0.1, 2.0]))
def test_scaled_images_do_not_depend_on_units(offset: float, factor: float, clip: float) -> None:
    tilts = stack().astype(np.float64)
    moved = tilts * factor + offset
    a = stack_scaling(tilt_extrema(tilt, clip) for tilt in tilts).apply(tilts[1])
    b = stack_scaling(tilt_extrema(tilt, clip) for tilt in moved).apply(moved[1])
    np.testing.assert_allclose(a, b, atol=1e-5)


def test_constant_stack_is_refused() -> None:
    with pytest.raises(ValueError, match="constant"):
        stack_scaling([(3.0, 3.0), (3.0, 3.0)])


def test_tilt_by_itself_has_one_contrast_whatever_its_unit() -> None:
    image = np.random.default_rng(0).normal(size=(64, 64)).astype(np.float32)
    unit = TiltScaling().apply(image)
    assert unit.mean() == pytest.approx(0.5, abs=1e-3)
    assert unit.std() == pytest.approx(0.1, abs=1e-3)
    np.testing.assert_allclose(TiltScaling().apply(300 - 7 * image), 1 - unit, atol=1e-5)


def test_recorded_tilt_is_scaled_without_its_beads_and_ramp() -> None:
    image = np.random.default_rng(0).normal(size=(128, 128))
    y, x = np.mgrid[:128, :128]
    recorded = image + 0.05 * x
    recorded[(y - 60) ** 2 + (x - 40) ** 2 < 20] = -12
    unit = TiltScaling(recorded=True).apply(recorded.astype(np.float32))
    elsewhere = (y - 60) ** 2 + (x - 40) ** 2 > 200
    np.testing.assert_allclose(unit[elsewhere], TiltScaling().apply(image)[elsewhere], atol=0.03)
    assert abs(unit[60, 40] - 0.5) < 0.1
