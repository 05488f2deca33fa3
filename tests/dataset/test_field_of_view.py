"""Positions of particles and beads in the field of view."""

import numpy as np
import zarr

import faket_dask
from faket_dask.dataset.field_of_view import mask_beads
from faket_dask.kernels.projection import project


def test_bead_masks_cover_the_projections_of_beads(tiny_dataset: faket_dask.Dataset) -> None:
    spec = tiny_dataset.spec
    visible = 0
    for name in tiny_dataset.series:
        specimen = spec.series_by_name[name].specimen
        volume = zarr.open_group(spec.folder.volume(specimen), mode="r")
        beads = (volume["class_mask"][...] == volume.attrs["class_ids"]["fiducial"]).astype(np.float32)
        shadows = -project(
            beads, spec.geometry.acquisition(specimen).tilt_angles, width=spec.geometry.tilt_shape[1]
        )
        table = tiny_dataset.particles(name)
        for shadow, angle in zip(shadows, spec.geometry.acquisition(specimen).tilt_angles, strict=True):
            mask = mask_beads(spec, specimen, table, float(angle))
            assert (shadow[~mask] < 0.5).all()
            assert mask.sum() <= 2 * 15**2
            visible += bool((shadow > 1).any())
    assert visible
