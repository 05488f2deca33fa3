"""Mean potential of a particle by its composition, for density maps, which come in arbitrary units."""

PROTEIN_MAP_V = 2.1
"""Mean potential over ice inside a protein's surface at 10 Å, as coordinates give it."""

PROTEIN_V_A3_PER_DA = 4.10
"""Potential over ice of proteins in V Å³ per dalton."""

_PROTEIN = (PROTEIN_V_A3_PER_DA, 1.249)
_RNA = (4.43, 0.920)
"""Potential over ice in V Å³, and volume in Å³, per dalton.

From neutral atoms and the volumes that they keep from the solvent (`faket_dask.specimen.structure`), for the average
residue of proteins (C4.94 H7.76 N1.36 O1.48 S0.04) and the average nucleotide of RNA (C9.5 H11.75 N3.75 O7 P): 3.3 and
4.8 V.
"""


MOLECULAR_VOLUME_A3_PER_DA = 1.21
"""Volume of a protein by its mass (Harpaz, Gerstein & Chothia, Structure 2, 641, 1994)."""


def potential_per_dalton(rna_fraction: float) -> float:
    """Compute the potential over ice in V Å³ that a dalton of protein and RNA adds up to.

    Parameters
    ----------
    rna_fraction
        Share of RNA in the mass, 0 to 1.

    Examples
    --------
    >>> potential_per_dalton(0.0), round(potential_per_dalton(0.5), 3)
    (4.1, 4.265)
    """
    return (1 - rna_fraction) * _PROTEIN[0] + rna_fraction * _RNA[0]


def solid_potential(rna_fraction: float) -> float:
    """Compute the potential in volts over ice of dry protein and RNA, as it is between the surfaces of a particle.

    Parameters
    ----------
    rna_fraction
        Share of RNA in the mass, 0 to 1.

    Examples
    --------
    >>> round(solid_potential(0.0), 2), round(solid_potential(1.0), 2)
    (3.28, 4.82)
    """
    potential, volume = (
        (1 - rna_fraction) * protein + rna_fraction * rna for protein, rna in zip(_PROTEIN, _RNA, strict=True)
    )
    return potential / volume


def mean_map_potential(rna_fraction: float) -> float:
    """Compute the mean potential in volts over ice inside a particle of protein and RNA, at 10 Å.

    Parameters
    ----------
    rna_fraction
        Share of RNA in the particle's mass, 0 to 1.

    Examples
    --------
    >>> round(mean_map_potential(0.0), 2), round(mean_map_potential(0.5), 2), round(mean_map_potential(0.65), 2)
    (2.1, 2.52, 2.67)
    """
    return PROTEIN_MAP_V * solid_potential(rna_fraction) / solid_potential(0.0)
