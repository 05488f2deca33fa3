"""Transfer functions that a template goes through before it is compared: missing wedge and contrast transfer."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faket_dask.kernels._checks import as_angles
from faket_dask.kernels.optics import Defocus, Optics, contrast_transfer


def is_direction_sampled(
    kz: NDArray[np.floating], kx: NDArray[np.floating], tilt_angles: ArrayLike
) -> NDArray[np.bool_]:
    """Tell whether the directions of frequencies lie between the first and the last tilt about the y axis.

    Parameters
    ----------
    kz, kx
        Components of the frequencies, of shapes that broadcast; where both are 0 the result is false.
    tilt_angles
        ``(tilt,)`` degrees of all tilts, or of the first and the last. All tilts reach half of their mean step
        further.

    Examples
    --------
    >>> is_direction_sampled(np.array([0.0, 0.1]), np.array([0.1, 0.0]), [-60, 60])
    array([ True, False])
    """
    angles = as_angles(tilt_angles)
    step = np.ptp(angles) / (angles.size - 1) if angles.size > 2 else 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        angle = np.degrees(np.arctan(-kz / kx))
    low, high = angles.min() - step / 2, angles.max() + step / 2
    # At kx = 0 both signs of the angle stand for the same frequency.
    return (angle >= low) & (angle <= high) | (np.abs(angle) == 90) & ((low <= -90) | (high >= 90))


def sampled_frequencies(edge: int, tilt_angles: ArrayLike) -> NDArray[np.bool_]:
    """Tell which frequencies of a cube a tilt-series about the y axis has sampled.

    A tilt by a gives the frequencies with ``kx sin a + kz cos a = 0``, in the geometry of
    `faket_dask.kernels.backprojection`. Those between the first and the last tilt count as sampled, and half of the
    mean step beyond where more than these two are given.

    Parameters
    ----------
    edge
        Voxels along an edge.
    tilt_angles
        ``(tilt,)`` degrees of all tilts, or of the first and the last.

    Returns
    -------
    sampled
        ``(edge, edge, edge // 2 + 1)``, axes ``(kz, ky, kx)`` as ``rfftn`` has them.

    Examples
    --------
    >>> sampled_frequencies(8, [-45, 0, 45])[:, 0, 0]
    array([ True, False, False, False, False, False, False, False])
    """
    kz, kx = np.fft.fftfreq(edge)[:, None], np.fft.rfftfreq(edge)[None, :]
    is_sampled = is_direction_sampled(kz, kx, tilt_angles)
    is_sampled[0, 0] = True
    return np.repeat(is_sampled[:, None, :], edge, axis=1)


def mean_transfer(
    edge: int, voxel_size_A: float, optics: Optics, defocus_um: float, *, phase_flipped: bool
) -> NDArray[np.float64]:
    """Return the contrast transfer of the mean defocus at the frequencies of a cube, positive at low ones.

    Parameters
    ----------
    edge
        Voxels along an edge.
    voxel_size_A
        Edge of a voxel in Å.
    optics
        Microscope.
    defocus_um
        Mean defocus of the tilts in µm, underfocus positive.
    phase_flipped
        True for tomograms of tilts whose phases were flipped: the sign is the same at all frequencies.

    Returns
    -------
    transfer
        ``(edge, edge, edge // 2 + 1)`` in [−1, 1], axes ``(kz, ky, kx)`` as ``rfftn`` has them.

    Examples
    --------
    >>> mean_transfer(4, 10.0, Optics(amplitude_contrast=0.1), 3.0, phase_flipped=False)[0, 0].round(2)
    array([ 0.1 ,  0.95, -1.  ])
    """
    # One row of an image, fine enough for linear interpolation, up to the corners of the cube.
    fine_A = voxel_size_A / 2
    row = 64 * edge
    curve = -contrast_transfer((1, row), fine_A, optics, Defocus(defocus_um))[0, : row // 2 + 1]
    if phase_flipped:
        curve = np.abs(curve)
    k = np.fft.fftfreq(edge, voxel_size_A)
    radius = np.sqrt(
        k[:, None, None] ** 2
        + k[None, :, None] ** 2
        + np.fft.rfftfreq(edge, voxel_size_A)[None, None, :] ** 2
    )
    return np.interp(radius, np.fft.rfftfreq(row, fine_A)[: curve.size], curve)
