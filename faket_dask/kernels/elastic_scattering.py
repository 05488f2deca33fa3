"""Elastic scattering of fast electrons by atoms.

Source: Langmore & Smith, Ultramicroscopy 46, 349 (1992), equation 2.
"""

import math

REST_ENERGY_KEV = 510.999
"""Energy of an electron at rest."""


def squared_speed(voltage_kV: float) -> float:
    """Return the square of an electron's speed over that of light.

    Parameters
    ----------
    voltage_kV
        Acceleration voltage.

    Examples
    --------
    >>> round(squared_speed(300.0), 3)
    0.603
    """
    return 1 - (REST_ENERGY_KEV / (voltage_kV + REST_ENERGY_KEV)) ** 2


def elastic_cross_section(atomic_number: int, voltage_kV: float) -> float:
    """Return the cross section of elastic scattering by an atom, in Å².

    Parameters
    ----------
    atomic_number
        Atomic number.
    voltage_kV
        Acceleration voltage.

    Examples
    --------
    >>> round(elastic_cross_section(8, 300.0), 5)
    0.00515
    """
    beta2 = squared_speed(voltage_kV)
    screening = 1 - 0.26 * atomic_number / (137 * math.sqrt(beta2))
    return 1.4e-4 * atomic_number**1.5 / beta2 * screening
