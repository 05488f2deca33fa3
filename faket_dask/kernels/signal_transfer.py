"""Signal of a weak specimen in an image: its projection through lens, radiation damage and detector.

In the weak limit the image of a projected potential V is ``1 + 2σ·T·V``, T the product of the contrast transfer
function, the loss by radiation damage and the detector's modulation transfer.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from faket_dask.kernels._checks import check_image, check_positive
from faket_dask.kernels.defocus_gradient import filter_strips
from faket_dask.kernels.exposure import Exposure
from faket_dask.kernels.microscope import Microscope
from faket_dask.kernels.optics import Defocus, Optics, contrast_transfer, interaction_constant
from faket_dask.kernels.radiation_damage import damage_envelope


def signal_transfer(
    shape: tuple[int, int],
    pixel_size_A: float,
    microscope: Microscope,
    exposure: Exposure,
    defocus: Defocus | None = None,
) -> NDArray[np.float64]:
    """Return the factor by which each spatial frequency of a noiseless tilt appears in the image.

    Parameters
    ----------
    shape
        Image shape ``(y, x)``.
    pixel_size_A
        Pixel edge in Å.
    microscope
        Lens, damage and detector.
    exposure
        Conditions of the tilt.
    defocus
        Defocus of the part of the image in question; that at the tilt axis if not given.

    Returns
    -------
    transfer
        ``(y, x)`` in [−1, 1], unshifted: minus the contrast transfer function, since a noiseless tilt is dark where
        there is matter as an image at underfocus is, times damage and modulation transfer.
    """
    optics = microscope.optics
    transfer = -contrast_transfer(shape, pixel_size_A, optics, defocus or exposure.defocus)
    transfer *= microscope.detector.modulation_transfer(shape, pixel_size_A)
    if microscope.damage:
        transfer *= damage_envelope(
            shape, pixel_size_A, optics.voltage_kV, exposure.before_e_per_A2, exposure.dose_e_per_A2
        )
    return transfer


def transfer_signal(
    noiseless: NDArray[np.floating], pixel_size_A: float, microscope: Microscope, exposure: Exposure
) -> NDArray[np.float32]:
    """Return a noiseless tilt as the microscope shows it, without noise.

    Parameters
    ----------
    noiseless
        ``(y, x)`` negated ray sums of the potential, dark where there is matter; the tilt axis is y, through column
        ``x // 2``.
    pixel_size_A
        Pixel edge in Å.
    microscope
        Lens, damage and detector.
    exposure
        Conditions of the tilt; its defocus holds at the tilt axis and changes by ``−s·tan θ`` across it, s the
        distance from it.

    Returns
    -------
    signal
        ``(y, x)`` float32 in the unit of the projection; `relative_contrast` times it is the change of the image's
        intensity relative to that of ice.

    Raises
    ------
    ValueError
        If the projection is not an image or holds NaN or infinity.

    Examples
    --------
    >>> tilt = np.zeros((64, 64)); tilt[32, 32] = -1
    >>> signal = transfer_signal(tilt, 10.0, Microscope(), Exposure(0.0, Defocus(3.0), 2.0))
    >>> bool(signal[32, 32] < signal.mean() - 10 * signal[:8].std())
    True
    """
    check_image("noiseless", noiseless)
    check_positive("pixel_size_A", pixel_size_A)
    if not np.isfinite(noiseless).all():
        raise ValueError("the noiseless tilt holds NaN or infinity")

    def transfer(shape: tuple[int, int], defocus: Defocus) -> NDArray[np.float64]:
        return signal_transfer(shape, pixel_size_A, microscope, exposure, defocus)

    return filter_strips(
        noiseless, pixel_size_A, microscope.optics, exposure.tilt_angle, exposure.defocus, transfer
    )


def relative_contrast(pixel_size_A: float, optics: Optics) -> float:
    """Return the change of relative intensity per volt and voxel of a noiseless tilt's signal, ``2σ`` times the voxel.

    Parameters
    ----------
    pixel_size_A
        Edge of a voxel in Å.
    optics
        Microscope.

    Examples
    --------
    >>> round(relative_contrast(10.0, Optics()), 4)
    0.0131
    """
    return 2 * interaction_constant(optics.voltage_kV) * pixel_size_A
