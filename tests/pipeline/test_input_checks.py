"""Input checks: every problem is named with its place before anything is computed."""

import json
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
import pytest
import zarr

from faket_dask.config import parse
from faket_dask.dataset.inputs import Inputs
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.errors import InputError
from faket_dask.formats.ctffind import write_ctffind
from faket_dask.formats.imod import write_angles
from faket_dask.formats.mdoc import write_mdoc
from faket_dask.formats.mrc import write_stack, write_volume
from faket_dask.geometry import TiltGeometry
from faket_dask.geometry.series_ctf import SeriesCtf
from faket_dask.kernels.optics import Defocus
from faket_dask.kernels.vgg import random_state_dict
from faket_dask.pipeline.input_checks import resolve
from faket_dask.pipeline.plan import plan_spec
from faket_dask.specimen.particles import Row, particle_table
from faket_dask.specimen.sources import load_template
from faket_dask.weights.cache import store
from tests.ctf import means_um
from tests.runs import small_document
from tests.specimen.chains import draw_places, format_model

ANGLES = (-40.0, -20.0, 0.0, 20.0, 40.0)
GIVEN = {"statistics": "given", "given": {"signal_scale": [0.5], "noise_scale": [0.5]}}


@pytest.fixture
def stack() -> np.ndarray:
    """Five usable recorded tilts, (tilt, y, x)."""
    return np.random.default_rng(0).normal(size=(5, 40, 48)).astype(np.float32)


def record(folder: Path, stack: np.ndarray, pixel_size_A: float = 10.0, name: str = "real") -> Path:
    """Write a stack and its angles beside it."""
    path = folder / f"{name}.mrc"
    write_stack(path, stack, stack.shape, pixel_size_A)
    write_angles(folder / f"{name}.rawtlt", ANGLES)
    return path


def recorded_sections(path: Path, **changes: Any) -> dict[str, Any]:
    """Return sections of a run file with one recorded reference."""
    return {"references": [{"name": "real", "stack": str(path), **changes}], "noise": GIVEN}


def check(folder: Path, **changes: Any) -> DatasetSpec:
    return resolve(parse(small_document(folder / "data", **changes), folder))


def read_problems(folder: Path, **changes: Any) -> list[str]:
    """Return the problems of a run file line by line; nothing of its data set exists then."""
    with pytest.raises(InputError) as error:
        check(folder, **changes)
    assert not (folder / "data").exists()
    return str(error.value).splitlines()


def only_problem(folder: Path, **changes: Any) -> str:
    [line] = read_problems(folder, **changes)
    return line


def test_usable_input_is_described(tmp_path: Path, stack: np.ndarray) -> None:
    spec = check(tmp_path, **recorded_sections(record(tmp_path, stack)))
    recording = spec.inputs.recordings["real"]
    assert (recording.shape, recording.tilt_angles, recording.pixel_size_A) == (stack.shape, ANGLES, 10)
    assert len(recording.checksum) == len(spec.inputs.weights_checksum) == 64


def test_ctf_and_exposures_of_a_reference_are_kept(tmp_path: Path, stack: np.ndarray) -> None:
    path = record(tmp_path, stack)
    tilts = tuple(Defocus(2 + tilt / 10, 0.2, 100.0) for tilt in range(5))
    write_ctffind(tmp_path / "real_CTF.txt", SeriesCtf(tilts, "a test", 300.0, 2.7, 0.1))
    geometry = TiltGeometry(
        np.array(ANGLES),
        10.0,
        tilt_axis_angle_deg=85.0,
        exposure_e_per_A2=np.full(5, 3.0),
        acquisition_order=np.array([3, 1, 0, 2, 4]),
    )
    write_mdoc(tmp_path / "real.mrc.mdoc", geometry, path.name, (40, 48), 300)
    (tmp_path / "real.rawtlt").unlink()
    spec = check(tmp_path, **recorded_sections(path, align=True), signal={"ctf": "reference"})
    document = json.loads(json.dumps(spec.inputs.to_json()))
    recording = Inputs.from_json(document).recordings["real"]
    assert recording == spec.inputs.recordings["real"]
    # Written by decreasing angle of the stage, so the stack's first tilt is the first here.
    np.testing.assert_allclose(means_um(recording.ctf), [2.0, 2.1, 2.2, 2.3, 2.4])
    assert recording.ctf.defocus[0].astigmatism_angle == pytest.approx(15.0)
    assert recording.ctf.voltage_kV == 300.0
    assert recording.exposure_e_per_A2 == (3.0,) * 5
    assert recording.exposure_before_e_per_A2 == (9.0, 3.0, 0.0, 6.0, 12.0)


def test_ctf_that_the_run_file_names(tmp_path: Path, stack: np.ndarray) -> None:
    path = record(tmp_path, stack)
    signal = {"signal": {"ctf": "reference"}}
    assert "files of 'real' tell no defocus" in only_problem(tmp_path, **recorded_sections(path), **signal)
    spec = check(tmp_path, **recorded_sections(path, defocus_um=2.5), **signal)
    assert set(means_um(spec.inputs.recordings["real"].ctf)) == {2.5}
    ctf = SeriesCtf((Defocus(3.0),) * 5, "a test")
    fingerprints = set()
    for name in ("one.txt", "other.txt"):
        write_ctffind(tmp_path / name, ctf)
        spec = check(tmp_path, **recorded_sections(path, ctf=name), **signal)
        assert set(means_um(spec.inputs.recordings["real"].ctf)) == {3.0}
        fingerprints.add(spec.fingerprint)
    assert len(fingerprints) == 1
    write_ctffind(tmp_path / "one.txt", SeriesCtf((Defocus(3.0),) * 4, "a test"))
    line = only_problem(tmp_path, **recorded_sections(path, ctf="one.txt"), **signal)
    assert line.startswith("references.real: ")
    assert "one.txt has the defocus of 4 tilts, and" in line
    without = check(tmp_path, **recorded_sections(path, ctf="one.txt"), signal={"ctf": "none"})
    assert without.inputs.recordings["real"].ctf is None
    assert "must be at most 20" in only_problem(tmp_path, **recorded_sections(path, defocus_um=30000))


# Recorded references


def test_missing_stack(tmp_path: Path) -> None:
    line = only_problem(tmp_path, **recorded_sections(tmp_path / "absent.mrc"))
    assert line.startswith("references.real: ")
    assert "absent.mrc cannot be read" in line


def test_truncated_stack(tmp_path: Path, stack: np.ndarray) -> None:
    path = record(tmp_path, stack)
    path.write_bytes(path.read_bytes()[:-1000])
    assert "is truncated" in only_problem(tmp_path, **recorded_sections(path))


def test_file_that_is_no_stack(tmp_path: Path, stack: np.ndarray) -> None:
    path = record(tmp_path, stack)
    path.write_bytes(b"This is not an MRC file. " * 100)
    assert "MRC" in only_problem(tmp_path, **recorded_sections(path))


def test_single_image_with_five_angles(tmp_path: Path, stack: np.ndarray) -> None:
    path = record(tmp_path, stack[:1])
    lines = read_problems(tmp_path, **recorded_sections(path))
    assert any("has 5 angles" in line and "has 1 tilts" in line for line in lines)


def test_stack_of_volumes(tmp_path: Path) -> None:
    path = tmp_path / "real.mrc"
    with mrcfile.new(path) as file:
        file.set_data(np.ones((2, 3, 40, 48), np.float32))
        file.voxel_size = 10.0
    assert "stack of volumes" in only_problem(tmp_path, **recorded_sections(path, tilt_angles=[0, 1]))


def test_tilts_with_nan_and_constant_tilts(tmp_path: Path, stack: np.ndarray) -> None:
    stack[1, 3, 4] = np.nan
    stack[4, 0, 0] = np.inf
    stack[2] = 7
    with np.errstate(invalid="ignore"):
        path = record(tmp_path, stack)
    broken, constant = read_problems(tmp_path, **recorded_sections(path))
    assert "view 2 of 5 (counted from 1; ZValue 1): the pixel x = 4, y = 3 is nan;" in broken
    assert broken.endswith("; the same of view 5 (counted from 1)")
    assert "all pixels are equal in view 3 (counted from 1);" in constant


@pytest.mark.parametrize(
    ("angles", "expected"),
    [
        ([-40, -20, 0, 20], "has 4 angles, .* has 5 tilts"),
        ([-40, -20, 0, 0, 40], "(number|line) 3 and (number|line) 4 have the same angle"),
        ([-40, -20, 0, 20, 400], "between -90° and 90°|from -90 to 90"),
    ],
)
@pytest.mark.parametrize("listed", [True, False], ids=["listed", "in a file"])
def test_unusable_angles(
    tmp_path: Path, stack: np.ndarray, angles: list[float], expected: str, listed: bool
) -> None:
    path = record(tmp_path, stack)
    file = tmp_path / "real.tlt"
    write_angles(file, angles)
    with pytest.raises(InputError, match=expected):
        check(tmp_path, **recorded_sections(path, tilt_angles=angles if listed else str(file)))


def test_missing_angles(tmp_path: Path, stack: np.ndarray) -> None:
    path = record(tmp_path, stack)
    (tmp_path / "real.rawtlt").unlink()
    assert "no tilt angles" in only_problem(tmp_path, **recorded_sections(path))
    assert "gone.tlt" in only_problem(tmp_path, **recorded_sections(path, tilt_angles="gone.tlt"))


@pytest.mark.parametrize("written", [0.0, 1.0])
def test_pixel_size_missing_from_the_header(tmp_path: Path, stack: np.ndarray, written: float) -> None:
    path = record(tmp_path, stack)
    with mrcfile.open(path, "r+") as file:
        file.voxel_size = written
    assert "no pixel size" in only_problem(tmp_path, **recorded_sections(path))
    assert (
        check(tmp_path, **recorded_sections(path, pixel_size_A=10)).inputs.recordings["real"].pixel_size_A
        == 10
    )


def test_pixels_that_are_not_square(tmp_path: Path, stack: np.ndarray) -> None:
    path = record(tmp_path, stack)
    with mrcfile.open(path, "r+") as file:
        file.voxel_size = (10.0, 12.0, 10.0)
    assert "10 x 12 Å; they must agree" in only_problem(tmp_path, **recorded_sections(path))


def test_pixel_size_other_than_the_acquisition(tmp_path: Path, stack: np.ndarray) -> None:
    path = record(tmp_path, stack, pixel_size_A=12)
    line = only_problem(tmp_path, **recorded_sections(path))
    assert "has 12 Å pixels, the acquisition 10 Å" in line
    assert "resample: true" in line
    assert check(tmp_path, **recorded_sections(path, resample=True))


def test_reference_too_small_for_the_network(tmp_path: Path, stack: np.ndarray) -> None:
    path = record(tmp_path, stack[:, :31])
    assert "31 x 48 pixels; style needs at least 32 x 32" in only_problem(tmp_path, **recorded_sections(path))


def test_reference_too_small_after_resampling(tmp_path: Path, stack: np.ndarray) -> None:
    path = record(tmp_path, stack, pixel_size_A=5)
    assert "40 x 48 pixels, which are made 20 x 24" in only_problem(
        tmp_path, **recorded_sections(path, resample=True)
    )


def test_reference_too_small_after_fitting_to_the_tilt(tmp_path: Path) -> None:
    long = np.random.default_rng(0).normal(size=(5, 40, 192)).astype(np.float32)
    line = only_problem(
        tmp_path,
        **recorded_sections(record(tmp_path, long)),
        style={"reference_size": "fit_to_tilt"},
    )
    assert "which are made 20 x 96" in line


def test_unusable_noiseless_counterpart(tmp_path: Path, stack: np.ndarray) -> None:
    path = record(tmp_path, stack)
    for clean, pixel_size_A, expected in (
        (stack[:4], 10.0, r"has the shape \(4, 40, 48\), its noisy counterpart"),
        (stack, 20.0, "has 20 Å pixels, its noisy counterpart"),
        (np.zeros_like(stack), 10.0, r"all pixels are equal in views 1, 2, 3, 4, 5 \(counted"),
    ):
        counterpart = record(tmp_path, clean, pixel_size_A, "clean")
        with pytest.raises(InputError, match=expected):
            check(tmp_path, references=recorded_sections(path, clean=str(counterpart))["references"])
    missing = recorded_sections(path, clean="nowhere.mrc")["references"]
    assert "nowhere.mrc" in only_problem(tmp_path, references=missing)


# Specimens


def test_particles_larger_than_the_slab(tmp_path: Path) -> None:
    line = only_problem(tmp_path, specimen={"thickness_A": 120})
    assert line.startswith("specimen: 'propeller' is up to")
    assert "specimen: specimen" not in line


def test_particles_that_fill_more_than_the_volume(tmp_path: Path) -> None:
    crowd = [{"name": "propeller", "count": 5000}]
    assert "of the volume; ask for fewer" in only_problem(tmp_path, specimen={"species": crowd})


@pytest.mark.parametrize(
    ("species", "expected"),
    [
        ([{"name": "propeller", "count": 0}], "zero particles"),
        ([{"name": "propeller", "density_per_um3": 1}], "zero particles"),
        ([{"name": "unicorn", "count": 1}], "'unicorn' is neither a file nor a built-in phantom"),
    ],
)
def test_zero_particles_and_unknown_classes(
    tmp_path: Path, species: list[dict[str, Any]], expected: str
) -> None:
    assert expected in only_problem(tmp_path, specimen={"species": species, "fiducials": None})


def test_structure_file_removed_since_the_run_file_was_read(tmp_path: Path) -> None:
    file = tmp_path / "protein.pdb"
    file.write_text("to be removed")
    species = [{"name": "boot", "count": 1}, {"name": "protein", "count": 1, "source": "protein.pdb"}]
    config = parse(small_document(tmp_path / "data", specimen={"species": species}), tmp_path)
    file.unlink()
    with pytest.raises(InputError, match=r"^specimen\.species\.1\.source: .*protein\.pdb cannot be read"):
        resolve(config)


def test_structure_file_without_a_structure(tmp_path: Path) -> None:
    (tmp_path / "protein.pdb").write_text("nothing of the kind\n")
    species = [{"name": "protein", "count": 1, "source": "protein.pdb"}]
    assert "species 'protein'" in only_problem(tmp_path, specimen={"species": species})


@pytest.fixture
def volume() -> np.ndarray:
    """Density, (z, y, x), that the small run's detector of 96 x 80 pixels images."""
    return np.random.default_rng(0).random((6, 96, 100), dtype=np.float32)


def check_volume(folder: Path, density: np.ndarray, voxel_size_A: float = 10.0, **files: str) -> DatasetSpec:
    """Check a run file whose specimen is this volume, with masks or a table where they are named."""
    write_volume(folder / "density.mrc", density, voxel_size_A)
    tilts = np.random.default_rng(1).normal(size=(5, 40, 48)).astype(np.float32)
    document = small_document(folder / "data", **recorded_sections(record(folder, tilts)))
    document["specimen"] = {"kind": "volume", "volumes": [{"density": "density.mrc", **files}]}
    return resolve(parse(document, folder))


def volume_problem(folder: Path, density: np.ndarray, voxel_size_A: float = 10.0, **files: str) -> str:
    with pytest.raises(InputError, match=r"^specimen\.volumes\.0: ") as error:
        check_volume(folder, density, voxel_size_A, **files)
    [line] = str(error.value).splitlines()
    return line


def test_usable_volume_is_described(tmp_path: Path, volume: np.ndarray) -> None:
    [facts] = check_volume(tmp_path, volume).inputs.specimens
    assert facts.shape == volume.shape


def test_truncated_mask(tmp_path: Path, volume: np.ndarray) -> None:
    write_volume(tmp_path / "mask.mrc", (volume > 0.5).astype(np.int8), 10.0)
    whole = (tmp_path / "mask.mrc").read_bytes()
    (tmp_path / "mask.mrc").write_bytes(whole[:-1000])
    assert "mask.mrc is truncated" in volume_problem(tmp_path, volume, class_mask="mask.mrc")


def test_volume_of_another_size_than_the_detector(tmp_path: Path, volume: np.ndarray) -> None:
    assert "y must be 96 and x at least 80" in volume_problem(tmp_path, volume[:, :90])
    assert "y must be 96 and x at least 80" in volume_problem(tmp_path, volume[:, :, :79])


def test_voxel_size_other_than_the_pixel_size(tmp_path: Path, volume: np.ndarray) -> None:
    assert "has 8 Å voxels, the acquisition 10 Å" in volume_problem(tmp_path, volume, 8.0)


def test_image_in_place_of_a_volume(tmp_path: Path, volume: np.ndarray) -> None:
    with mrcfile.new(tmp_path / "image.mrc") as file:
        file.set_data(volume[0])
    line = volume_problem(tmp_path, volume, instance_mask="image.mrc")
    assert "a volume (z, y, x) is expected" in line


def test_nan_in_any_block_of_a_volume(tmp_path: Path, volume: np.ndarray) -> None:
    volume[3, 70, 5] = np.nan
    assert "NaN or infinity, first in slice y = 70" in volume_problem(tmp_path, volume)


def test_constant_volume(tmp_path: Path, volume: np.ndarray) -> None:
    assert "all voxels are equal" in volume_problem(tmp_path, np.full_like(volume, 3))


@pytest.mark.parametrize("wrong", [0.5, -1, 300])
def test_labels_that_are_not_whole_numbers(tmp_path: Path, volume: np.ndarray, wrong: float) -> None:
    mask = np.zeros_like(volume)
    mask[2, 80, 7] = wrong
    write_volume(tmp_path / "mask.mrc", mask, 10.0)
    line = volume_problem(tmp_path, volume, class_mask="mask.mrc")
    assert "class mask holds something other than whole numbers from 0 to 255" in line


def test_masks_of_another_shape(tmp_path: Path, volume: np.ndarray) -> None:
    write_volume(tmp_path / "mask.mrc", np.zeros((6, 96, 99), np.int8), 10.0)
    assert "they must agree" in volume_problem(tmp_path, volume, instance_mask="mask.mrc")


def test_damaged_chunk_of_a_zarr_mask(tmp_path: Path, volume: np.ndarray) -> None:
    labels = (volume > 0.5).astype(np.uint8)
    zarr.create_array(tmp_path / "masks.zarr" / "class", data=labels, chunks=(6, 32, 100))
    chunk = tmp_path / "masks.zarr/class/c/0/2/0"
    chunk.write_bytes(chunk.read_bytes()[:-10])
    line = volume_problem(tmp_path, volume, class_mask="masks.zarr/class")
    assert "cannot be read" in line


def test_particle_table_with_another_header(tmp_path: Path, volume: np.ndarray) -> None:
    (tmp_path / "table.csv").write_text("x,y,z\n1,2,3\n")
    assert "has no column" in volume_problem(tmp_path, volume, particles="table.csv")


# Weights, style and folder


def test_missing_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKET_DASK_CACHE", str(tmp_path / "cache"))
    line = only_problem(tmp_path, style={"weights": "vgg19-normalised"})
    assert line.startswith("style.weights: ")
    assert "faket-dask weights fetch vgg19-normalised" in line
    assert "./mine.npz" not in only_problem(tmp_path, style={"weights": "vgg20"})
    assert "no file of weights" in only_problem(tmp_path, style={"weights": "./mine.npz"})


def test_weights_with_a_wrong_checksum(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKET_DASK_CACHE", str(tmp_path / "cache"))
    arrays = random_state_dict(0)
    stored = store("vgg19-normalised", arrays)
    altered = dict(np.load(stored)) | {"28.bias": arrays["28.bias"] + 1}
    np.savez(stored, **altered)
    line = only_problem(tmp_path, style={"weights": "vgg19-normalised"})
    assert "is corrupted: its checksum is" in line


@pytest.mark.parametrize(("layers", "missing"), [("style_layers", 40), ("content_layers", -1)])
def test_layers_missing_from_the_network(tmp_path: Path, layers: str, missing: int) -> None:
    with pytest.raises(
        InputError, match=f"style: there is no layer {missing}: VGG-19 has the layers 0 to 29"
    ):
        parse(small_document(tmp_path, style={layers: {1: 1, missing: 1}}), tmp_path)


def test_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("here already")
    line = only_problem(tmp_path, dataset={"folder": str(tmp_path / "file" / "data")})
    assert line == f"dataset.folder: {tmp_path / 'file'} is a file; choose another folder"


def test_all_problems_are_reported_together(tmp_path: Path, stack: np.ndarray) -> None:
    stack[0] = 1
    bad = record(tmp_path, stack, pixel_size_A=12)
    lines = read_problems(
        tmp_path,
        references=[
            {"name": "absent", "stack": "absent.mrc"},
            {"name": "bad", "stack": str(bad), "tilt_angles": [0, 1, 2]},
        ],
        noise=GIVEN,
        specimen={"thickness_A": 100},
        style={"weights": "vgg20", "memory_per_task_GiB": 0.1},
    )
    beginnings = [
        "references.absent: ",
        "references.bad: tilt_angles has 3 angles",
        f"references.bad: {bad} has 12 Å pixels",
        f"references.bad: {bad}: all pixels are equal",
        "specimen: 'propeller'",
        "style.memory_per_task_GiB is 0.1, but a tilt of 96 x 80 pixels takes",
        "style.weights: ",
    ]
    assert len(lines) == len(beginnings)
    for line, beginning in zip(lines, beginnings, strict=True):
        assert line.startswith(beginning)


# Labels and particle table


def write_labels(folder: Path, label: int, class_id: int, x_A: float = 300.0) -> dict[str, str]:
    """Write masks of one particle, and a table that may say something else."""
    classes, instances = np.zeros((6, 96, 100), np.uint8), np.zeros((6, 96, 100), np.uint16)
    classes[2:5, 40:45, 28:33], instances[2:5, 40:45, 28:33] = label, 1
    write_volume(folder / "classes.mrc", classes.astype(np.int16), 10.0)
    write_volume(folder / "instances.mrc", instances.astype(np.int16), 10.0)
    row = Row("boot", class_id, np.array([x_A, 420.0, 30.0]), np.eye(3), 0.0, 0)
    particle_table([row]).write_csv(folder / "table.csv")
    return {"class_mask": "classes.mrc", "instance_mask": "instances.mrc", "particles": "table.csv"}


def test_table_that_agrees_with_the_masks(tmp_path: Path, volume: np.ndarray) -> None:
    assert check_volume(tmp_path, volume, **write_labels(tmp_path, 1, 1))


def test_table_with_other_labels_than_the_class_mask(tmp_path: Path, volume: np.ndarray) -> None:
    line = volume_problem(tmp_path, volume, **write_labels(tmp_path, 1, 18))
    assert "another label at 1 of 1 particles 'boot', mostly 1, while the table says class_id 18" in line


def test_table_with_particles_outside_the_volume(tmp_path: Path, volume: np.ndarray) -> None:
    line = volume_problem(tmp_path, volume, **write_labels(tmp_path, 1, 1, x_A=7000.0))
    assert "1 of 1 particles are centred outside the volume, number 1 (boot) first" in line


def test_table_with_a_label_that_masks_cannot_hold(tmp_path: Path, volume: np.ndarray) -> None:
    write_labels(tmp_path, 1, 300)
    line = volume_problem(tmp_path, volume, particles="table.csv")
    assert "the table has the class_id 300; masks hold 1 to 255" in line


# Without references


def test_specimens_alone_are_series_without_a_style(tmp_path: Path) -> None:
    outputs = {"modalities": ["benchmark"], "report": True}
    spec = check(
        tmp_path,
        references=[],
        outputs=outputs,
        acquisition={"detector_px": [8184, 11520]},
        specimen={"width_factor": 1},
    )
    assert [series.name for series in spec.series] == ["specimen-000", "specimen-001"]
    stages = {batch.stage for batch in plan_spec(spec).batches}
    assert stages == {"place", "build", "project", "simulate"}


def describe_protein(accession: str) -> str:
    """Return a PDB file of an entry: a chain of 24 residues."""
    return f"HEADER    TEST                                    01-JAN-00   {accession}\n" + format_model(
        {"A": draw_places(24)}
    )


def check_source(folder: Path, source: str, **keys: Any) -> DatasetSpec:
    species = [{"name": "protein", "count": 1, "source": source, **keys}]
    return check(folder, specimen={"species": species, "fiducials": None})


def test_entry_is_fetched_when_a_run_is_planned_and_stands_for_its_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKET_DASK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("FAKET_DASK_MIRROR", str(tmp_path))
    (tmp_path / "1abc.pdb").write_text(describe_protein("1ABC"))
    named = check_source(tmp_path, "pdb:1abc")
    assert (tmp_path / "cache" / "structures" / "pdb" / "1abc.pdb").is_file()
    assert named.fingerprint == check_source(tmp_path, "1abc.pdb").fingerprint
    assert named.fingerprint == check_source(tmp_path, (tmp_path / "1abc.pdb").as_uri()).fingerprint
    (tmp_path / "2abc.pdb").write_text(describe_protein("2ABC"))
    assert named.fingerprint != check_source(tmp_path, "pdb:2abc").fingerprint
    # Workers load it where nothing can be fetched.
    monkeypatch.setenv("FAKET_DASK_MIRROR", "/nowhere")
    [species] = named.config.specimen.species
    assert load_template(species, 0, 10.0).volume_A3 > 0


def test_entry_that_cannot_be_had_is_told_with_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKET_DASK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("FAKET_DASK_MIRROR", str(tmp_path))
    species = [{"name": "protein", "count": 1, "source": "pdb:1abc"}]
    problems = read_problems(tmp_path, specimen={"species": species})
    assert any("specimen.species.0.source: pdb:1abc: the mirror" in problem for problem in problems)


def test_files_of_states_are_part_of_the_fingerprint(tmp_path: Path) -> None:
    for name, accession in (("one", "1ABC"), ("other", "1ABC"), ("third", "3ABC")):
        (tmp_path / f"{name}.pdb").write_text(describe_protein(accession))

    def fingerprint(*sources: str) -> str:
        states = [{"name": str(number), "source": source} for number, source in enumerate(sources)]
        species = [{"name": "protein", "count": 1, "states": states}]
        return check(tmp_path, specimen={"species": species, "fiducials": None}).fingerprint

    assert fingerprint("one.pdb", "third.pdb") == fingerprint("other.pdb", "third.pdb")
    assert fingerprint("one.pdb", "third.pdb") != fingerprint("one.pdb", "one.pdb")
