"""Globules: phantoms of a given mass."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faket_dask.errors import InputError
from faket_dask.specimen import Recipe, Species, place
from faket_dask.specimen.composition import potential_per_dalton
from faket_dask.specimen.globules import globule_template
from faket_dask.specimen.source_names import SourceKind, check_source
from faket_dask.specimen.template import Sampling


@settings(max_examples=8, deadline=None)
@given(
    mass_kDa=st.floats(20, 1500),
    rna_fraction=st.floats(0, 1),
    voxel_A=st.sampled_from([5.0, 8.0, 13.3]),
    sampling=st.sampled_from(Sampling),
)
def test_potential_is_that_of_the_mass_at_any_voxel_size(mass_kDa, rna_fraction, voxel_A, sampling):
    template = globule_template(f"globule:{mass_kDa:.3f}kDa", voxel_A, sampling, rna_fraction)
    potential = template.density.sum(dtype=np.float64) * template.voxel_size_A**3
    assert template.mass_Da == pytest.approx(1000 * mass_kDa, rel=1e-4)
    assert potential / template.mass_Da == pytest.approx(potential_per_dalton(rna_fraction), rel=0.01)


def test_labels_of_globules_are_as_large_and_as_dense_as_those_of_structures():
    for mass_kDa in (40, 150, 560, 1300):
        template = globule_template(f"globule:{mass_kDa}kDa", 10.0, Sampling.AVERAGED)
        assert 1.1 < template.volume_A3 / template.molecular_volume_A3 < 1.45
        assert 2.0 < template.density[template.density >= template.level_V].mean() < 2.7


def test_shape_follows_from_the_mass_alone():
    one, again, other = (globule_template(f"globule:{mass}kDa", 10.0) for mass in ("300", "300", "310"))
    assert np.array_equal(one.density, again.density)
    assert one.density.shape != other.density.shape or not np.array_equal(one.density, other.density)


def test_globules_are_sources_of_particles():
    recipe = Recipe((40, 60, 60), 10.0, (Species("rubisco", "globule:559kDa", count=3),))
    assert place(recipe, np.random.default_rng(0)).counts() == {"rubisco": 3}
    assert check_source("globule:559kDa", "species") is SourceKind.PHANTOM


@pytest.mark.parametrize("source", ["globule:kDa", "globule:1kDa", "globule:559", "globule:1e9kDa"])
def test_globules_without_a_possible_mass_are_refused(source):
    with pytest.raises(
        InputError, match=r"'a': 'globule:.*' is no globule; write its mass, from 5 to 20000 kDa"
    ):
        Species("a", source, count=1)
