"""Where a tilt shows what lies in the specimen."""

import numpy as np
import zarr

import faket_dask
from faket_dask.dataset.field_of_view import bead_mask
from faket_dask.kernels.projection import project


def test_beads_are_masked_where_they_are_seen(tiny_dataset: faket_dask.Dataset) -> None:
    spec = tiny_dataset.spec
    seen = 0
    for name in tiny_dataset.series:
        specimen = spec.series_by_name[name].specimen
        volume = zarr.open_group(spec.layout.volume(specimen), mode="r")
        beads = (volume["class_mask"][...] == volume.attrs["class_ids"]["fiducial"]).astype(np.float32)
        shadows = -project(beads, spec.acquisition(specimen).tilt_angles, width=spec.tilt_shape[1])
        table = tiny_dataset.particles(name)
        for shadow, angle in zip(shadows, spec.acquisition(specimen).tilt_angles, strict=True):
            mask = bead_mask(spec, specimen, table, float(angle))
            assert (shadow[~mask] < 0.5).all()
            assert mask.sum() <= 2 * 15**2
            seen += bool((shadow > 1).any())
    assert seen
