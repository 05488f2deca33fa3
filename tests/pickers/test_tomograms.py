"""Labelled tomograms of data sets and of SHREC folders, and the checks of them."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import faket_dask
from faket_dask.config.training import DatasetTomograms, ObjectSampling, ShrecTomograms, TrainingSection
from faket_dask.errors import InputError, UnfinishedError
from faket_dask.formats.mrc import write_volume
from faket_dask.formats.shrec_writing import write_model
from faket_dask.geometry import TiltGeometry
from faket_dask.interchange.exporters.source import Source
from faket_dask.pickers.checks import check_grids, check_objects, check_validation, check_voxels
from faket_dask.pickers.chunk_cache import CachedArray, ChunkCache
from faket_dask.pickers.classes import agree_on_classes
from faket_dask.pickers.sources import fingerprint_tomograms, open_tomograms
from faket_dask.pickers.training_tomogram import TrainingTomogram
from tests.pickers.volumes import make_tomogram
from tests.runs import copy_without


def section_of(dataset: faket_dask.Dataset, **changes: object) -> DatasetTomograms:
    return DatasetTomograms(kind="dataset", folder=dataset.folder, modality="noiseless", **changes)


def read_whole(array: object) -> np.ndarray:
    return array[tuple(slice(0, size) for size in array.shape)]


def test_dataset_has_labels_and_centres_on_the_grid_of_its_tomograms(
    tomogram_dataset: faket_dask.Dataset,
) -> None:
    tomograms = open_tomograms([section_of(tomogram_dataset)])
    source = Source(tomogram_dataset, ("noiseless",))
    assert len(tomograms) == len(source.series) == 2
    for series, tomogram in zip(source.series, tomograms, strict=True):
        grid = source.grid(series)
        exported = source.particles(series.specimen, grid)
        mask = read_whole(tomogram.class_mask)
        np.testing.assert_array_equal(mask, read_whole(source.volume(series.specimen, "class_mask", grid)))
        np.testing.assert_allclose(tomogram.centre[:, ::-1] * 20, exported.centre_A)
        beads = tomogram.class_id == tomogram.class_ids["fiducial"]
        places = np.round(tomogram.centre[beads]).astype(int)
        assert (mask[tuple(places.T)] == tomogram.class_ids["fiducial"]).all()
        assert tomogram.voxel_size_A == 20
        assert mask.shape == tomogram.shape


def test_unknown_series_and_modality_are_named(tomogram_dataset: faket_dask.Dataset) -> None:
    with pytest.raises(InputError, match="has no series nothing; its first is"):
        open_tomograms([section_of(tomogram_dataset, series=("nothing",))])
    section = DatasetTomograms(kind="dataset", folder=tomogram_dataset.folder, modality="faket")
    with pytest.raises(InputError, match="has tomograms of noiseless, not of faket; make them with"):
        open_tomograms([section])


def test_unfinished_dataset_is_refused(tomogram_dataset: faket_dask.Dataset, tmp_path: Path) -> None:
    copy = copy_without(tomogram_dataset.folder, tmp_path, "build/specimen-001")
    section = DatasetTomograms(kind="dataset", folder=copy, modality="noiseless")
    with pytest.raises(UnfinishedError, match=r"is not complete: \d+ of \d+ units of build specimen-001"):
        fingerprint_tomograms(section)


def test_fingerprint_tells_series_apart(tomogram_dataset: faket_dask.Dataset) -> None:
    one, two = (section_of(tomogram_dataset, series=(name,)) for name in tomogram_dataset.series)
    assert fingerprint_tomograms(one) == fingerprint_tomograms(one.model_copy())
    assert fingerprint_tomograms(one) != fingerprint_tomograms(two)


@pytest.fixture
def shrec_folder(tmp_path: Path) -> tuple[Path, TrainingTomogram]:
    """A model of 64³ voxels, written as SHREC does, from a slab of 24 layers."""
    original = make_tomogram(3, (24, 64, 64))
    names = np.array(["", "4V94", "4CR2"])[original.class_id]

    class Particles:
        class_name = names
        class_id = original.class_id
        instance = np.arange(1, len(original.class_id) + 1)
        centre_A = np.round(original.centre)[:, ::-1] * 10
        rotation = np.tile(np.eye(3), (len(original.class_id), 1, 1))

    volumes = {"class_mask": original.class_mask, "reconstruction": original.tomogram}
    write_model(tmp_path / "model_0", TiltGeometry([0.0], 10.0), Particles, volumes, {})
    return tmp_path / "model_0", original


def test_shrec_centres_lie_in_the_frame_of_the_kept_layers(
    shrec_folder: tuple[Path, TrainingTomogram],
) -> None:
    folder, original = shrec_folder
    [tomogram] = open_tomograms([ShrecTomograms(kind="shrec", folders=(folder,))])
    assert tomogram.shape == tomogram.class_mask.shape == (22, 64, 64)  # layers 21 to 43 of 64
    mask, density = read_whole(tomogram.class_mask), read_whole(tomogram.tomogram)
    np.testing.assert_array_equal(mask, original.class_mask[1:23])
    np.testing.assert_array_equal(density, original.tomogram[1:23])
    np.testing.assert_allclose(tomogram.centre, np.round(original.centre) - np.array([1, 0, 0]))
    assert tomogram.class_ids == {"4V94": 1, "4CR2": 2}


def test_uncropped_shrec_keeps_the_cube(shrec_folder: tuple[Path, TrainingTomogram]) -> None:
    folder, original = shrec_folder
    [tomogram] = open_tomograms([ShrecTomograms(kind="shrec", folders=(folder,), crop=False)])
    assert tomogram.shape == (64, 64, 64)
    np.testing.assert_allclose(tomogram.centre, np.round(original.centre) + np.array([20, 0, 0]))


def test_shrec_without_a_mask_is_refused(shrec_folder: tuple[Path, TrainingTomogram]) -> None:
    folder, _ = shrec_folder
    (folder / "class_mask.mrc").unlink()
    with pytest.raises(InputError, match=r"has no class_mask\.mrc, which training needs"):
        open_tomograms([ShrecTomograms(kind="shrec", folders=(folder,))])


def test_shrec_of_another_shape_than_its_mask_is_refused(
    shrec_folder: tuple[Path, TrainingTomogram],
) -> None:
    folder, original = shrec_folder
    write_volume(folder / "reconstruction.mrc", original.tomogram, 10.0)
    with pytest.raises(
        InputError, match=r"reconstruction\.mrc has \(24, 64, 64\) voxels \(z, y, x\), its class mask"
    ):
        open_tomograms([ShrecTomograms(kind="shrec", folders=(folder,))])


def _with_nan(tomogram: TrainingTomogram) -> TrainingTomogram:
    values = tomogram.tomogram.copy()
    values[3, 4, 5] = np.nan
    return replace(tomogram, tomogram=values)


def _with_label(tomogram: TrainingTomogram) -> TrainingTomogram:
    labels = tomogram.class_mask.copy()
    labels[3, 4, 5] = 9
    return replace(tomogram, class_mask=labels)


def check_all(*tomograms: TrainingTomogram, **settings: object) -> None:
    section = TrainingSection(**{"patch": 16, "batch": 4, **settings})
    check_grids(tomograms, section.patch)
    classes = agree_on_classes(tomograms, section.background)
    check_objects(tomograms, classes, section)
    for tomogram in tomograms:
        check_voxels(tomogram, classes)


def test_sound_tomograms_pass() -> None:
    check_all(make_tomogram(0), make_tomogram(1))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: replace(t, voxel_size_A=13.3), r"cubes has voxels of 13\.3 Å, cubes has 10 Å"),
        (
            lambda t: replace(t, class_mask=t.class_mask[1:]),
            r"24 x 32 x 40 voxels \(z, y, x\) and its class mask 23",
        ),
        (lambda t: replace(t, class_ids={"dark": 1}), "label 1 is dark in tomogram cubes and bright"),
        (lambda t: replace(t, class_ids={"dark": 3}), "class dark has label 3 in tomogram cubes and 2"),
        (lambda t: replace(t, class_ids={"bright": 1, "boot": 4}), r"class boot \(label 4\) has no particle"),
        (_with_nan, r"holds NaN or infinity at voxel \(3, 4, 5\)"),
        (_with_label, r"holds 9 at voxel \(3, 4, 5\) \(z, y, x\), which is the label of no class"),
    ],
)
def test_unusable_tomograms_are_refused_before_training(
    change: Callable[[TrainingTomogram], TrainingTomogram], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        check_all(make_tomogram(0), change(make_tomogram(1)))


def test_too_few_objects_and_voxels_are_refused() -> None:
    with pytest.raises(InputError, match="there are 10 objects, fewer than the 25 patches"):
        check_all(make_tomogram(), batch=25)
    with pytest.raises(InputError, match="needs more objects than the 10"):
        check_all(make_tomogram(), steps=3)
    check_all(make_tomogram(), steps=3, sampling=ObjectSampling.CLASSES)
    with pytest.raises(InputError, match="fewer along an axis than a patch of 56"):
        check_all(make_tomogram(), patch=56)
    with pytest.raises(InputError, match="there is no tomogram"):
        check_all()


def test_classes_may_be_learnt_as_background() -> None:
    tomogram = make_tomogram()
    classes = agree_on_classes([tomogram], ["dark"])
    assert classes.names == ("background", "bright")
    assert classes.to_channels(np.array([0, 1, 2])).tolist() == [0, 1, 0]
    with pytest.raises(InputError, match="the class boot is to be background, and no tomogram has it"):
        agree_on_classes([tomogram], ["boot"])
    with pytest.raises(InputError, match="nothing to learn"):
        check_all(tomogram, background=("bright", "dark"))


def test_validation_has_the_classes_of_training() -> None:
    tomogram = make_tomogram()
    classes = agree_on_classes([tomogram])
    check_validation([tomogram], [replace(tomogram, class_ids={"dark": 2})], classes)
    for change in ({"class_ids": {"dark": 1}}, {"class_ids": {"boot": 7}}):
        with pytest.raises(InputError, match="they must have the same classes"):
            check_validation([tomogram], [replace(tomogram, **change)], classes)
    with pytest.raises(InputError, match="they must be equal"):
        check_validation([tomogram], [replace(tomogram, voxel_size_A=5.0)], classes)


def test_cache_reads_the_same_and_stays_within_its_bound(tmp_path: Path) -> None:
    import zarr

    values = np.random.default_rng(1).random((10, 12, 14)).astype(np.float32)
    array = zarr.create_array(tmp_path / "a", shape=values.shape, chunks=(4, 5, 14), dtype="float32")
    array[...] = values
    cache = ChunkCache(3 * 4 * 5 * 14 * 4)
    cached = CachedArray(array, cache)
    rng = np.random.default_rng(2)
    for _ in range(40):
        bounds = [sorted(rng.integers(0, size, 2, endpoint=True)) for size in values.shape]
        region = tuple(slice(*bound) for bound in bounds)
        np.testing.assert_array_equal(cached[region], values[region])
        assert cache.nbytes <= cache.limit_bytes
