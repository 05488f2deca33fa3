"""References as microscopes leave them: in any form, unaligned, with beads and dead pixels."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from distributed import Client

import faket_dask
from faket_dask.config import parse
from faket_dask.errors import InputError
from faket_dask.formats.imod import write_angles, write_transforms
from faket_dask.formats.mdoc import write_mdoc
from faket_dask.formats.mrc import write_stack
from faket_dask.formats.relion5 import Optics, RelionTomogram
from faket_dask.formats.relion5_writing import write_project
from faket_dask.formats.tomostar import write_tomostar
from faket_dask.geometry import TiltGeometry, acquisition_order
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


def recording(folder: Path, stack: Path, **reference: Any) -> Any:
    planned = faket_dask.plan(parse(document(folder, stack, **reference), folder))
    return planned.blueprint.inputs.recordings["real"]


def measured(client: Client, folder: Path, stack: Path, **reference: Any) -> dict[str, np.ndarray]:
    dataset = faket_dask.run(parse(document(folder, stack, **reference), folder), client)
    assert not dataset.failures, dataset.failures
    group = zarr.open_group(dataset.blueprint.layout.reference("real"), mode="r")
    return {name: np.asarray(group[name][...]) for name in ("mean", "std", "low", "high", "masked")}


def test_a_series_may_be_given_in_any_form(tmp_path: Path) -> None:
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
    tomogram = RelionTomogram("a", geometry(), Optics(300, 2.7, 0.1), images, tuple(range(5)), (9, 9, 9))
    write_project(tmp_path / "relion", [tomogram], {})
    (tmp_path / "warp").mkdir()
    for number, tilt in enumerate(stack):
        write_stack(tmp_path / f"warp/{number}.mrc", [tilt], (1, *SHAPE[1:]), 10)
    write_tomostar(tmp_path / "warp/a.tomostar", geometry(), [f"{number}.mrc" for number in range(5)])
    found = {form: recording(tmp_path, tmp_path / form) for form in ("imod", "serialem", "relion", "warp")}
    for form, one in found.items():
        assert one.shape == SHAPE, form
        assert one.tilt_angles == tuple(ANGLES), form
        assert one.pixel_size_A == pytest.approx(10), form
    assert recording(tmp_path, tmp_path / "imod/a.st", angle_sign="warp").tilt_angles == tuple(-ANGLES[::-1])


def test_beads_and_dead_pixels_are_left_out_of_the_statistics(one_worker: Client, tmp_path: Path) -> None:
    stack = tilts()
    y, x = np.indices(SHAPE[1:])
    stack[:, np.hypot(y - 30, x - 40) < 5] -= 250
    stack[:, 70, 20] = 60000
    stack[2, 90:92, 50:52] = 0
    write_stack(tmp_path / "a.st", iter(stack), SHAPE, 10)
    found = measured(one_worker, tmp_path, tmp_path / "a.st", tilt_angles=ANGLES.tolist())
    np.testing.assert_allclose(found["mean"], 500, atol=1)
    np.testing.assert_allclose(found["std"], 20, rtol=0.05)
    assert (found["low"] > 400).all()
    assert (found["high"] < 600).all()
    assert (found["masked"] > 0.005).all()
    assert (found["masked"] < 0.1).all()
    plain = measured(one_worker, tmp_path / "b", tmp_path / "a.st", tilt_angles=ANGLES.tolist(), mask="none")
    assert plain["high"].max() == 60000
    assert not plain["masked"].any()


def test_an_unaligned_series_is_aligned_before_its_statistics_are_taken(
    one_worker: Client, tmp_path: Path
) -> None:
    write_stack(tmp_path / "a.st", iter(tilts()), SHAPE, 10)
    write_angles(tmp_path / "a.tlt", -ANGLES)
    transforms = np.zeros((5, 2, 3)) + np.eye(2, 3)
    transforms[:, 0, 2] = [-30, -15, 0, 15, 30]
    write_transforms(tmp_path / "shifts.xf", transforms[::-1])
    path = tmp_path / "a.st"
    with pytest.raises(InputError, match=r"no \.xf file beside it"):
        recording(tmp_path, path, align=True)
    aligned = recording(tmp_path, path, align=str(tmp_path / "shifts.xf"))
    assert aligned.checksum != recording(tmp_path, path).checksum
    found = measured(one_worker, tmp_path, path, align=str(tmp_path / "shifts.xf"))
    np.testing.assert_allclose(found["mean"], 500, atol=1)
    np.testing.assert_allclose(found["std"], 17, rtol=0.1)  # moved by half a pixel, noise becomes smoother
    assert found["masked"][0] > 0.25 > found["masked"][2]


def test_counterparts_follow_the_order_of_the_angles(one_worker: Client, tmp_path: Path) -> None:
    """Both stacks are in the order of acquisition; pairs must stay pairs."""
    clean = np.random.default_rng(1).standard_normal(SHAPE).astype(np.float32)
    noisy = clean + 0.5 * np.random.default_rng(2).standard_normal(SHAPE).astype(np.float32)
    write_stack(tmp_path / "noisy.st", iter(noisy), SHAPE, 10)
    write_stack(tmp_path / "clean.st", iter(clean), SHAPE, 10)
    shuffled = [1.0, 20.0, -20.0, -41.0, 40.0]
    made = document(tmp_path, tmp_path / "noisy.st", tilt_angles=shuffled, clean=str(tmp_path / "clean.st"))
    made["noise"] = {"statistics": "paired"}
    dataset = faket_dask.run(parse(made, tmp_path), one_worker)
    assert not dataset.failures
    group = zarr.open_group(dataset.blueprint.layout.reference("real"), mode="r")
    assert np.asarray(group["tilt_angle"][...]).tolist() == ANGLES.tolist()
    np.testing.assert_allclose(group["signal_scale"][...], 1 / np.sqrt(1.25), atol=0.02)


def test_a_tilt_of_nothing_but_artefacts_is_refused(one_worker: Client, tmp_path: Path) -> None:
    write_stack(tmp_path / "a.st", iter(tilts()), SHAPE, 10)
    write_angles(tmp_path / "a.tlt", -ANGLES)
    transforms = np.zeros((5, 2, 3)) + np.eye(2, 3)
    transforms[2, 0, 2] = 95
    write_transforms(tmp_path / "a.xf", transforms)
    dataset = faket_dask.run(parse(document(tmp_path, tmp_path / "a.st", align=True), tmp_path), one_worker)
    assert "artefacts and edges cover" in dataset.failures[0].cause
