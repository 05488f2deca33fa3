"""Loss of contrast by elastic scattering in the ice around a particle.

Electrons that the ice scatters elastically pass the energy filter and the aperture, and carry no contrast of the
particle: they add to the image's mean alone.
"""

import math

from faket_dask.kernels.elastic_scattering import elastic_cross_section

ICE_MOLECULES_PER_A3 = 0.0308
"""Water molecules in vitreous ice of 0.92 g/cm³."""

_ATOMS_OF_WATER = (8, 1, 1)
"""Atomic numbers."""


def elastic_mean_free_path(voltage_kV: float) -> float:
    """Return the path in vitreous ice after which 1/e of the electrons have not been scattered elastically, in Å.

    Parameters
    ----------
    voltage_kV
        Acceleration voltage.

    Examples
    --------
    >>> round(elastic_mean_free_path(300.0), -2)
    5800.0
    """
    molecule_A2 = sum(elastic_cross_section(number, voltage_kV) for number in _ATOMS_OF_WATER)
    return 1 / (ICE_MOLECULES_PER_A3 * molecule_A2)


def coherent_fraction(ice_thickness_A: float, tilt_angle: float, voltage_kV: float) -> float:
    """Return the share of the recorded electrons that carry a particle's contrast.

    Parameters
    ----------
    ice_thickness_A
        Thickness of the ice at zero tilt.
    tilt_angle
        Degrees, within ±90 (not included).
    voltage_kV
        Acceleration voltage.

    Examples
    --------
    >>> round(coherent_fraction(2700.0, 0.0, 300.0), 2)
    0.63
    """
    path = ice_thickness_A / math.cos(math.radians(tilt_angle))
    return math.exp(-path / elastic_mean_free_path(voltage_kV))
