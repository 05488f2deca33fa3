"""Particles that the judgement in three dimensions knows."""

from pathlib import Path

import numpy as np
import pytest

from faket_dask.config import parse
from faket_dask.kernels.similarity.detectability import measure_particle_energy
from faket_dask.pipeline.cached_spec import CachedSpec
from faket_dask.pipeline.consistency import measure_energies
from faket_dask.pipeline.plan import plan
from faket_dask.specimen.particle_projections import project_particle
from faket_dask.specimen.sources import load_template
from faket_dask.specimen.species import Species
from faket_dask.specimen.template import Sampling
from tests.runs import small_document


@pytest.mark.parametrize(
    ("projector", "sampling"), [("pixel", Sampling.AVERAGED), ("bilinear", Sampling.SMOOTHED)]
)
def test_known_particles_are_as_sharp_as_the_specimens(
    tmp_path: Path, projector: str, sampling: Sampling
) -> None:
    document = small_document(tmp_path / "data", acquisition={"projector": projector})
    spec = plan(parse(document, tmp_path)).spec
    energies = measure_energies(CachedSpec(spec), spec.specimens[0])
    template = load_template(Species("boot", count=1), 0, 10.0, sampling)
    expected = measure_particle_energy(project_particle(template, 10.0))
    np.testing.assert_allclose(energies["boot"].energy, expected.energy, rtol=1e-5)
