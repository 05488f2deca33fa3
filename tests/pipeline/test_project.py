"""Noiseless tilts of a run are those of the projector that its file chooses."""

from pathlib import Path
from typing import Any

import numpy as np

import faket_dask
from faket_dask.config import parse
from faket_dask.engine.arrays import open_array
from faket_dask.engine.completed import CompletedUnits
from faket_dask.engine.plan import Plan
from faket_dask.engine.serial import execute_serially
from faket_dask.kernels.projection import project
from faket_dask.kernels.projection_pixel import project_pixels
from tests.runs import small_document


def made(folder: Path, **acquisition: Any) -> Plan[Any]:
    document = small_document(
        folder, references=[], outputs={"modalities": []}, acquisition=acquisition, specimen={"count": 1}
    )
    plan = faket_dask.plan(parse(document, folder))
    execute_serially(plan, CompletedUnits.read(plan))
    return plan


def test_projector_makes_the_noiseless_tilts(tmp_path: Path) -> None:
    fingerprints, densities = set(), []
    for name, function in (("pixel", project_pixels), ("bilinear", project)):
        plan = made(tmp_path / name, projector=name)
        specimen, fingerprints = "specimen-000", fingerprints | {plan.spec.fingerprint}
        density = np.asarray(open_array(plan.spec.folder.volume(specimen), "density", "r")[...])
        noiseless = np.asarray(open_array(plan.spec.folder.specimen_tilts(specimen), "noiseless", "r")[...])
        angles = plan.spec.geometry.acquisition(specimen).tilt_angles
        np.testing.assert_array_equal(noiseless, function(density, angles, noiseless.shape[2]))
        densities.append(density)
    assert len(fingerprints) == 2
    assert np.abs(densities[0] - densities[1]).max() > 0.5, "voxels are those that the projector needs"
