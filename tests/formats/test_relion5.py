"""Projects of RELION-5: details, and agreement with starfile."""

from pathlib import Path

import numpy as np
import pytest
import starfile
from scipy.spatial.transform import Rotation

from faket_dask.errors import InputError
from faket_dask.formats.imod import write_angles, write_transforms
from faket_dask.formats.mrc import write_stack
from faket_dask.formats.openers import open_tilt_series
from faket_dask.formats.particle_list import ParticleList
from faket_dask.formats.relion5 import RelionOptics, RelionTomogram, read_particles, read_tomograms
from faket_dask.formats.relion5_writing import HelicalTracks, write_project
from faket_dask.geometry import TiltGeometry, centre_A
from tests.ctf import make_ctf, means_um
from tests.formats.conftest import INSTALLING_S, Others

OPTICS = RelionOptics(300, 2.7, 0.1)
TABLES = {
    "tomograms": (
        "data_global\nloop_\n_rlnTomoName\n_rlnVoltage\n_rlnSphericalAberration\n_rlnAmplitudeContrast\n"
        "_rlnTomoTiltSeriesPixelSize\n_rlnTomoTiltSeriesStarFile\n{rows}"
    ),
    "tilts": "data_{name}\nloop_\n_rlnMicrographName\n_rlnTomoNominalStageTiltAngle\n{rows}",
}


def tomogram(name: str, tilts: int = 3, **changes: object) -> RelionTomogram:
    fields: dict = {
        "name": name,
        "geometry": TiltGeometry(10.0 * np.arange(tilts), 5.0),
        "optics": OPTICS,
        "stacks": (f"{name}.mrc",) * tilts,
        "sections": tuple(range(tilts)),
        "shape": (10, 30, 20),
    }
    return RelionTomogram(**(fields | changes))


def particles(names: list[str]) -> ParticleList:
    count = len(names)
    return ParticleList(
        class_name=np.array(names),
        class_id=np.array([sorted(set(names)).index(name) + 1 for name in names]),
        instance=np.arange(1, count + 1),
        centre_A=np.arange(3.0 * count).reshape(count, 3) * 10,
        rotation=Rotation.random(count, rng=np.random.default_rng(1)).as_matrix(),
    )


def write_tables(folder: Path, tilts: str, pixel: str = "5") -> Path:
    """Write a project of one tomogram whose tilt table has these rows."""
    (folder / "series.star").write_text(TABLES["tilts"].format(name="a", rows=tilts))
    (folder / "tomograms.star").write_text(
        TABLES["tomograms"].format(rows=f"a 300 2.7 0.1 {pixel} series.star\n")
    )
    return folder / "tomograms.star"


def test_starfile_reads_every_table(tmp_path: Path) -> None:
    tomograms = [tomogram("001", volume="001_rec.mrc"), tomogram("tomo 2", volume="b.mrc")]
    lists = {"001": particles(["ribosome", "boot"]), "tomo 2": particles(["boot"])}
    write_project(tmp_path, tomograms, lists)
    table = starfile.read(tmp_path / "tomograms.star", always_dict=True)["global"]
    assert table["rlnTomoName"].astype(str).str.lstrip("0").tolist() == ["1", "tomo 2"]
    assert table["rlnTomoReconstructedTomogram"].tolist() == ["001_rec.mrc", "b.mrc"]
    assert table[["rlnTomoSizeX", "rlnTomoSizeY", "rlnTomoSizeZ"]].to_numpy().tolist() == [[20, 30, 10]] * 2
    assert (table["rlnTomoHand"] == -1).all()
    for name in table["rlnTomoTiltSeriesStarFile"]:
        [tilts] = starfile.read(tmp_path / name, always_dict=True).values()
        np.testing.assert_allclose(tilts["rlnTomoYTilt"], [0, -10, -20])
        np.testing.assert_allclose(tilts["rlnTomoNominalStageTiltAngle"], tilts["rlnTomoYTilt"])
        assert tilts["rlnMicrographName"][1].startswith("000002@")
    both = starfile.read(tmp_path / "particles.star", always_dict=True)
    assert set(both) == {"optics", "particles"}
    assert both["particles"]["rlnTomoName"].astype(str).str[-1].tolist() == ["1", "1", "2"]
    corner = both["particles"].filter(regex="rlnCenteredCoordinate").to_numpy()[0] + np.array([50, 75, 25])
    np.testing.assert_allclose(corner, [0, 10, 20], atol=1e-6)
    boots = starfile.read(tmp_path / "particles_boot.star", always_dict=True)["particles"]
    assert len(boots) == 2
    files = starfile.read(tmp_path / "optimisation_set.star", always_dict=True)
    assert "particles.star" in str(files)


def test_every_pixel_size_and_microscope_is_an_optics_group(tmp_path: Path) -> None:
    def geometry(pixel_size_A: float) -> TiltGeometry:
        return TiltGeometry(10.0 * np.arange(3), pixel_size_A)

    defocus = np.full(3, 2.5)
    tomograms = [
        tomogram("a", geometry=geometry(9.95), ctf=make_ctf(defocus)),
        tomogram("b", geometry=geometry(10.05), ctf=make_ctf(defocus)),
        tomogram("c", geometry=geometry(9.95)),
        tomogram("d", geometry=geometry(9.95), ctf=make_ctf(defocus), optics=RelionOptics(200, 2.7, 0.1)),
        tomogram("e", geometry=geometry(9.95), ctf=make_ctf(2 * defocus)),
    ]
    write_project(tmp_path, tomograms, {name: particles(["boot"]) for name in "abcde"})
    both = starfile.read(tmp_path / "particles.star", always_dict=True)
    optics, table = both["optics"].set_index("rlnOpticsGroup"), both["particles"]
    assert table["rlnOpticsGroup"].tolist() == [1, 2, 3, 4, 1]
    for label in ("rlnTomoTiltSeriesPixelSize", "rlnImagePixelSize"):
        assert optics[label].tolist() == [9.95, 10.05, 9.95, 9.95]
    assert optics["rlnVoltage"].tolist() == [300, 300, 300, 200]
    assert optics["rlnSphericalAberration"].tolist() == [2.7, 2.7, 0, 2.7]
    assert optics["rlnAmplitudeContrast"].tolist() == [0.1, 0.1, 1, 0.1]
    assert (optics["rlnTomoSubtomogramBinning"] == 1).all()
    named = starfile.read(tmp_path / "tomograms.star", always_dict=True)["global"]
    groups = table["rlnOpticsGroup"].to_numpy()
    assert named["rlnOpticsGroupName"].tolist() == optics["rlnOpticsGroupName"].loc[groups].tolist()


def test_images_without_a_ctf_have_a_constant_one(tmp_path: Path) -> None:
    defocus = np.array([2.0, 2.5, 3.0])
    write_project(tmp_path, [tomogram("a"), tomogram("b", ctf=make_ctf(defocus))], {})
    [table] = starfile.read(tmp_path / "tilt_series/a.star", always_dict=True).values()
    for label in ("rlnDefocusU", "rlnDefocusV", "rlnDefocusAngle"):
        assert (table[label] == 0).all()
    assert (table["rlnCtfScalefactor"] == 1).all()
    without, with_ctf = read_tomograms(tmp_path / "tomograms.star")
    assert without.ctf is None
    assert without.optics == RelionOptics(300, 0, 1)
    np.testing.assert_allclose(means_um(with_ctf.ctf), defocus)
    assert with_ctf.optics == OPTICS


def test_starfile_rotations_agree(tmp_path: Path) -> None:
    """The field's tools take an orientation as the inverse of intrinsic turns about z, y and z."""
    expected = particles(["boot"] * 5)
    write_project(tmp_path, [tomogram("a")], {"a": expected})
    table = starfile.read(tmp_path / "particles.star", always_dict=True)["particles"]
    angles = table[["rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi"]].to_numpy()
    result = Rotation.from_euler("ZYZ", angles, degrees=True).inv().as_matrix()
    np.testing.assert_allclose(result, expected.rotation, atol=1e-6)


def test_table_written_with_starfile_is_read(tmp_path: Path) -> None:
    write_project(tmp_path, [tomogram("a")], {"a": particles(["boot", "ring"])})
    for path in [*tmp_path.glob("*.star"), *tmp_path.glob("tilt_series/*.star")]:
        starfile.write(starfile.read(path, always_dict=True), path, overwrite=True)
    [result] = read_tomograms(tmp_path / "tomograms.star")
    np.testing.assert_allclose(result.geometry.tilt_angles, [0, 10, 20])
    lists = read_particles(tmp_path / "particles.star", [result], {1: "boot", 2: "ring"})
    np.testing.assert_allclose(lists["a"].centre_A, particles(["boot", "ring"]).centre_A, atol=1e-5)
    np.testing.assert_allclose(lists["a"].rotation, particles(["boot", "ring"]).rotation, atol=1e-6)


def test_unaligned_series_in_any_order(tmp_path: Path) -> None:
    path = write_tables(tmp_path, "0002@a.mrcs 3\nsingle.mrc -6\n1@a.mrcs 0\n")
    [result] = read_tomograms(path)
    assert result.geometry.tilt_angles.tolist() == [-3, 0, 6]
    assert result.stacks == ("a.mrcs", "a.mrcs", "single.mrc")
    assert result.sections == (1, 0, 0)
    assert result.geometry.acquisition_order is None
    assert result.ctf is None


def test_files_are_found_from_project_folder(tmp_path: Path) -> None:
    job = tmp_path / "Tomograms/job007"
    job.mkdir(parents=True)
    path = write_tables(job, "a.mrc 0\n")
    path.write_text(path.read_text().replace("series.star", "Tomograms/job007/series.star"))
    assert len(read_tomograms(path)[0].geometry) == 1
    path.write_text(path.read_text().replace("job007/series", "job008/series"))
    with pytest.raises(InputError, match="neither beside it nor in the folders above"):
        read_tomograms(path)


def test_tilt_about_x_gives_a_warning(tmp_path: Path) -> None:
    path = write_tables(tmp_path, "a.mrc 0\n")
    series = tmp_path / "series.star"
    series.write_text(
        "data_a\nloop_\n_rlnMicrographName\n_rlnTomoYTilt\n_rlnTomoXTilt\n_rlnTomoXShiftAngst\na.mrc 3 0.5 7\n"
    )
    with pytest.warns(UserWarning, match="tilts about x of up to 0.5°"):
        [result] = read_tomograms(path)
    assert result.geometry.shift_A.tolist() == [[7, 0]]


def test_rotated_and_shifted_boxes_are_read(tmp_path: Path) -> None:
    """A box's own angles come first, and origins are counted in its frame, towards the particle."""
    (tmp_path / "p.star").write_text(
        "data_particles\nloop_\n_rlnTomoName\n"
        + "".join(f"_rlnCenteredCoordinate{a}Angst\n" for a in "XYZ")
        + "".join(f"_rlnTomoSubtomogram{a}\n" for a in ("Rot", "Tilt", "Psi"))
        + "_rlnOriginXAngst\na 0 0 0 90 0 0 10\n"
    )
    result = read_particles(tmp_path / "p.star", [tomogram("a")])["a"]
    np.testing.assert_allclose(result.centre_A, [[50, 75 + 10, 25]], atol=1e-9)
    np.testing.assert_allclose(result.rotation[0] @ [1, 0, 0], [0, -1, 0], atol=1e-9)
    assert result.class_name.tolist() == ["class1"]


@pytest.mark.slow
@pytest.mark.timeout(INSTALLING_S)
@pytest.mark.parametrize("shape", [(40, 100, 90), (41, 101, 91)])
@pytest.mark.parametrize("image", [(130, 120), (131, 121)])
def test_independent_geometry_reader_agrees(
    tmp_path: Path, others: Others, shape: tuple[int, int, int], image: tuple[int, int]
) -> None:
    """cryoet-alignment composes RELION's projection matrices; an `.xf` of ours undoes what they do in the plane."""
    rng, angles = np.random.default_rng(0), np.array([-50.0, -20, 3, 40])
    geometry = TiltGeometry(
        angles,
        5.0,
        tilt_axis_angle_deg=rng.uniform(80, 90, 4).round(4),
        shift_A=rng.uniform(-60, 60, (4, 2)).round(4),
        exposure_e_per_A2=np.full(4, 3.0),
        acquisition_order=np.array([3, 1, 0, 2]),
    )
    write_project(tmp_path, [tomogram("a", 4, geometry=geometry, shape=shape)], {})
    stack = tmp_path / "a.mrc"
    write_stack(stack, np.zeros((4, *image), np.float32), (4, *image), 5.0)
    transforms = open_tilt_series(tmp_path / "tomograms.star").xf_transforms()
    write_transforms(tmp_path / "a.xf", transforms)
    write_angles(tmp_path / "a.tlt", geometry.stage_angles)
    points = rng.uniform(0, min(shape), (6, 3))
    rows, columns = image
    result = others.run(
        "alignment_reader.py",
        *(tmp_path / name for name in ("tomograms.star", "a.xf", "a.tlt")),
        [columns, rows],
        points.tolist(),
    )
    expected_pixels = geometry.point_to_detector(5.0 * points - centre_A(shape, 5.0)) / 5.0
    pixels = np.array(result["pixels"])
    np.testing.assert_allclose(pixels, expected_pixels + np.array([columns // 2, rows // 2]), atol=1e-3)
    np.testing.assert_allclose(result["exposure_before"], [9, 3, 0, 6])
    assert result["hand"] == -1
    np.testing.assert_allclose(result["angles"], geometry.stage_angles)
    table = np.array(result["transforms"])
    middle = np.array([columns - 1, rows - 1]) / 2
    aligned = np.einsum("tij,tpj->tpi", table[:, :4].reshape(-1, 2, 2), pixels - middle) + table[:, None, 4:]
    straight = TiltGeometry(angles, 5.0).point_to_detector(5.0 * points - centre_A(shape, 5.0)) / 5.0
    np.testing.assert_allclose(aligned, straight, atol=2e-3)


# As its jobs write it: motion-corrected images, an alignment for every tilt, and columns that we have no use for.
ALIGNED = """
# version 50001

data_TS_7

loop_
_rlnMicrographMovieName #1
_rlnTomoTiltMovieFrameCount #2
_rlnTomoNominalStageTiltAngle #3
_rlnTomoNominalTiltAxisAngle #4
_rlnMicrographPreExposure #5
_rlnTomoNominalDefocus #6
_rlnCtfPowerSpectrum #7
_rlnMicrographNameEven #8
_rlnMicrographName #9
_rlnDefocusU #10
_rlnDefocusV #11
_rlnDefocusAngle #12
_rlnTomoXTilt #13
_rlnTomoYTilt #14
_rlnTomoZRot #15
_rlnTomoXShiftAngst #16
_rlnTomoYShiftAngst #17
f/0.eer  8   0.01  85.0  0.0  -4.0 c/0.ctf m/0e.mrc m/0.mrc 41000.5 40000.5 12.5 0.0   0.31 84.9  10.5 -3.25
f/2.eer  8  -3.00  85.0  6.0  -4.0 c/2.ctf m/2e.mrc m/2.mrc 43000.0 42000.0 12.5 0.0  -2.69 84.6   0.0  5.75
f/1.eer  8   3.01  85.0  3.0  -4.0 c/1.ctf m/1e.mrc m/1.mrc 42000.0 41000.0 12.5 0.0   3.32 85.2 -20.5  0.0
"""


def test_series_aligned_by_relion_is_read(tmp_path: Path) -> None:
    (tmp_path / "series.star").write_text(ALIGNED)
    rows = "TS_7 300 2.7 0.1 1.35 series.star \n"
    (tmp_path / "tomograms.star").write_text("# version 50001\n\n" + TABLES["tomograms"].format(rows=rows))
    [result] = read_tomograms(tmp_path / "tomograms.star")
    assert result.geometry.tilt_angles.tolist() == [-3.32, -0.31, 2.69]
    assert result.stacks == ("m/1.mrc", "m/0.mrc", "m/2.mrc")
    assert result.sections == (0, 0, 0)
    assert result.geometry.tilt_axis_angles.tolist() == [85.2, 84.9, 84.6]
    assert result.geometry.shift_A.tolist() == [[-20.5, 0], [10.5, -3.25], [0, 5.75]]
    assert result.geometry.exposure_before_e_per_A2.tolist() == [3, 0, 6]
    np.testing.assert_allclose(means_um(result.ctf), [4.15, 4.05005, 4.25])
    first = result.ctf.defocus[0]
    assert first.astigmatism_um == pytest.approx(0.1)
    assert first.astigmatism_angle == 12.5
    assert (result.ctf.voltage_kV, result.ctf.spherical_aberration_mm) == (300, 2.7)
    assert result.ctf.amplitude_contrast == 0.1


def test_unusable_projects_are_refused(tmp_path: Path) -> None:
    path = write_tables(tmp_path, "a 0\n")
    (tmp_path / "series.star").write_text("data_a\n_rlnTomoYTilt 3\n")
    with pytest.raises(InputError, match="no column _rlnMicrographName"):
        read_tomograms(path)
    with pytest.raises(InputError, match=r"'x@a.mrc' is not an image of a stack"):
        read_tomograms(write_tables(tmp_path, "x@a.mrc 0\n"))
    with pytest.raises(InputError, match="have the same angle"):
        read_tomograms(write_tables(tmp_path, "1@a.mrc 0\n2@a.mrc 0\n"))
    with pytest.raises(InputError, match=r"pixel size of -1\.0 Å is impossible"):
        read_tomograms(write_tables(tmp_path, "1@a.mrc 0\n", pixel="-1"))
    with pytest.raises(InputError, match="no block data_global"):
        read_tomograms(tmp_path / "series.star")
    with pytest.raises(InputError, match="no block data_particles"):
        read_particles(tmp_path / "series.star", [])
    write_project(tmp_path, [tomogram("a")], {"a": particles(["boot"])})
    with pytest.raises(InputError, match="'a', of which no size is known"):
        read_particles(tmp_path / "particles.star", [tomogram("b")])


def test_subunits_of_filaments_are_helical_segments_of_the_same_orientation(tmp_path: Path) -> None:
    table = particles(["actin", "boot", "actin", "actin"])
    table.instance[:] = [1, 2, 1, 1]
    tracks = HelicalTracks(np.array([1, 0, 1, 1]), np.array([0.0, 0.0, 27.5, 55.0]))
    write_project(tmp_path, [tomogram("a")], {"a": table}, {"a": tracks})
    rows = starfile.read(tmp_path / "particles_actin.star")["particles"]
    assert rows["rlnHelicalTubeID"].tolist() == [1, 1, 1]
    assert rows["rlnHelicalTrackLengthAngst"].tolist() == [0, 27.5, 55]
    assert set(rows["rlnAngleTiltPrior"]) == {90}
    assert set(rows["rlnAnglePsiPrior"]) == {0}
    assert rows["rlnTomoParticleName"].is_unique
    tables = read_tomograms(tmp_path / "tomograms.star")
    [segments] = read_particles(tmp_path / "particles_actin.star", tables).values()
    np.testing.assert_allclose(segments.rotation, table.rotation[[0, 2, 3]], atol=1e-5)
    # The particle's own z axis lies in the plane of the upright frame: what RELION's prior of 90 degrees says.
    boxes = Rotation.from_euler(
        "ZYZ", rows[[f"rlnTomoSubtomogram{a}" for a in ("Rot", "Tilt", "Psi")]], degrees=True
    ).inv()
    along = boxes.inv().apply(table.rotation[[0, 2, 3], :, 2])
    np.testing.assert_allclose(along, np.tile([-1.0, 0, 0], (3, 1)), atol=1e-5)
    for name in ("particles.star", "particles_boot.star"):
        assert "rlnHelicalTubeID" not in starfile.read(tmp_path / name)["particles"]
