"""Correction of the CTF, compared with formulae that are written out here."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faket_dask.kernels.backprojection import back_project
from faket_dask.kernels.ctf_correction import CtfCorrection, PhaseFlip, Wiener
from faket_dask.kernels.optics import Defocus, Optics, contrast_transfer
from faket_dask.kernels.projection import project
from faket_dask.stages.reconstruction import Restoration, prepare_tilt

PIXEL_A = 5.0


def shown(shape: tuple[int, int], defocus_um: float) -> np.ndarray:
    """Return the transfer to an image that is dark at underfocus, at 300 kV, 2.7 mm and 8 % amplitude contrast."""
    ky, kx = np.fft.fftfreq(shape[0], PIXEL_A)[:, None], np.fft.fftfreq(shape[1], PIXEL_A)
    k2, length = kx**2 + ky**2, 0.0196875
    phase = math.pi * length * defocus_um * 1e4 * k2 - math.pi / 2 * 2.7e7 * length**3 * k2**2
    return np.sin(phase + math.asin(0.08))


def image_through(image: np.ndarray, transfer: np.ndarray) -> np.ndarray:
    return np.fft.ifft2(np.fft.fft2(image) * transfer).real


@settings(max_examples=25, deadline=None)
@given(
    defocus=st.floats(-6, 6), astigmatism=st.floats(-1, 1), angle=st.floats(0, 180), snr=st.floats(0.01, 1e3)
)
def test_corrected_contrast_is_nowhere_inverted(
    defocus: float, astigmatism: float, angle: float, snr: float
) -> None:
    optics, focus = Optics(), Defocus(defocus, astigmatism, angle)
    transfer = -contrast_transfer((32, 48), PIXEL_A, optics, focus)
    for method in (PhaseFlip(), Wiener(snr)):
        weights = CtfCorrection(method, optics, (focus,)).weights((32, 48), PIXEL_A, focus)
        assert (weights * transfer >= 0).all()
    assert set(np.unique(CtfCorrection(PhaseFlip(), optics, ()).weights((32, 48), PIXEL_A, focus))) <= {-1, 1}


@given(transfer=st.floats(-1, 1), snr=st.floats(0.01, 1e3), step=st.sampled_from([-0.01, 0.01]))
def test_wiener_filter_has_the_least_mean_square_error(transfer: float, snr: float, step: float) -> None:
    def error(weight: float) -> float:
        return snr * (weight * transfer - 1) ** 2 + weight**2

    weight = float(Wiener(snr).correct(np.array(transfer)))
    assert error(weight) <= error(weight + step) + 1e-9


def test_strips_equal_one_multiplication_where_there_is_no_gradient() -> None:
    image = np.random.default_rng(0).standard_normal((64, 80))
    transfer = shown((64, 80), 2.0)
    correction = CtfCorrection(Wiener(5.0), Optics(), (Defocus(2.0),))
    corrected = correction.apply(np.tile(image, (3, 3)), PIXEL_A, tilt_angle=0.0, index=0)[64:128, 80:160]
    expected = image_through(image, transfer / (transfer**2 + 1 / 5.0))
    assert np.std(corrected - expected) < 0.03 * expected.std()


@pytest.mark.parametrize("angle", [-60.0, 60.0])
@pytest.mark.parametrize("column", [150, 1100])
def test_particle_far_from_the_axis_is_corrected_with_its_own_defocus(angle: float, column: int) -> None:
    rows, columns = 64, 1200
    rise_um = -1e-4 * PIXEL_A * (column - columns // 2) * math.tan(math.radians(angle))
    assert abs(rise_um) > 0.35
    point = np.zeros((rows, columns))
    point[rows // 2, column] = -1
    recorded = image_through(point, shown(point.shape, 3.0 + rise_um))
    ideal = image_through(point, np.abs(shown(point.shape, 3.0 + rise_um)))
    correction = CtfCorrection(PhaseFlip(), Optics(), (Defocus(3.0),))
    near = np.s_[:, column - 20 : column + 21]
    own, level, wrong = (
        np.corrcoef(correction.apply(recorded, PIXEL_A, tilt, 0)[near].ravel(), ideal[near].ravel())[0, 1]
        for tilt in (angle, 0.0, -angle)
    )
    assert own > 0.97
    assert own > max(level, wrong) + 0.1


def ring_correlations(tomogram: np.ndarray, density: np.ndarray, edges: list[float]) -> list[float]:
    """Return correlations in the plane of the slab, by rings of spatial frequency in 1/Å; dark is dense."""
    first, second = (np.fft.fft2(volume.sum(axis=0)) for volume in (-tomogram, density))
    ky, kx = (np.fft.fftfreq(size, PIXEL_A) for size in density.shape[1:])
    radius = np.hypot(ky[:, None], kx)
    masks = [(radius >= low) & (radius < high) for low, high in pairwise(edges)]
    return [
        float(
            (first[mask] * second[mask].conj()).real.sum()
            / np.sqrt((np.abs(first[mask]) ** 2).sum() * (np.abs(second[mask]) ** 2).sum())
        )
        for mask in masks
    ]


def test_corrected_tomogram_has_the_right_sign_in_every_ring() -> None:
    angles = np.arange(-60.0, 61, 6)
    rng = np.random.default_rng(1)
    density = np.zeros((24, 64, 96), dtype=np.float32)
    for z, y, x in rng.integers((8, 8, 16), (16, 56, 80), (30, 3)):
        density[z, y, x] = 1
    tilts = [image_through(tilt, shown(tilt.shape, 3.0)) for tilt in project(density, angles)]

    def reconstruct(correction: CtfCorrection | None) -> np.ndarray:
        ready = [
            prepare_tilt(
                tilt=tilt,
                kind="hann",
                tilt_angles=angles,
                index=index,
                thickness_px=24,
                restoration=Restoration(PIXEL_A, correction),
            )
            for index, tilt in enumerate(tilts)
        ]
        return back_project(np.stack(ready), angles, 24)

    # The CTF of 3 µm is positive to 1/24 Å, negative to 1/17 Å, positive to 1/14 Å.
    edges = [1 / 60, 1 / 25, 1 / 17.6, 1 / 14.6]
    focus = (Defocus(3.0),) * angles.size
    before = ring_correlations(reconstruct(None), density, edges)
    assert [value > 0 for value in before] == [True, False, True]
    for method in (PhaseFlip(), Wiener(10.0)):
        after = ring_correlations(reconstruct(CtfCorrection(method, Optics(), focus)), density, edges)
        assert min(after) > 0.5
        assert after[1] > -before[1] - 0.1


def test_impossible_ratio_is_refused() -> None:
    with pytest.raises(ValueError, match="signal_to_noise"):
        Wiener(0.0)
