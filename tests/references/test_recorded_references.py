"""Recorded references in any format: unaligned, with beads and dead pixels, and with mask files."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from distributed import Client

import faket_dask
from faket_dask.config import parse
from faket_dask.engine.completed import CompletedUnits
from faket_dask.engine.plan import read_plan
from faket_dask.errors import InputError
from faket_dask.formats.alignment import Alignment
from faket_dask.formats.imod import write_angles, write_transforms
from faket_dask.formats.mdoc import write_mdoc
from faket_dask.formats.mrc import write_stack
from faket_dask.formats.particle_list import ParticleList
from faket_dask.formats.relion5 import RelionOptics, RelionTomogram
from faket_dask.formats.relion5_writing import write_project
from faket_dask.formats.shrec_writing import write_model
from faket_dask.formats.tomostar import write_tomostar
from faket_dask.geometry import TiltGeometry, acquisition_order, format_tilt_angle
from faket_dask.references import recorded
from faket_dask.report.gallery import collect_panels
from tests.runs import small_document

ANGLES = np.array([-41.0, -20, 1, 20, 40])
SHAPE = (5, 120, 100)


def geometry(**changes: Any) -> TiltGeometry:
    order = acquisition_order(ANGLES, "dose_symmetric")
    return TiltGeometry(ANGLES, 10.0, exposure_e_per_A2=np.full(5, 3.0), acquisition_order=order, **changes)


def tilts() -> np.ndarray:
    return 500 + 20 * np.random.default_rng(0).standard_normal(SHAPE).astype(np.float32)


def document(folder: Path, stack: Path, **reference: Any) -> dict[str, Any]:
    return small_document(
        folder / "data",
        specimen={"count": 1},
        references=[{"name": "real", "stack": str(stack), **reference}],
        noise={"statistics": "given", "given": {"signal_scale": [0.4], "noise_scale": [0.9]}},
        outputs={"modalities": ["noisy"]},
    )


def check_recording(folder: Path, stack: Path, **reference: Any) -> Any:
    planned = faket_dask.plan(parse(document(folder, stack, **reference), folder))
    return planned.spec.inputs.recordings["real"]


def measure(client: Client, folder: Path, stack: Path, **reference: Any) -> dict[str, np.ndarray]:
    dataset = faket_dask.run(parse(document(folder, stack, **reference), folder), client)
    assert not dataset.failures, dataset.failures
    group = zarr.open_group(dataset.spec.folder.statistics("real"), mode="r")
    return {name: np.asarray(group[name][...]) for name in ("mean", "std", "low", "high", "excluded")}


def test_series_is_opened_from_any_format(tmp_path: Path) -> None:
    stack = tilts()
    (tmp_path / "imod").mkdir()
    write_stack(tmp_path / "imod/a.st", iter(stack), SHAPE, 10)
    write_angles(tmp_path / "imod/a.tlt", -ANGLES)
    (tmp_path / "serialem").mkdir()
    write_stack(tmp_path / "serialem/a.mrc", iter(stack), SHAPE, 10)
    write_mdoc(tmp_path / "serialem/a.mrc.mdoc", geometry(), "a.mrc", SHAPE[1:], 300)
    (tmp_path / "relion/stacks").mkdir(parents=True)
    write_stack(tmp_path / "relion/stacks/a.mrc", iter(stack), SHAPE, 10)
    images = ("stacks/a.mrc",) * 5
    tomogram = RelionTomogram(
        "a", geometry(), RelionOptics(300, 2.7, 0.1), images, tuple(range(5)), (9, 9, 9)
    )
    write_project(tmp_path / "relion", [tomogram], {})
    (tmp_path / "warp").mkdir()
    for number, tilt in enumerate(stack):
        write_stack(tmp_path / f"warp/{number}.mrc", [tilt], (1, *SHAPE[1:]), 10)
    write_tomostar(tmp_path / "warp/a.tomostar", geometry(), [f"{number}.mrc" for number in range(5)])
    (tmp_path / "images").mkdir()
    for number, tilt in enumerate(stack):
        write_stack(tmp_path / f"images/{number}.mrc", [tilt], (1, *SHAPE[1:]), 10)
    write_angles(tmp_path / "images/a.tlt", -ANGLES)
    none = np.empty(0, dtype=np.int64)
    nobody = ParticleList(np.array([], dtype=str), none, none, np.empty((0, 3)), np.empty((0, 3, 3)))
    volume = {"grandmodel": np.zeros((4, *SHAPE[1:]), np.float32)}
    write_model(tmp_path / "shrec", geometry(), nobody, volume, {"": (SHAPE, stack)})
    forms = ("imod", "serialem", "relion", "warp", "images", "shrec")
    recordings = {form: check_recording(tmp_path, tmp_path / form) for form in forms}
    for form, recording in recordings.items():
        assert recording.shape == SHAPE, form
        assert recording.tilt_angles == tuple(ANGLES), form
        assert recording.pixel_size_A == pytest.approx(10), form
    assert check_recording(tmp_path, tmp_path / "imod/a.st", angle_sign="warp").tilt_angles == tuple(
        -ANGLES[::-1]
    )


def test_beads_and_dead_pixels_are_excluded_from_statistics(one_worker: Client, tmp_path: Path) -> None:
    stack = tilts()
    y, x = np.indices(SHAPE[1:])
    stack[:, np.hypot(y - 30, x - 40) < 5] -= 250
    stack[:, 70, 20] = 60000
    stack[2, 90:92, 50:52] = 0
    stack[:, :, 92:] = 500  # where a program that aligned the tilts filled them up
    write_stack(tmp_path / "a.st", iter(stack), SHAPE, 10)
    statistics = measure(one_worker, tmp_path, tmp_path / "a.st", tilt_angles=ANGLES.tolist())
    np.testing.assert_allclose(statistics["mean"], 500, atol=1)
    np.testing.assert_allclose(statistics["std"], 20, rtol=0.05)
    assert (statistics["low"] > 400).all()
    assert (statistics["high"] < 600).all()
    assert (statistics["excluded"] > 0.085).all()
    assert (statistics["excluded"] < 0.18).all()
    plain = measure(one_worker, tmp_path / "b", tmp_path / "a.st", tilt_angles=ANGLES.tolist(), mask="none")
    assert plain["high"].max() == 60000
    assert not plain["excluded"].any()


def make_bad_corner() -> tuple[np.ndarray, np.ndarray]:
    """Return tilts with a corner of other noise, which no search for artefacts finds, and the mask of that corner."""
    marked = np.zeros(SHAPE, bool)
    marked[:, :50, :40] = True
    marked[3] = False
    marked[3, 80:] = True
    return np.where(marked, 500 + 40 * np.cos(np.indices(SHAPE)[2] / 9), tilts()).astype(np.float32), marked


def test_mask_file_replaces_the_search_for_artefacts(one_worker: Client, tmp_path: Path) -> None:
    """Sections of the mask belong to sections of the stack, whose order is not that of the angles."""
    stack, marked = make_bad_corner()
    stack[:, 100, 60:64] = 900
    shuffled = [1.0, 20.0, -20.0, -41.0, 40.0]
    write_stack(tmp_path / "a.st", iter(stack), SHAPE, 10)
    write_stack(tmp_path / "mask.mrc", iter((7 * marked).astype(np.int8)), SHAPE, 1)
    mask = {"tilt_angles": shuffled, "mask": "mask.mrc"}
    statistics = measure(one_worker, tmp_path, tmp_path / "a.st", **mask)
    for place, section in enumerate(np.argsort(shuffled)):
        valid = stack[section][~marked[section]]
        assert statistics["mean"][place] == pytest.approx(valid.mean(), rel=1e-6)
        assert statistics["std"][place] == pytest.approx(valid.std(), rel=1e-5)
        assert statistics["high"][place] == (900 if section != 3 else valid.max())
        assert statistics["excluded"][place] == pytest.approx(marked[section].mean())


def test_fingerprint_depends_on_the_contents_of_the_mask_and_not_on_its_name(tmp_path: Path) -> None:
    write_stack(tmp_path / "a.st", iter(tilts()), SHAPE, 10)
    marked = make_bad_corner()[1]
    for name, change in (("mask", 0), ("same", 0), ("other", 1)):
        marked[0, 60, 60] = change
        write_stack(tmp_path / f"{name}.mrc", iter(marked.astype(np.int8)), SHAPE, 1)

    def fingerprint(mask: str) -> str:
        made = document(tmp_path, tmp_path / "a.st", tilt_angles=ANGLES.tolist(), mask=mask)
        return faket_dask.plan(parse(made, tmp_path)).spec.fingerprint

    assert fingerprint("mask.mrc") == fingerprint("same.mrc")
    different = {fingerprint(mask) for mask in ("mask.mrc", "other.mrc", "artefacts", "none")}
    assert len(different) == 4


@pytest.mark.parametrize("style", [{"preset": "matched"}, {"preset": "recorded", "iterations": 1}])
@pytest.mark.parametrize("pixel_size_A", [10.0, 8.0])
def test_excluded_pixels_change_no_statistic(
    one_worker: Client, tmp_path: Path, style: dict[str, Any], pixel_size_A: float
) -> None:
    """Moments, spectra, Gram matrices and scaling do not depend on pixels under a mask file."""
    stack, marked = make_bad_corner()
    write_stack(tmp_path / "mask.mrc", iter(marked.astype(np.int8)), SHAPE, 1)
    stores = []
    for name in ("one", "two"):
        write_stack(tmp_path / f"{name}.st", iter(stack), SHAPE, pixel_size_A)
        stack = np.where(marked, np.clip(900 - stack, 440, 560), stack).astype(np.float32)
        made = document(
            tmp_path / name,
            tmp_path / f"{name}.st",
            tilt_angles=ANGLES.tolist(),
            mask=str(tmp_path / "mask.mrc"),
            resample=True,
        )
        made["noise"] = {"statistics": "unpaired"}
        made["style"] = {"weights": "random", "random_seed": 5, "style_layers": {1: 1, 6: 1}, **style}
        made["outputs"] = {"modalities": ["faket"], "report": False}
        dataset = faket_dask.run(parse(made, tmp_path), one_worker)
        assert not dataset.failures, dataset.failures
        group = zarr.open_group(dataset.spec.folder.statistics("real"), mode="r")
        stores.append({key: np.asarray(values[...]) for key, values in group.arrays()})
    assert {"power", "directions", "gram_1", "low"} <= stores[0].keys()
    for key, values in stores[0].items():
        if pixel_size_A == 10:
            assert values.tobytes() == stores[1][key].tobytes(), key
        elif key not in ("power", "directions"):  # resampled pixels hold parts of their neighbours
            np.testing.assert_allclose(stores[1][key], values, rtol=0.02, atol=0.1 * np.abs(values).max())


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        ("mask.mrc", "of its pixels excluded by the mask mask.mrc"),
        ("artefacts", "of its pixels excluded as artefacts and edges"),
    ],
)
def test_report_states_and_shows_the_excluded_pixels(
    one_worker: Client, tmp_path: Path, mask: str, message: str
) -> None:
    stack, marked = make_bad_corner()
    stack[:, 60:64, 60:64] = 300
    write_stack(tmp_path / "a.st", iter(stack), SHAPE, 10)
    write_stack(tmp_path / "mask.mrc", iter(marked.astype(np.int8)), SHAPE, 1)
    made = document(tmp_path, tmp_path / "a.st", tilt_angles=ANGLES.tolist(), mask=mask)
    made["outputs"]["report"] = True
    dataset = faket_dask.run(parse(made, tmp_path), one_worker)
    assert not dataset.failures, dataset.failures
    assert message in dataset.spec.folder.report.read_text()
    [series] = dataset.spec.series
    panels = collect_panels(CompletedUnits.read(read_plan(dataset.folder)), series, 2)
    [panel] = [panel for panel in panels if panel.is_reference]
    assert panel.valid_mask is not None
    assert panel.valid_mask[62, 62] == (mask != "artefacts")
    assert panel.valid_mask[10, 10] == (mask != "mask.mrc")


def test_mask_file_is_aligned_with_its_tilts(one_worker: Client, tmp_path: Path) -> None:
    stack, marked = make_bad_corner()
    stack[marked] = 1000
    write_stack(tmp_path / "a.st", iter(stack), SHAPE, 10)
    write_angles(tmp_path / "a.tlt", -ANGLES)
    write_stack(tmp_path / "mask.mrc", iter(marked.astype(np.float32)), SHAPE, 1)
    transforms = np.zeros((5, 2, 3)) + np.eye(2, 3)
    transforms[:, 0, 2] = [-10, -5, 0, 5, 10]
    write_transforms(tmp_path / "a.xf", transforms)
    statistics = measure(one_worker, tmp_path, tmp_path / "a.st", align=True, mask="mask.mrc")
    np.testing.assert_allclose(statistics["mean"], 500, atol=2)
    assert (statistics["high"] < 700).all()


@pytest.mark.parametrize(
    ("shape", "marked", "message"),
    [
        (
            (5, 120, 90),
            0,
            r"mask: .*mask\.mrc has the shape \(5, 120, 90\), the tilts that it masks \(5, 120, 100\)",
        ),
        ((4, 120, 100), 0, r"the tilts that it masks \(5, 120, 100\); they must agree"),
        (
            SHAPE,
            1,
            r"edges cover 100% of view 1 of .*a\.st \(counted from 1\), tilt angle -41°; mark less of it",
        ),
        (None, 0, r"mask\.mrc cannot be read"),
    ],
)
def test_unusable_mask_file_is_refused(
    tmp_path: Path, shape: tuple[int, int, int] | None, marked: int, message: str
) -> None:
    write_stack(tmp_path / "a.st", iter(tilts()), SHAPE, 10)
    if shape is not None:
        write_stack(tmp_path / "mask.mrc", iter(np.full(shape, marked, np.int8)), shape, 1)
    with pytest.raises(InputError, match=message):
        check_recording(tmp_path, tmp_path / "a.st", tilt_angles=ANGLES.tolist(), mask="mask.mrc")


def test_mask_of_single_images_follows_the_order_of_their_angles(one_worker: Client, tmp_path: Path) -> None:
    stack, marked = make_bad_corner()
    for number, tilt in enumerate(stack):
        write_stack(tmp_path / f"{number}.mrc", [tilt], (1, *SHAPE[1:]), 10)
    write_tomostar(tmp_path / "a.tomostar", geometry(), [f"{number}.mrc" for number in range(5)])
    write_stack(tmp_path / "marks.st", iter(marked.astype(np.int8)), SHAPE, 1)
    statistics = measure(one_worker, tmp_path, tmp_path / "a.tomostar", mask="marks.st")
    np.testing.assert_allclose(statistics["excluded"], marked.mean((1, 2)))


def test_unaligned_series_is_aligned_before_its_statistics_are_measured(
    one_worker: Client, tmp_path: Path
) -> None:
    write_stack(tmp_path / "a.st", iter(tilts()), SHAPE, 10)
    write_angles(tmp_path / "a.tlt", -ANGLES)
    transforms = np.zeros((5, 2, 3)) + np.eye(2, 3)
    transforms[:, 0, 2] = [-30, -15, 0, 15, 30]
    write_transforms(tmp_path / "shifts.xf", transforms[::-1])
    path = tmp_path / "a.st"
    with pytest.raises(InputError, match=r"no \.xf file beside it"):
        check_recording(tmp_path, path, align=True)
    aligned = check_recording(tmp_path, path, align=str(tmp_path / "shifts.xf"))
    assert aligned.checksum != check_recording(tmp_path, path).checksum
    statistics = measure(one_worker, tmp_path, path, align=str(tmp_path / "shifts.xf"))
    np.testing.assert_allclose(statistics["mean"], 500, atol=1)
    np.testing.assert_allclose(
        statistics["std"], 17, rtol=0.1
    )  # moved by half a pixel, noise becomes smoother
    assert statistics["excluded"][0] > 0.25 > statistics["excluded"][2]


def test_noiseless_counterparts_follow_the_order_of_the_angles(one_worker: Client, tmp_path: Path) -> None:
    """Both stacks are in the order of acquisition, and remain paired."""
    clean = np.random.default_rng(1).standard_normal(SHAPE).astype(np.float32)
    noisy = clean + 0.5 * np.random.default_rng(2).standard_normal(SHAPE).astype(np.float32)
    write_stack(tmp_path / "noisy.st", iter(noisy), SHAPE, 10)
    write_stack(tmp_path / "clean.st", iter(clean), SHAPE, 10)
    shuffled = [1.0, 20.0, -20.0, -41.0, 40.0]
    made = document(tmp_path, tmp_path / "noisy.st", tilt_angles=shuffled, clean=str(tmp_path / "clean.st"))
    made["noise"] = {"statistics": "paired"}
    dataset = faket_dask.run(parse(made, tmp_path), one_worker)
    assert not dataset.failures
    group = zarr.open_group(dataset.spec.folder.statistics("real"), mode="r")
    assert np.asarray(group["tilt_angle"][...]).tolist() == ANGLES.tolist()
    np.testing.assert_allclose(group["signal_scale"][...], 1 / np.sqrt(1.25), atol=0.02)


def test_measuring_aligns_and_masks_each_tilt_once(
    one_worker: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[object] = []
    resample, find = Alignment.resample, recorded.artefact_mask

    def count_resampling(self: Alignment, image: np.ndarray, tilt: int, order: int) -> np.ndarray:
        calls.append(order)
        return resample(self, image, tilt, order)

    def count_masks(image: np.ndarray) -> np.ndarray:
        calls.append("mask")
        return find(image)

    monkeypatch.setattr(Alignment, "resample", count_resampling)
    monkeypatch.setattr(recorded, "artefact_mask", count_masks)
    write_stack(tmp_path / "a.st", iter(tilts()), SHAPE, 10)
    write_angles(tmp_path / "a.tlt", -ANGLES)
    transforms = np.zeros((5, 2, 3)) + np.eye(2, 3)
    transforms[:, 0, 2] = [-10, -5, 0, 5, 10]
    write_transforms(tmp_path / "a.xf", transforms)
    measure(one_worker, tmp_path, tmp_path / "a.st", align=True, resample=True, pixel_size_A=9.0)
    image, edge = 5, 1  # orders of the splines
    assert Counter(calls) == {image: 5, edge: 5, "mask": 5}


def test_excluded_tilts_are_of_no_reference(one_worker: Client, tmp_path: Path) -> None:
    """Stack, mask and noiseless counterpart have all tilts, in the order of acquisition."""
    clean = np.random.default_rng(1).standard_normal(SHAPE).astype(np.float32)
    noisy = clean + 0.5 * np.random.default_rng(2).standard_normal(SHAPE).astype(np.float32)
    noisy[1] = clean[1] = 0  # view 2, of 20°
    marked = np.zeros(SHAPE, np.int8)
    for section in range(5):
        marked[section, : 10 * section] = 1
    for name, stack in (("noisy.st", noisy), ("clean.st", clean), ("mask.st", marked)):
        write_stack(tmp_path / name, iter(stack), SHAPE, 10)
    files = {
        "tilt_angles": [1.0, 20.0, -20.0, -41.0, 40.0],
        "clean": str(tmp_path / "clean.st"),
        "mask": str(tmp_path / "mask.st"),
    }
    with pytest.raises(InputError, match=r"all pixels are equal in view 2 \(counted from 1\); leave out"):
        check_recording(tmp_path, tmp_path / "noisy.st", **files)
    made = document(tmp_path, tmp_path / "noisy.st", exclude=[2], exclude_angles=[-41], **files)
    made["noise"] = {"statistics": "paired"}
    made["outputs"]["report"] = True
    dataset = faket_dask.run(parse(made, tmp_path), one_worker)
    assert not dataset.failures, dataset.failures
    group = zarr.open_group(dataset.spec.folder.statistics("real"), mode="r")
    assert np.asarray(group["tilt_angle"][...]).tolist() == [-20, 1, 40]
    np.testing.assert_allclose(group["signal_scale"][...], 1 / np.sqrt(1.25), atol=0.02)
    np.testing.assert_allclose(group["excluded"][...], [20 / 120, 0, 40 / 120])
    text = dataset.spec.folder.report.read_text()
    assert f"3 tilts from {format_tilt_angle(-20)} to {format_tilt_angle(40)}" in text
    assert f"without views 2 and angles {format_tilt_angle(-41)}" in text


def test_fingerprint_depends_on_the_tilts_that_are_left(tmp_path: Path) -> None:
    write_stack(tmp_path / "a.st", iter(tilts()), SHAPE, 10)

    def fingerprint(**reference: Any) -> str:
        made = document(tmp_path, tmp_path / "a.st", **reference)
        return faket_dask.plan(parse(made, tmp_path)).spec.fingerprint

    twice = [-41.0, -20, 1, 1, 40]
    kept = fingerprint(tilt_angles=twice, exclude=[3])
    assert kept == fingerprint(tilt_angles=twice, exclude=["3-3"])
    assert kept != fingerprint(tilt_angles=twice, exclude=[4])
    assert kept != fingerprint(tilt_angles=twice, exclude=[3, 5])


def test_tilt_without_valid_pixels_is_refused(one_worker: Client, tmp_path: Path) -> None:
    write_stack(tmp_path / "a.st", iter(tilts()), SHAPE, 10)
    write_angles(tmp_path / "a.tlt", -ANGLES)
    transforms = np.zeros((5, 2, 3)) + np.eye(2, 3)
    transforms[2, 0, 2] = 95
    write_transforms(tmp_path / "a.xf", transforms)
    dataset = faket_dask.run(parse(document(tmp_path, tmp_path / "a.st", align=True), tmp_path), one_worker)
    assert "artefacts and edges cover" in dataset.failures[0].cause
