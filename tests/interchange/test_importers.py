"""What others made, brought in and used."""

import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from faket_dask.cli import app
from faket_dask.errors import InputError
from faket_dask.formats import copick_writing, portal
from faket_dask.formats.copick import PickableObject
from faket_dask.formats.ctffind import write_ctffind
from faket_dask.formats.imod import write_transforms
from faket_dask.formats.mrc import open_stack, open_volume, write_stack, write_volume
from faket_dask.formats.openers import open_tilt_series
from faket_dask.formats.relion5 import RelionOptics, RelionTomogram
from faket_dask.formats.relion5_writing import write_project
from faket_dask.formats.shrec_writing import write_model
from faket_dask.formats.star import read_star, write_star
from faket_dask.formats.tomostar import write_tomostar
from faket_dask.interchange.importers.particles import ParticleOptions, import_particles
from faket_dask.interchange.importers.specimens import import_specimen
from faket_dask.kernels.projection import project
from faket_dask.specimen.particles import read_particles
from tests.ctf import make_ctf, means_um
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
    objects = [PickableObject(n, i, True, 50) for n, i in names]
    copick_writing.write_config(tmp_path, "p", objects)
    for run in ("one", "two"):
        copick_writing.write_run(tmp_path, run, VOXEL_A, {}, None, phantom.particles, objects)
    portal.write_points(tmp_path / "1BXN.ndjson", phantom.particles, "1BXN", VOXEL_A)
    write_model(tmp_path / "m", phantom.geometry, phantom.particles, {"grandmodel": phantom.volume}, {})
    sources = {
        "particles.star": [],
        "optimisation_set.star": [],
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


def write_relion_project(folder: Path, phantom: Phantom) -> Path:
    """Write a RELION-5 project of the tomograms one and two in RELION's folders of jobs; return its particles."""
    tilts = len(phantom.geometry)
    optics, sections = RelionOptics(300, 2.7, 0.1), tuple(range(tilts))
    tomograms = [
        RelionTomogram(name, phantom.geometry, optics, ("a.mrc",) * tilts, sections, (40, 96, 96))
        for name in ("one", "two")
    ]
    write_project(folder / "Tomograms/job006", tomograms, dict.fromkeys(("one", "two"), phantom.particles))
    particles = folder / "Extract/job010/particles.star"
    particles.parent.mkdir(parents=True)
    (folder / "Tomograms/job006/particles.star").rename(particles)
    (folder / "Tomograms/job006/optimisation_set.star").unlink()
    return particles


def write_set(path: Path, particles: str, tomograms: str) -> None:
    """Write RELION's optimisation set."""
    write_star(path, {"": {"rlnTomoParticlesFile": [particles], "rlnTomoTomogramsFile": [tomograms]}})


def read_relion(path: Path, name: str | None = "two", tomograms: Path | None = None) -> np.ndarray:
    table = import_particles(path, ParticleOptions(name=name, tomograms=tomograms))
    return table.centre_A[np.argsort(table.instance)]


def test_relion_particles_are_read_in_a_project(phantom: Phantom, tmp_path: Path) -> None:
    """The table of tomograms lies in another job, and no tilt-series is needed."""
    particles = write_relion_project(tmp_path, phantom)
    shutil.rmtree(tmp_path / "Tomograms/job006/tilt_series")
    np.testing.assert_allclose(read_relion(particles), phantom.particles.centre_A, atol=1e-4)
    second = tmp_path / "Tomograms/job020/tomograms.star"
    shutil.copytree(tmp_path / "Tomograms/job006", second.parent)
    with pytest.raises(
        InputError, match=r"job006/tomograms.star, .*job020/tomograms.star; name one by --tomograms"
    ):
        read_relion(particles)
    np.testing.assert_allclose(
        read_relion(particles, tomograms=second), phantom.particles.centre_A, atol=1e-4
    )
    with pytest.raises(InputError, match="lists particles of one, two; name one by --name"):
        read_relion(particles, name=None)
    with pytest.raises(InputError, match="lists particles of one, two; there is no 'three'"):
        read_relion(particles, name="three")


def test_optimisation_set_names_particles_and_tomograms(phantom: Phantom, tmp_path: Path) -> None:
    particles = write_relion_project(tmp_path, phantom)
    shutil.copytree(tmp_path / "Tomograms/job006", tmp_path / "Tomograms/job020")
    jobs = ("Extract/job010/particles.star", "Tomograms/job020/tomograms.star")
    write_set(particles.with_name("optimisation_set.star"), *jobs)
    for path in (particles, particles.with_name("optimisation_set.star")):
        np.testing.assert_allclose(read_relion(path), phantom.particles.centre_A, atol=1e-4)
    write_set(
        particles.with_name("run_optimisation_set.star"), "run_data.star", "Tomograms/job006/tomograms.star"
    )
    np.testing.assert_allclose(read_relion(particles), phantom.particles.centre_A, atol=1e-4)
    write_set(
        tmp_path / "b_optimisation_set.star",
        "Extract/job010/particles.star",
        "Tomograms/job021/tomograms.star",
    )
    with pytest.raises(
        InputError, match=r"names Tomograms/job021/tomograms.star, which is neither beside it"
    ):
        read_relion(tmp_path / "b_optimisation_set.star")


def test_relion_particles_without_their_tomograms_are_refused(phantom: Phantom, tmp_path: Path) -> None:
    particles = write_relion_project(tmp_path, phantom)
    (tmp_path / "Tomograms").rename(tmp_path / "elsewhere")
    with pytest.raises(InputError, match=r"no table of the tomograms of .*; name it by --tomograms"):
        read_relion(particles)
    table = tmp_path / "elsewhere/job006/tomograms.star"
    blocks = {name: dict(block.columns) for name, block in read_star(table).items()}
    blocks["global"]["rlnTomoName"] = ("one", "three")
    write_star(table, blocks)
    assert len(read_relion(particles, "one", table)) == len(phantom.particles)
    with pytest.raises(InputError, match="particles lie in 'two', of which no size is known"):
        read_relion(particles, "two", table)


RELION_4 = "data_global\nloop_\n_rlnTomoName\n_rlnTomoTiltSeriesName\n_rlnTomoFrameCount\na a.mrc:mrc 41\n"


def test_other_versions_of_relion_are_named(tmp_path: Path) -> None:
    columns = "loop_\n_rlnCoordinateX\n_rlnCoordinateY\n_rlnCoordinateZ\n_rlnMicrographName\n1 2 3 a\n"
    for block in ("data_", "data_particles"):
        (tmp_path / "particles.star").write_text(f"{block}\n{columns}")
        with pytest.raises(
            InputError, match=r"particles of RELION 3 or 4, in pixels .*; those of RELION 5 are read"
        ):
            import_particles(tmp_path / "particles.star")
    (tmp_path / "tomograms.star").write_text(RELION_4)
    with pytest.raises(
        InputError, match=r"tomograms of RELION 4, with projection matrices .* of RELION 5 are read"
    ):
        open_tilt_series(tmp_path / "tomograms.star")
    with pytest.raises(InputError, match="no block data_particles; name RELION's list of particles"):
        import_particles(tmp_path / "tomograms.star")


@pytest.mark.parametrize("name", ["particle_locations.txt", "a.ndjson"])
@pytest.mark.parametrize("size", [0.0, -10.0, float("nan"), float("inf")])
def test_voxel_sizes_that_are_none_are_refused(tmp_path: Path, name: str, size: float) -> None:
    with pytest.raises(InputError, match=r"a voxel of .* Å is no size; give it in Å by --voxel-size-A"):
        import_particles(tmp_path / name, ParticleOptions(voxel_size_A=size))


@pytest.mark.parametrize(
    ("name", "option", "flag"),
    [
        ("particles.star", {"voxel_size_A": 10}, "--voxel-size-A"),
        ("particles.star", {"user": "octopi"}, "--user"),
        ("copick.json", {"tomograms": Path("tomograms.star")}, "--tomograms"),
        ("a.ndjson", {"object_name": "ribosome"}, "--object"),
        ("particle_locations.txt", {"name": "one"}, "--name"),
    ],
)
def test_options_that_a_list_has_no_use_for_are_refused(
    tmp_path: Path, name: str, option: dict, flag: str
) -> None:
    with pytest.raises(InputError, match=rf"{flag} says nothing about .*{name}; leave it out"):
        import_particles(tmp_path / name, ParticleOptions(**option))


def test_one_set_of_picks_is_imported(phantom: Phantom, tmp_path: Path) -> None:
    objects = [PickableObject("1BXN", 4, True, 50), PickableObject("4V94", 1, True, 50)]
    copick_writing.write_config(tmp_path, "p", objects)
    copick_writing.write_run(tmp_path, "one", VOXEL_A, {}, None, phantom.particles, objects)
    picks = tmp_path / "ExperimentRuns/one/Picks"
    shutil.copy(picks / "faketdask_0_1BXN.json", picks / "octopi_1_1BXN.json")
    command = ["import", "particles", tmp_path / "copick.json", "--to", tmp_path / "p.csv"]
    result = CliRunner().invoke(app, [str(word) for word in command])
    assert result.exit_code == 2
    assert "several sets of picks of one object, 1BXN by faketdask/0, 1BXN by octopi/1" in result.output
    invoke(*command, "--user", "faketdask", "--session", "0", "--object", "1BXN")
    assert read_particles(tmp_path / "p.csv").class_name.tolist() == ["1BXN"] * 2


def test_unusable_imports_are_refused(phantom: Phantom, tmp_path: Path) -> None:
    copick_writing.write_config(tmp_path, "p", [])
    for run in ("one", "two"):
        (tmp_path / "ExperimentRuns" / run).mkdir(parents=True)
    with pytest.raises(InputError, match="lists particles of one, two; name one by --name"):
        import_particles(tmp_path / "copick.json")
    with pytest.raises(InputError, match="one, two; there is no 'three'"):
        import_particles(tmp_path / "copick.json", ParticleOptions(name="three"))
    with pytest.raises(InputError, match="counts in voxels; give their size by --voxel-size-A"):
        import_particles(tmp_path / "particle_locations.txt")
    with pytest.raises(InputError, match="no known particle list"):
        import_particles(tmp_path / "a.tblb")
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


def write_user_series(folder: Path) -> Path:
    """Write a stack with the side files of IMOD, in IMOD's order of angles."""
    folder.mkdir(exist_ok=True)
    images = np.random.default_rng(0).random((3, 24, 20), np.float32)
    write_stack(folder / "TS_01.st", images, images.shape, 10.0)
    shifts = np.broadcast_to(np.eye(2, 3), (3, 2, 3)).copy()
    shifts[:, 0, 2] = [0, 1, 2]
    for suffix in (".tlt", ".rawtlt"):
        (folder / f"TS_01{suffix}").write_text("-60.0\n0.0\n60.0\n")
    write_transforms(folder / "TS_01.xf", shifts)
    return folder / "TS_01.st"


def read_folder(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("options", [[], ["--overwrite"]])
def test_import_beside_its_source_is_refused_and_loses_nothing(tmp_path: Path, options: list[str]) -> None:
    stack = write_user_series(tmp_path / "in")
    before = read_folder(stack.parent)
    words = ["import", "series", stack, "--to", stack.with_suffix(".mrc"), *options]
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == 2
    lines = result.stderr.splitlines()
    assert all(line.startswith("error: ") for line in lines)
    for name in (
        "TS_01.rawtlt is an input",
        "TS_01.xf is an input",
        "TS_01.tlt would be read as the tilt angles",
    ):
        assert any(name in line for line in lines)
    assert read_folder(stack.parent) == before


def test_imported_series_is_read_like_its_source(tmp_path: Path) -> None:
    stack = write_user_series(tmp_path / "in")
    for _ in range(2):  # the second replaces the first
        invoke("import", "series", stack, "--to", tmp_path / "own/TS_01.mrc")
    own, theirs = open_tilt_series(tmp_path / "own/TS_01.mrc"), open_tilt_series(stack)
    np.testing.assert_array_equal(own.geometry.tilt_angles, theirs.geometry.tilt_angles)
    np.testing.assert_array_equal(own.transforms, theirs.transforms)
    assert own.geometry.acquisition_order is theirs.geometry.acquisition_order is None
    for tilt in range(3):
        np.testing.assert_array_equal(own.tilt(tilt), theirs.tilt(tilt))
    titles = (tmp_path / "own/TS_01.mrc.mdoc").read_text()
    assert "recorded tilt-series" in titles
    assert "synthetic" not in titles
    assert "DateTime" not in titles


def test_ctf_of_an_imported_series_comes_along(tmp_path: Path) -> None:
    stack, target = write_user_series(tmp_path / "in"), tmp_path / "own/TS_01.mrc"
    ctf = make_ctf([2.0, 3.0, 4.0], 0.2, 30.0)
    write_ctffind(tmp_path / "in/TS_01_ctf.txt", ctf)
    for _ in range(2):
        invoke("import", "series", stack, "--to", target)
    own, theirs = open_tilt_series(target).ctf, open_tilt_series(stack).ctf
    np.testing.assert_allclose(means_um(own), means_um(theirs), atol=1e-5)
    assert own.source == str(tmp_path / "own/TS_01_CTF.txt")
    assert own.defocus[0].astigmatism_angle == pytest.approx(30.0)
    assert own.amplitude_contrast == 0.1
    invoke("import", "series", stack, "--ctf-file", "none", "--to", target)
    assert open_tilt_series(target).ctf is None
    assert not (tmp_path / "own/TS_01_CTF.txt").exists()
    invoke("import", "series", stack, "--defocus-um", "3.1", "--ctf-file", "none", "--to", target)
    assert set(means_um(open_tilt_series(target).ctf)) == {3.1}


def test_imported_series_takes_angles_and_transforms_from_elsewhere(tmp_path: Path) -> None:
    stack = write_user_series(tmp_path / "in")
    beside = open_tilt_series(stack)
    (tmp_path / "elsewhere").mkdir()
    stack.with_suffix(".rawtlt").unlink()
    moved = [
        stack.with_suffix(suffix).rename(tmp_path / f"elsewhere/TS_01{suffix}") for suffix in (".tlt", ".xf")
    ]
    options = ("--angles", moved[0], "--transforms", moved[1])
    invoke("import", "series", stack, *options, "--to", tmp_path / "own/TS_01.mrc")
    own = open_tilt_series(tmp_path / "own/TS_01.mrc")
    np.testing.assert_array_equal(own.geometry.tilt_angles, beside.geometry.tilt_angles)
    np.testing.assert_array_equal(own.transforms, beside.transforms)
    before = [path.read_bytes() for path in moved]
    command = ("import", "series", stack, *options, "--overwrite", "--to", moved[0].with_suffix(".mrc"))
    result = CliRunner().invoke(app, [str(word) for word in command])
    assert result.exit_code == 2
    assert [path.read_bytes() for path in moved] == before


def test_aligned_import_removes_the_alignment_of_an_earlier_one_but_not_that_of_others(
    tmp_path: Path,
) -> None:
    stack, target = write_user_series(tmp_path / "in"), tmp_path / "own/a.mrc"
    invoke("import", "series", stack, "--to", target)
    assert target.with_suffix(".xf").exists()
    invoke("import", "series", stack, "--align", "--to", target)
    assert not target.with_suffix(".xf").exists()
    assert open_tilt_series(target).transforms is None
    target.with_suffix(".xf").write_bytes(stack.with_suffix(".xf").read_bytes())
    command = ["import", "series", str(stack), "--align", "--to", str(target), "--overwrite"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 2
    assert "a.xf would be read as the alignment of" in result.stderr


def test_edited_side_file_is_kept_unless_the_user_says_so(tmp_path: Path) -> None:
    stack, target = write_user_series(tmp_path / "in"), tmp_path / "own/a.mrc"
    command = ["import", "series", str(stack), "--to", str(target)]
    invoke(*command)
    target.with_suffix(".rawtlt").write_text("59.9\n0.1\n-60.1\n")
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 2
    assert "a.rawtlt was not written by faket-dask, or was changed since" in result.stderr
    assert "--overwrite" in result.stderr
    assert target.with_suffix(".rawtlt").read_text() == "59.9\n0.1\n-60.1\n"
    invoke(*command, "--overwrite")
    np.testing.assert_array_equal(open_tilt_series(target).geometry.tilt_angles, [-60, 0, 60])


def test_model_is_not_replaced_by_its_own_specimen(phantom: Phantom, tmp_path: Path) -> None:
    volumes = {"grandmodel": phantom.volume, "class_mask": phantom.class_mask}
    write_model(tmp_path / "model_0", phantom.geometry, phantom.particles, volumes, {})
    before = read_folder(tmp_path / "model_0")
    command = [
        "import",
        "specimen",
        str(tmp_path / "model_0"),
        "--to",
        str(tmp_path / "model_0"),
        "--overwrite",
    ]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 2
    assert "class_mask.mrc is an input of this command" in result.stderr
    assert read_folder(tmp_path / "model_0") == before


@pytest.mark.parametrize("size", ["nan", "-10", "0", "inf", "1e12"])
def test_impossible_voxel_size_is_refused(tmp_path: Path, size: str) -> None:
    (tmp_path / "a.txt").write_text("1BXN 3 4 5 0 0 0\n")
    command = ["import", "particles", str(tmp_path / "a.txt"), f"--voxel-size-A={size}", "--to", "p.csv"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 2
    assert re.match(r"error: .*'--voxel-size-A': \S+ is no length in Å above 0.*\n$", result.stderr)
    if size != "1e12":
        with pytest.raises(InputError, match="is no size"):
            import_particles(tmp_path / "a.txt", ParticleOptions(voxel_size_A=float(size)))
