"""What others made, brought in and used."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from faket_dask.cli import app
from faket_dask.errors import InputError
from faket_dask.formats import copick, portal
from faket_dask.formats.mrc import open_stack, open_volume, write_stack, write_volume
from faket_dask.formats.openers import open_tilt_series
from faket_dask.formats.relion5 import RelionOptics, RelionTomogram
from faket_dask.formats.relion5_writing import write_project
from faket_dask.formats.shrec_writing import write_model
from faket_dask.formats.tomostar import write_tomostar
from faket_dask.interchange.importers import import_particles, import_specimen
from faket_dask.kernels.projection import project
from faket_dask.specimen.particles import read_particles
from tests.formats.conftest import VOXEL_A, Phantom, make_phantom


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return make_phantom((40, 96, 96))


def invoke(*words: object) -> str:
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == 0, result.output
    return result.output


def test_a_shrec_model_becomes_a_specimen_that_projects_alike(phantom: Phantom, tmp_path: Path) -> None:
    volumes = {
        "grandmodel": np.where(phantom.volume > 1e-3, phantom.volume, 0),
        "class_mask": phantom.class_mask,
        "occupancy_mask": phantom.instance_mask,
    }
    write_model(tmp_path / "model_0", phantom.geometry, phantom.particles, volumes, {})
    section = yaml.safe_load(invoke("import", "specimen", tmp_path / "model_0", "--to", tmp_path / "own"))
    [named] = section["specimen"]["volumes"]
    assert set(named) == {"density", "class_mask", "instance_mask", "particles"}
    density = open_volume(Path(named["density"]))
    assert density.shape[0] < 40
    angles = [-40, 0, 30]
    projections = project(density.rows(0, 96), angles)
    np.testing.assert_allclose(projections, project(volumes["grandmodel"], angles), atol=1e-5)
    table = read_particles(Path(named["particles"]))
    x, y, z = (table.centre_A / VOXEL_A).round().astype(int).T
    classes = open_volume(Path(named["class_mask"])).rows(0, 96)
    instances = open_volume(Path(named["instance_mask"])).rows(0, 96)
    assert classes[z, y, x].tolist() == table.class_id.tolist()
    assert instances[z, y, x].tolist() == table.instance.tolist()


def test_warp_series_becomes_a_sorted_stack(phantom: Phantom, tmp_path: Path) -> None:
    for number, tilt in enumerate(phantom.stack):
        write_stack(tmp_path / f"{number}.mrc", [tilt], (1, *tilt.shape), VOXEL_A)
    images = [f"{number}.mrc" for number in range(len(phantom.stack))]
    write_tomostar(tmp_path / "a.tomostar", phantom.geometry, images)
    invoke("import", "series", tmp_path / "a.tomostar", "--to", tmp_path / "own/a.mrc")
    stack = open_stack(tmp_path / "own/a.mrc")
    np.testing.assert_array_equal(stack.tilt(3), phantom.stack[3])
    for path in (tmp_path / "own/a.mrc", tmp_path / "own/a.mrc.mdoc"):
        series = open_tilt_series(path)
        np.testing.assert_allclose(series.geometry.tilt_angles, phantom.geometry.tilt_angles)
    np.testing.assert_array_equal(series.geometry.acquisition_order, phantom.geometry.acquisition_order)


def test_unaligned_series_keeps_its_transforms(phantom: Phantom, tmp_path: Path) -> None:
    tilts, rng = len(phantom.geometry), np.random.default_rng(0)
    turned = replace(
        phantom.geometry,
        tilt_axis_angle_deg=rng.uniform(3, 5, tilts),
        shift_A=rng.uniform(-50, 50, (tilts, 2)),
    )
    write_stack(tmp_path / "a.mrc", phantom.tilts(), phantom.stack.shape, VOXEL_A)
    images = ("a.mrc",) * tilts
    tomogram = RelionTomogram(
        "a", turned, RelionOptics(300, 2.7, 0.1), images, tuple(range(tilts)), (40, 96, 96)
    )
    write_project(tmp_path, [tomogram], {})
    invoke("import", "series", tmp_path / "tomograms.star", "--to", tmp_path / "own/a.mrc")
    own, theirs = (
        open_tilt_series(tmp_path / name).aligned().alignment for name in ("own/a.mrc", "tomograms.star")
    )
    np.testing.assert_allclose(own.matrix, theirs.matrix, atol=1e-5)
    np.testing.assert_allclose(own.shift + own.centre, theirs.shift + theirs.centre, atol=2e-3)
    command = ("reconstruct", tmp_path / "own/a.mrc", "--thickness-A", 50, "--to", tmp_path / "rec.mrc")
    result = CliRunner().invoke(app, [str(part) for part in command])
    assert re.search(
        r"warning: .*its files have an alignment that is not applied; .*\(--align\)", result.stderr
    )


def test_particle_lists_become_tables(phantom: Phantom, tmp_path: Path) -> None:
    tilts = len(phantom.geometry)
    tomogram = RelionTomogram(
        "a",
        phantom.geometry,
        RelionOptics(300, 2.7, 0.1),
        ("a.mrc",) * tilts,
        tuple(range(tilts)),
        (40, 96, 96),
    )
    write_project(tmp_path, [tomogram], {"a": phantom.particles})
    names = (("1BXN", 4), ("4V94", 1))
    copick.write_config(tmp_path, "p", [copick.PickableObject(n, i, True, 50) for n, i in names])
    for run in ("one", "two"):
        copick.write_run(tmp_path, run, VOXEL_A, {}, None, phantom.particles)
    portal.write_points(tmp_path / "1BXN.ndjson", phantom.particles, "1BXN", VOXEL_A)
    write_model(tmp_path / "m", phantom.geometry, phantom.particles, {"grandmodel": phantom.volume}, {})
    sources = {
        "particles.star": [],
        "copick.json": ["--name", "two"],
        "1BXN.ndjson": ["--voxel-size-A", 10],
        "m/particle_locations.txt": ["--voxel-size-A", 10],
    }
    for source, options in sources.items():
        invoke("import", "particles", tmp_path / source, "--to", tmp_path / "p.csv", *options)
        table = read_particles(tmp_path / "p.csv")
        expected = phantom.particles.centre_A[np.isin(phantom.particles.instance, table.instance)]
        centre_A = table.centre_A[np.argsort(table.instance)]
        if source.startswith("m/"):
            centre_A = centre_A - [0, 0, VOXEL_A * (48 - 20)]
        np.testing.assert_allclose(centre_A, expected, atol=1e-4, err_msg=source)


def test_unusable_imports_are_refused(phantom: Phantom, tmp_path: Path) -> None:
    copick.write_config(tmp_path, "p", [])
    for run in ("one", "two"):
        (tmp_path / "ExperimentRuns" / run).mkdir(parents=True)
    with pytest.raises(InputError, match="lists particles of one, two; name one by --name"):
        import_particles(tmp_path / "copick.json")
    with pytest.raises(InputError, match="one, two; there is no 'three'"):
        import_particles(tmp_path / "copick.json", name="three")
    with pytest.raises(InputError, match="counts in voxels; give their size by --voxel-size-A"):
        import_particles(tmp_path / "particle_locations.txt")
    with pytest.raises(InputError, match="no known particle list"):
        import_particles(tmp_path / "a.tbl")
    write_model(tmp_path / "m", phantom.geometry, phantom.particles, {"class_mask": phantom.class_mask}, {})
    result = CliRunner().invoke(
        app, ["import", "specimen", str(tmp_path / "m"), "--to", str(tmp_path / "own")]
    )
    assert result.exit_code == 2
    assert "has no grandmodel.mrc" in result.output


def write_shrec_model(folder: Path, names: tuple[str, str], labels: tuple[int, int]) -> None:
    """Write a model of two balls, and a third particle that lies outside."""
    folder.mkdir()
    z, y, x = np.ogrid[:24, :24, :24]
    classes, instances = np.zeros((2, 24, 24, 24), np.float32)
    centres = ((6, 8, 12), (16, 16, 11))
    for number, ((cx, cy, cz), label) in enumerate(zip(centres, labels, strict=True), start=1):
        inside = (x - cx) ** 2 + (y - cy) ** 2 + (z - cz) ** 2 < 9
        classes[inside], instances[inside] = label, number
    write_volume(folder / "grandmodel.mrc", (classes > 0).astype(np.float32), 10.0)
    write_volume(folder / "class_mask.mrc", classes, 10.0)
    write_volume(folder / "occupancy_mask.mrc", instances, 10.0)
    rows = [f"{name} {x} {y} {z} 0 0 0" for name, (x, y, z) in zip(names, centres, strict=True)]
    (folder / "particle_locations.txt").write_text("\n".join([*rows, "1bxn 700 5 5 0 0 0"]))


def test_shrec_names_in_lower_case_get_the_labels_of_the_mask(tmp_path: Path) -> None:
    write_shrec_model(tmp_path / "m", ("4v94", "1qvr"), (1, 3))
    with pytest.warns(
        UserWarning, match=r"1 of 3 particles are centred outside the volume and left out"
    ) as said:
        list(import_specimen(tmp_path / "m", tmp_path / "own"))
    assert len(said) == 1
    table = read_particles(tmp_path / "own" / "particles.csv")
    assert dict(zip(table.class_name.tolist(), table.class_id.tolist(), strict=True)) == {
        "4v94": 1,
        "1qvr": 3,
    }


def test_class_mask_is_believed_where_it_has_other_numbers(tmp_path: Path) -> None:
    write_shrec_model(tmp_path / "m", ("4d8q", "1bxn"), (12, 9))  # as SHREC 2020 numbers them
    with pytest.warns(UserWarning, match="'1bxn' has the label 9 in the class mask, not 4"):
        list(import_specimen(tmp_path / "m", tmp_path / "own"))
    table = read_particles(tmp_path / "own" / "particles.csv")
    assert table.class_id.tolist() == [12, 9]
    classes = open_volume(tmp_path / "own" / "class_mask.mrc").rows(0, 24)
    x, y, z = (table.centre_A / 10).astype(int).T
    assert classes[z, y, x].tolist() == table.class_id.tolist()


@pytest.mark.parametrize(
    ("file", "value", "expected"),
    [
        ("grandmodel", np.nan, "grandmodel.mrc holds NaN or infinity, first in slice y = 3"),
        ("class_mask", np.nan, "class_mask.mrc holds something other than whole numbers"),
        ("class_mask", 1.5, "class_mask.mrc holds something other than whole numbers"),
        (
            "occupancy_mask",
            70000,
            "occupancy_mask.mrc holds something other than whole numbers from 0 to 65535",
        ),
        ("occupancy_mask", -1, "occupancy_mask.mrc holds something other than whole numbers"),
    ],
)
def test_unusable_voxels_of_a_shrec_model_are_refused(
    tmp_path: Path, file: str, value: float, expected: str
) -> None:
    write_shrec_model(tmp_path / "m", ("4v94", "1qvr"), (1, 3))
    volume = open_volume(tmp_path / "m" / f"{file}.mrc").rows(0, 24)
    volume[12, 3, 2] = value
    with np.errstate(invalid="ignore"):
        write_volume(tmp_path / "m" / f"{file}.mrc", volume, 10.0)
    with pytest.raises(InputError, match=expected):
        list(import_specimen(tmp_path / "m", tmp_path / "own"))
