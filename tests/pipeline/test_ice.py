"""Ice of a run file: its faces beside the particle table, and masks that agree with both."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import faket_dask
from faket_dask.config import parse
from faket_dask.engine.arrays import create_array
from faket_dask.engine.unit import Item
from faket_dask.errors import InputError
from faket_dask.pipeline.build import BuildVolume, PlaceParticles
from faket_dask.specimen.particles import read_particles
from tests.runs import small_document

LAMELLA = {"kind": "lamella", "thickness_A": [150, 200], "wedge_deg": 2, "curtaining_A": 5}


def document(folder: Path, ice: dict[str, Any], **changes: Any) -> dict[str, Any]:
    specimen = {"thickness_A": 400, "species": [{"name": "boot", "count": 6}], "fiducials": None, "ice": ice}
    return small_document(folder / "data", specimen=specimen, **changes)


def test_faces_are_written_and_masks_agree(tmp_path: Path) -> None:
    spec = faket_dask.plan(parse(document(tmp_path, LAMELLA), tmp_path)).spec
    item = Item("specimen-000")
    place, build = PlaceParticles(), BuildVolume()
    for stage in (place, build):
        stage.prepare(spec, item)
        for owned in stage.arrays(spec, item):
            if owned.spec.name != "class_mask":
                create_array(owned.group, owned.spec)
    (spec.folder.root / "specimens").mkdir(exist_ok=True)
    findings = place.compute(spec, item, 0)
    assert all(path.is_file() for path in place.files(spec, item))
    assert findings["particles"] == {"boot": 6}
    table = read_particles(spec.folder.particles("specimen-000"))
    x, y, lower, upper = np.loadtxt(spec.folder.faces("specimen-000"), delimiter=",", skiprows=1, unpack=True)
    for centre in table.labelled().centre_A:
        nearest = np.argmin(np.hypot(x - centre[0], y - centre[1]))
        assert lower[nearest] - 30 < centre[2] < upper[nearest] + 30
    for index in range(build.count(spec, item)):
        build.compute(spec, item, index)
    assert not list(build.check_contents(spec, item))


def test_mistakes_name_their_section(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"specimen.ice.*wedge_deg is 30"):
        parse(document(tmp_path, {**LAMELLA, "wedge_deg": 30}), tmp_path)
    with pytest.raises(InputError, match=r"specimen.ice.*kind"):
        parse(document(tmp_path, {**LAMELLA, "kind": "cube"}), tmp_path)
    with pytest.raises(InputError, match=r"up to .* Å thick .* and the volume 400 Å"):
        faket_dask.plan(parse(document(tmp_path, {**LAMELLA, "thickness_A": 500}), tmp_path))


def test_wedge_is_given_once(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"ice_wedge_deg: specimen.ice has faces of its own"):
        parse(document(tmp_path, LAMELLA, microscope={"ice_wedge_deg": 1}), tmp_path)


def test_volume_is_wide_enough_for_rays_at_the_steepest_tilt(tmp_path: Path) -> None:
    config = parse(document(tmp_path, LAMELLA), tmp_path)
    angle = np.deg2rad(config.acquisition.steepest_angle_deg)
    depth, _, columns = config.built_shape(config.specimen, 10.0)
    corners = np.array([-0.5, 0.5]) * columns * np.cos(angle)
    reach = corners[1] - 0.5 * depth * np.sin(angle)
    assert 2 * reach >= config.acquisition.detector_px[1]
