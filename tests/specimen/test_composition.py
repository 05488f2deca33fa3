import gemmi
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faket_dask.specimen.composition import PROTEIN_MAP_V, mean_map_potential
from faket_dask.specimen.ice import ICE_V

VOLT_A3_PER_A = 47.878
# Volumes of atoms in Å³: Fraser, MacRae & Suzuki 1978.
VOLUMES_A3 = {"H": 5.15, "C": 16.44, "N": 2.49, "O": 9.13, "P": 5.73, "S": 19.86}
PROTEIN = {"C": 4.94, "H": 7.76, "N": 1.36, "O": 1.48, "S": 0.04}
RNA = {"C": 9.5, "H": 11.75, "N": 3.75, "O": 7.0, "P": 1.0}


def solid(atoms: dict[str, float], mass: float) -> tuple[float, float]:
    """Return potential over ice times volume, and volume, of a mass of material."""
    weight = sum(count * gemmi.Element(element).weight for element, count in atoms.items())
    scattering = sum(count * sum(gemmi.Element(element).c4322.a) for element, count in atoms.items())
    volume = sum(count * VOLUMES_A3[element] for element, count in atoms.items())
    return mass / weight * (VOLT_A3_PER_A * scattering - ICE_V * volume), mass / weight * volume


@given(fraction=st.floats(0, 1))
def test_potential_is_that_of_the_mixed_solid_over_that_of_protein(fraction):
    parts = [solid(PROTEIN, 1 - fraction), solid(RNA, fraction)]
    mixed = sum(part[0] for part in parts) / sum(part[1] for part in parts)
    potential, volume = solid(PROTEIN, 1)
    expected = PROTEIN_MAP_V * mixed / (potential / volume)
    assert mean_map_potential(fraction) == pytest.approx(expected, rel=0.01)


def test_ribosome_of_half_rna_is_a_fifth_denser_than_protein():
    assert mean_map_potential(0.5) == pytest.approx(2.5, abs=0.05)
