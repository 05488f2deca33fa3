"""Every export read back and reconstructed: beads lie on the particles that the format lists, labels with them."""

import json
import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import mrcfile
import numpy as np
import pytest
import tifffile
import yaml
from distributed import Client
from scipy.spatial.transform import Rotation
from typer.testing import CliRunner

import faket_dask
from faket_dask.cli import app
from faket_dask.config import parse
from faket_dask.errors import InputError
from faket_dask.formats import copick, ome_zarr, portal
from faket_dask.formats.mdoc import read_mdoc
from faket_dask.formats.mrc import open_stack, open_volume
from faket_dask.formats.openers import open_tilt_series
from faket_dask.formats.relion5 import RelionOptics, read_particles, read_tomograms
from faket_dask.formats.shrec import read_model
from faket_dask.formats.star import read_star
from faket_dask.formats.tilt_series import TiltSeries
from faket_dask.geometry.series_ctf import SeriesCtf
from faket_dask.interchange.export import export
from faket_dask.interchange.exporters import exporter_names
from faket_dask.interchange.exporters.source import Source
from faket_dask.interchange.importers.particles import import_particles
from faket_dask.kernels.backprojection import back_project
from faket_dask.kernels.binning import bin_axes
from faket_dask.kernels.optics import Defocus
from faket_dask.outputs.record import RECORD
from faket_dask.specimen.particles import ParticleTable
from faket_dask.specimen.particles import read_particles as read_table
from faket_dask.stages.reconstruction import prepare_tilt
from tests.beads import bead_document, bead_errors
from tests.ctf import means_um
from tests.runs import small_document

SERIES = "specimen-000__a"
TEXTS = {
    *(".star", ".tomostar", ".tlt", ".rawtlt", ".xtilt", ".xf", ".com", ".mdoc"),
    *(".txt", ".xml", ".ndjson", ".json", ".csv"),
}


@dataclass(frozen=True)
class Exported:
    """All formats of one data set, and what they ought to hold."""

    dataset: faket_dask.Dataset
    folder: Path
    particles: ParticleTable
    voxel_size_A: float

    def beads(self) -> np.ndarray:
        return self.particles.class_name == "fiducial"


@pytest.fixture(
    scope="module",
    params=[{"binning": 1}, {"binning": 2, "thickness_A": 500}, {"post_binning": 2, "thickness_A": 500}],
    ids=["full", "binned", "binned-after"],
)
def exported(
    request: pytest.FixtureRequest, one_worker: Client, tmp_path_factory: pytest.TempPathFactory
) -> Exported:
    folder = tmp_path_factory.mktemp("exported")
    document = bead_document(folder / "data", modalities=["noiseless"], halves=["tilts"], **request.param)
    document["specimen"]["species"] = [{"name": "boot", "count": 3}]
    document["specimen"]["thickness_A"] = 590  # odd
    document["dataset"]["seed"] = 24  # three beads away from the sides of the field of view
    dataset = faket_dask.run(parse(document, folder), one_worker)
    assert not dataset.failures
    list(export(dataset, exporter_names(), folder / "out", ["noiseless"]))
    table = read_table(folder / "out/mrc/specimen-000_particles.csv")
    voxel_size_A = 10.0 * dataset.spec.config.reconstruction.pixels_per_voxel
    return Exported(dataset, folder / "out", table, voxel_size_A)


def reconstruct(series: TiltSeries) -> np.ndarray:
    angles = series.geometry.tilt_angles
    ready = np.stack(
        [
            prepare_tilt(tilt=series.tilt(i), kind="hann", tilt_angles=angles, index=i, thickness_px=59)
            for i in range(angles.size)
        ]
    )
    return back_project(ready, angles, 59)


def assert_beads(
    tomogram: np.ndarray, centre_A: np.ndarray, voxel_size_A: float, within: float = 0.1
) -> None:
    errors = bead_errors(tomogram, centre_A / voxel_size_A, voxel_size_A)
    assert errors.size
    assert errors.max() < within


def assert_orientations(rotations: np.ndarray, expected: np.ndarray, within_deg: float = 1.0) -> None:
    assert rotations.shape == expected.shape
    angles = Rotation.from_matrix(np.swapaxes(expected, 1, 2) @ rotations).magnitude()
    assert np.rad2deg(angles).max() < within_deg


def test_mrc(exported: Exported) -> None:
    series = open_tilt_series(exported.folder / f"mrc/{SERIES}_noiseless.mrc")
    table = exported.particles
    assert len(table) >= 4
    assert_beads(reconstruct(series), table.centre_A[exported.beads()], 10)
    opened = open_volume(exported.folder / f"mrc/{SERIES}_noiseless_rec.mrc")
    assert opened.voxel_size_A == pytest.approx(exported.voxel_size_A)
    made = exported.dataset.tomogram(SERIES, "noiseless").values
    for half in ("odd", "even"):
        written = open_volume(exported.folder / f"mrc/{SERIES}_noiseless_{half}_rec.mrc")
        expected = exported.dataset.tomogram(SERIES, "noiseless", half).values
        np.testing.assert_array_equal(written.rows(0, written.shape[1]), expected)
    np.testing.assert_array_equal(opened.rows(0, opened.shape[1]), made)
    beads = read_table(exported.folder / f"mrc/{SERIES}_particles.csv")
    beads = beads.select(beads.class_name == "fiducial")
    assert_beads(made, beads.centre_A, exported.voxel_size_A)
    x, y, z = (beads.centre_A / exported.voxel_size_A).round().astype(int).T
    for name, expected in (("class_mask", beads.class_id), ("instance_mask", beads.instance)):
        mask = open_volume(exported.folder / f"mrc/{SERIES}_{name}.mrc")
        assert mask.shape == opened.shape
        assert mask.voxel_size_A == opened.voxel_size_A
        assert mask.rows(0, mask.shape[1])[z, y, x].tolist() == expected.tolist()


def test_imod(exported: Exported) -> None:
    series = open_tilt_series(exported.folder / f"imod/{SERIES}_noiseless")
    table = exported.particles
    assert_beads(reconstruct(series), table.centre_A[exported.beads()], 10)
    np.testing.assert_array_equal(series.transforms[0], np.eye(2, 3))


def test_shrec(exported: Exported) -> None:
    model = read_model(exported.folder / "shrec/model_0")
    voxel = exported.voxel_size_A
    rows, columns = (round(size * 10 / voxel) for size in (96, 80))
    assert {volume.shape for volume in model.volumes.values()} == {(columns, rows, columns)}
    assert all(volume.voxel_size_A == pytest.approx(voxel) for volume in model.volumes.values())
    tomogram = model.volumes["reconstruction"].rows(0, rows)
    beads = model.particles.class_name == "fiducial"
    # Whole voxels are all that the format holds.
    assert_beads(tomogram, model.particles.centre_A[beads], voxel, within=0.6)
    x, y, z = (model.particles.centre_A / voxel).round().astype(int).T
    occupancy = model.volumes["occupancy_mask"].rows(0, rows)
    assert occupancy[z, y, x].tolist() == model.particles.instance.tolist()
    assert (model.volumes["class_mask"].rows(0, rows)[z, y, x][beads] == 15).all()
    made = exported.dataset.tomogram(SERIES, "noiseless")
    below = columns // 2 - made.shape[0] // 2
    density = model.volumes["grandmodel"].rows(0, rows)[below : below + made.shape[0]]
    assert np.corrcoef(density.ravel(), made.values.ravel())[0, 1] < -0.5  # dense is dark
    projections = model.projections["projections"]
    assert projections.shape == (25, rows, columns)
    assert projections.pixel_size_A == pytest.approx(voxel)
    if voxel > 10:
        series = open_tilt_series(
            model.projections["projections_unbinned"].path, tilt_angles=model.geometry.tilt_angles
        )
        assert series.geometry.pixel_size_A == 10
        np.testing.assert_array_equal(projections.tilt(12), bin_axes(series.tilt(12), 2, (0, 1)))


def test_shrec_orientations(exported: Exported) -> None:
    model = read_model(exported.folder / "shrec/model_0")
    whole = exported.particles
    inside = np.isin(whole.instance, read_table(exported.folder / f"mrc/{SERIES}_particles.csv").instance)
    assert_orientations(model.particles.rotation, whole.rotation[inside])


def test_relion5(exported: Exported) -> None:
    [tomogram] = read_tomograms(exported.folder / "relion5/tomograms.star")
    lists = read_particles(exported.folder / "relion5/particles.star", [tomogram])
    series = open_tilt_series(exported.folder / "relion5/tomograms.star")
    particles = lists[f"{SERIES}_noiseless"]
    assert_beads(reconstruct(series), particles.centre_A[exported.beads()], 10)
    assert_orientations(particles.rotation, exported.particles.rotation)
    assert tomogram.binning == exported.voxel_size_A / 10
    volume = open_volume(exported.folder / "relion5" / tomogram.volume)
    assert volume.voxel_size_A == pytest.approx(exported.voxel_size_A)
    assert tomogram.ctf is None
    assert tomogram.optics == RelionOptics(300, 0, 1)


def test_relion_coordinates_are_voxels_of_the_tomogram(exported: Exported) -> None:
    table = read_star(exported.folder / "relion5/particles_coordinates.star")["particles"]
    [name] = set(table.text("rlnMicrographName"))
    volume = open_volume(exported.folder / "relion5" / name)
    voxels = np.stack([table.numbers(f"rlnCoordinate{axis}") for axis in "XYZ"], axis=1)
    angles = np.stack([table.numbers(f"rlnAngle{name}") for name in ("Rot", "Tilt", "Psi")], axis=1)
    table = read_table(exported.folder / f"mrc/{SERIES}_particles.csv")
    voxel = exported.voxel_size_A
    beads = table.class_name == "fiducial"
    assert_beads(volume.rows(0, volume.shape[1]), voxels[beads] * voxel, voxel)
    assert_orientations(Rotation.from_euler("ZYZ", angles, degrees=True).inv().as_matrix(), table.rotation)


def test_deepfinder(exported: Exported) -> None:
    folder = exported.folder / "deepfinder"
    assert (folder / "classes.txt").read_text() == "0 background\n1 boot\n2 fiducial\n"
    prefix = folder / f"train/{SERIES}_noiseless"
    volume, target = (open_volume(Path(f"{prefix}{ending}.mrc")) for ending in ("", "_target"))
    assert target.shape == volume.shape
    assert target.dtype == np.int8
    table = read_table(exported.folder / f"mrc/{SERIES}_particles.csv")
    objects = list(ElementTree.parse(f"{prefix}_objl.xml").getroot())
    assert [int(item.get("class_label", 0)) for item in objects] == table.class_id.tolist()
    voxels = np.array([[float(item.get(axis, "nan")) for axis in "xyz"] for item in objects])
    voxel = exported.voxel_size_A
    beads = table.class_name == "fiducial"
    assert_beads(volume.rows(0, volume.shape[1]), voxels[beads] * voxel, voxel)
    x, y, z = voxels[beads].round().astype(int).T
    labels = target.rows(0, target.shape[1])[z, y, x]
    assert labels.tolist() == table.class_id[beads].tolist()
    angles = np.array([[float(item.get(name, "nan")) for name in ("psi", "the", "phi")] for item in objects])
    assert_orientations(Rotation.from_euler("ZXZ", angles, degrees=True).as_matrix(), table.rotation)


def test_nnunet(exported: Exported) -> None:
    root = exported.folder / "nnunet/Dataset501_faket"
    description = json.loads((root / "dataset.json").read_text())
    assert description["labels"] == {"background": 0, "boot": 1, "fiducial": 2}
    assert description["numTraining"] == 1
    image = tifffile.imread(root / f"imagesTr/{SERIES}_noiseless_0000.tif")
    segmentation = tifffile.imread(root / f"labelsTr/{SERIES}_noiseless.tif")
    np.testing.assert_array_equal(image, exported.dataset.tomogram(SERIES, "noiseless").values)
    mask = open_volume(exported.folder / f"mrc/{SERIES}_class_mask.mrc")
    np.testing.assert_array_equal(segmentation, mask.rows(0, mask.shape[1]))
    for folder in ("imagesTr", "labelsTr"):
        sizes = json.loads((root / folder / f"{SERIES}_noiseless.json").read_text())
        assert sizes == {"spacing": [exported.voxel_size_A] * 3}


def test_targets(exported: Exported) -> None:
    folder, voxel = exported.folder / "targets", exported.voxel_size_A
    table = read_table(exported.folder / f"mrc/{SERIES}_particles.csv")
    spheres, beads = (
        open_volume(folder / f"{SERIES}_{name}.mrc") for name in ("spheres", "centres_fiducial")
    )
    places = (table.centre_A / voxel).round().astype(int)
    x, y, z = places.T
    assert spheres.rows(0, spheres.shape[1])[z, y, x].tolist() == table.class_id.tolist()
    heights = beads.rows(0, beads.shape[1])[z, y, x]
    is_bead = table.class_name == "fiducial"
    assert heights[is_bead].min() > 0.2  # a bead's Gaussian is about a voxel wide where voxels are large
    assert heights[~is_bead].max() < 0.1
    odd, even = (open_volume(folder / f"{SERIES}_noiseless_{half}.mrc") for half in ("odd", "even"))
    assert odd.shape == even.shape == spheres.shape


def test_test_series_are_no_training_cases(
    vesicles: faket_dask.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (series.name for series in vesicles.spec.series)
    monkeypatch.setattr(
        "faket_dask.interchange.exporters.nnunet.split_series", lambda *_: {first: "train", second: "test"}
    )
    list(export(vesicles, ["nnunet"], tmp_path, ["noiseless"]))
    root = tmp_path / "nnunet/Dataset501_faket"
    assert [path.name for path in (root / "labelsTr").glob("*.tif")] == [f"{first}_noiseless.tif"]
    assert [path.name for path in (root / "imagesTs").glob("*.tif")] == [f"{second}_noiseless_0000.tif"]


def test_copick(exported: Exported) -> None:
    folder = exported.folder / "copick"
    project = copick.open_project(folder / "copick.json")
    picks = copick.read_picks(project, copick.choose_picks(project, SERIES))
    voxel = exported.voxel_size_A
    run = folder / f"ExperimentRuns/{SERIES}"
    tomogram = ome_zarr.open_volume(run / f"VoxelSpacing{voxel:.3f}/noiseless.zarr")
    assert tomogram.voxel_size_A == voxel
    beads = picks.class_name == "fiducial"
    assert_beads(np.asarray(tomogram.data[...]), picks.centre_A[beads], voxel)
    labels = ome_zarr.open_volume(run / f"Segmentations/{voxel:.3f}_faketdask_0_labels-multilabel.zarr")
    assert labels.data.shape == tomogram.data.shape
    x, y, z = (picks.centre_A[beads] / voxel).round().astype(int).T
    assert np.asarray(labels.data[...])[z, y, x].tolist() == picks.class_id[beads].tolist()
    boots = picks.class_name == "boot"
    inside = np.isin(exported.particles.instance, picks.instance[boots])
    order = np.argsort(picks.instance[boots])
    assert_orientations(picks.rotation[boots][order], exported.particles.rotation[inside])
    assert {item.name for item in project.objects} == {"boot", "fiducial"}


def test_warp(exported: Exported) -> None:
    series = open_tilt_series(exported.folder / f"warp/tomostar/{SERIES}_noiseless.tomostar")
    table = exported.particles
    assert_beads(reconstruct(series), table.centre_A[exported.beads()], 10)
    mdoc = read_mdoc(exported.folder / f"warp/mdoc/{SERIES}_noiseless.mdoc")
    np.testing.assert_allclose(mdoc.geometry.tilt_angles, series.geometry.tilt_angles)
    for image, tilt in zip(mdoc.frames, range(25), strict=True):
        frame = open_stack(exported.folder / "warp/frames" / image)
        np.testing.assert_array_equal(frame.tilt(0), series.tilt(tilt))


def test_no_text_file_has_a_zero_with_a_sign(exported: Exported) -> None:
    """A sign that rounding leaves, or a negated zero, means nothing and disturbs comparisons of files."""
    files = [path for path in exported.folder.rglob("*") if path.suffix in TEXTS and path.is_file()]
    assert len(files) > 15
    for path in files:
        assert not re.search(r"(?<![\w.])-0*\.?0+(?![\d.eE])", path.read_text()), path


def test_portal(exported: Exported) -> None:
    voxel = exported.voxel_size_A
    beads = portal.read_points(exported.folder / f"portal/{SERIES}-fiducial.ndjson", "fiducial", 2, voxel)
    assert_beads(exported.dataset.tomogram(SERIES, "noiseless").values, beads.centre_A, voxel)


def test_every_mrc_file_of_every_format_is_valid(exported: Exported) -> None:
    files_by_format: dict[str, int] = {}
    for path in [*exported.folder.rglob("*.mrc"), *exported.folder.rglob("*.mrcs")]:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert mrcfile.validate(path), path
        form = path.relative_to(exported.folder).parts[0]
        files_by_format[form] = files_by_format.get(form, 0) + 1
    shrec = 5 if exported.voxel_size_A == 10 else 6
    expected = {"mrc": 9, "imod": 1, "shrec": shrec, "relion5": 2, "warp": 25, "deepfinder": 2, "targets": 7}
    assert files_by_format == expected


def test_only_images_of_the_microscope_model_have_a_ctf(
    tiny_dataset: faket_dask.Dataset, tmp_path: Path
) -> None:
    with pytest.warns(UserWarning, match="carry no CTF") as said:
        list(export(tiny_dataset, ["relion5"], tmp_path, ["faket", "benchmark", "noiseless"]))
    assert len(said) == 1
    assert str(said[0].message).startswith("the images of faket, noiseless carry no CTF")
    for tomogram in read_tomograms(tmp_path / "relion5/tomograms.star"):
        if tomogram.name.endswith("benchmark"):
            specimen = tomogram.name.split("__")[0]
            acquisition = tiny_dataset.spec.geometry.acquisition(specimen)
            np.testing.assert_allclose(means_um(tomogram.ctf), acquisition.defocus_um, atol=1e-6)
            assert tomogram.optics.spherical_aberration_mm > 0
        else:
            assert tomogram.ctf is None
            assert tomogram.optics == RelionOptics(300, 0, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        list(export(tiny_dataset, ["relion5", "mrc"], tmp_path / "other", ["benchmark"]))
    mdoc = read_mdoc(tmp_path / "other/mrc/specimen-000__b_benchmark.mrc.mdoc")
    defocus_um = tiny_dataset.spec.geometry.acquisition("specimen-000").defocus_um
    np.testing.assert_allclose(mdoc.defocus_um, defocus_um, rtol=1e-5)


def test_ctf_of_each_tilt_is_in_every_format_that_has_one(
    tiny_dataset: faket_dask.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exports write what `Source.ctf` says, tilt by tilt, and nothing where it says nothing."""
    tilts = tuple(Defocus(2 + tilt / 10, 0.3, 20.0 * tilt) for tilt in range(5))
    ctf = SeriesCtf(tilts, "a test", 200.0, 1.4, 0.12)
    monkeypatch.setattr(Source, "ctf", lambda _, __, modality: ctf if modality == "faket" else None)
    with pytest.warns(UserWarning, match="the images of noisy carry no CTF"):
        list(export(tiny_dataset, ["imod", "mrc", "relion5", "warp"], tmp_path, ["faket", "noisy"]))
    name = "specimen-000__b_{}"
    places = {
        "imod": "imod/{0}/{0}.mrc",
        "mrc": "mrc/{0}.mrc",
        "relion5": "relion5/tomograms.star",
        "warp": "warp/tomostar/{0}.tomostar",
    }
    for program, place in places.items():
        modalities = [name.format(modality) for modality in ("faket", "noisy")]
        with_ctf, without = (
            open_tilt_series(
                tmp_path / place.format(modality), tomogram=modality if program == "relion5" else None
            )
            for modality in modalities
        )
        assert without.ctf is None, program
        found = with_ctf.ctf
        np.testing.assert_allclose(means_um(found), means_um(ctf), atol=1e-4)
        for own, tilt in zip(found.defocus, tilts, strict=True):
            assert own.astigmatism_um == pytest.approx(tilt.astigmatism_um, abs=1e-3), program
            assert own.astigmatism_angle == pytest.approx(tilt.astigmatism_angle, abs=0.02), program
        if program != "imod":
            constants = (found.voltage_kV, found.spherical_aberration_mm, found.amplitude_contrast)
            assert constants == (200.0, 1.4, 0.12), program
    mdocs = [
        tmp_path / folder.format(name.format("noisy")) for folder in ("mrc/{}.mrc.mdoc", "warp/mdoc/{}.mdoc")
    ]
    for mdoc in mdocs:
        assert "Defocus" not in mdoc.read_text()
    files = [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*noisy*")]
    assert not [file for file in files if file.endswith((".defocus", "_CTF.txt", ".xml"))]


def test_deepfinder_says_what_training_lacks(tiny_dataset: faket_dask.Dataset, tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"trained on tomograms, .* none of faket; make them first: `faket-dask"
    ):
        list(export(tiny_dataset, ["deepfinder"], tmp_path))
    with pytest.warns(UserWarning, match="no series is in a split called valid, which DeepFinder needs"):
        [classes] = export(tiny_dataset, ["deepfinder"], tmp_path, [])
    assert classes.read_text().splitlines() == ["0 background", "1 propeller", "2 boot", "3 fiducial"]


def test_copick_export_without_tomograms_is_refused(tiny_dataset: faket_dask.Dataset, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"make them first: `faket-dask reconstruct .* --modality faket`"):
        list(export(tiny_dataset, ["copick"], tmp_path))
    with pytest.raises(InputError, match="no format 'cryosparc'; there are mrc, imod, shrec"):
        export(tiny_dataset, ["mrc", "cryosparc"], tmp_path)


@pytest.fixture(scope="module")
def vesicles(one_worker: Client, tmp_path_factory: pytest.TempPathFactory) -> faket_dask.Dataset:
    """Two series of two pixel sizes, with a vesicle each and their tomograms."""
    folder = tmp_path_factory.mktemp("vesicles")
    document = small_document(
        folder / "data",
        specimen={"membranes": [{"kind": "vesicle", "count": 1, "radius_A": [120, 150]}]},
        acquisition={"pixel_size_A": [9.95, 10.05]},
        references=[{"kind": "simulated", "name": "a"}],
        reconstruction={"modalities": ["noiseless"]},
    )
    return faket_dask.run(parse(document, folder), one_worker)


def test_copick_segments_membranes_and_picks_particles(vesicles: faket_dask.Dataset, tmp_path: Path) -> None:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        list(export(vesicles, ["copick"], tmp_path, ["noiseless"], root="/data/moved"))
    [spacings] = [str(warning.message) for warning in said]
    assert re.search(r"the runs have 2 voxel spacings \(9\.\d{3}, (9|10)\.\d{3} Å\)", spacings)
    folder = tmp_path / "copick"
    config = json.loads((folder / "copick.json").read_text())
    assert config["overlay_root"] == "local:///data/moved"
    labels = {item["name"]: item["label"] for item in config["pickable_objects"]}
    assert {item["name"] for item in config["pickable_objects"] if not item["is_particle"]} == {"vesicle"}
    targets = yaml.safe_load((folder / "logs/targets-faketdask_0_labels.yaml").read_text())
    assert targets["input"]["labels"] == labels
    assert sorted(labels.values()) == list(range(1, len(labels) + 1))
    for run in (folder / "ExperimentRuns").iterdir():
        assert not list(run.glob("Picks/*vesicle*"))
        [every], [vesicle] = (
            run.glob("Segmentations/*-multilabel.zarr"),
            run.glob("Segmentations/*vesicle.zarr"),
        )
        mask = np.asarray(ome_zarr.open_volume(vesicle).data[...])
        assert mask.any()
        np.testing.assert_array_equal(
            mask, np.asarray(ome_zarr.open_volume(every).data[...]) == labels["vesicle"]
        )


def test_copick_says_that_its_folder_may_not_move(vesicles: faket_dask.Dataset, tmp_path: Path) -> None:
    with pytest.warns(
        UserWarning, match=r"copick\.json holds the path of its folder, .* with --root NEW_FOLDER"
    ):
        list(export(vesicles, ["copick"], tmp_path, ["noiseless"]))
    with pytest.raises(InputError, match=r"without ExperimentRuns"):
        import_particles((tmp_path / "copick").rename(tmp_path / "moved") / "copick.json")


def test_portal_gives_membranes_no_orientation(vesicles: faket_dask.Dataset, tmp_path: Path) -> None:
    list(export(vesicles, ["portal"], tmp_path, ["noiseless"]))
    kinds = {
        path.stem.split("-")[-1]: {json.loads(line)["type"] for line in path.read_text().splitlines()}
        for path in (tmp_path / "portal").iterdir()
    }
    assert kinds["vesicle"] == {"point"}
    assert kinds["boot"] == {"orientedPoint"}


def test_export_command_accepts_several_formats(tiny_dataset: faket_dask.Dataset, tmp_path: Path) -> None:
    command = ["export", str(tiny_dataset.folder), "--to", "warp, portal", "--folder", str(tmp_path / "out")]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"warp", "portal", RECORD}
    assert CliRunner().invoke(app, [*command[:3], "x"]).exit_code == 2
