"""Acquisitions drawn for each specimen within the ranges of the run file."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from distributed import Client
from hypothesis import given
from hypothesis import strategies as st

import faket_dask
from faket_dask.config import RunConfig, parse
from faket_dask.dataset.acquisition import draw_acquisition
from faket_dask.engine.arrays import open_array
from faket_dask.errors import InputError
from faket_dask.formats.openers import open_tilt_series
from faket_dask.interchange.export import export
from faket_dask.kernels.projection import project
from tests.runs import small_document

ANGLES = {"start_deg": [-45, -35], "stop_deg": [35, 45], "step_deg": [10, 15, 20]}
MICROSCOPE = {"defocus_um": [2, 5], "dose_e_per_A2": [1, 3]}


def parse_config(folder: Path = Path("nowhere"), **acquisition: Any) -> RunConfig:
    drawn = {"tilt_angles": ANGLES, "pixel_size_A": [9.95, 10.05]} | acquisition
    return parse(small_document(folder, acquisition=drawn, microscope=MICROSCOPE), Path.cwd())


@given(st.text(min_size=1, max_size=8))
def test_drawn_parameters_lie_within_their_ranges(specimen: str) -> None:
    drawn = draw_acquisition(parse_config(), specimen)
    steps = np.diff(drawn.tilt_angles)
    step = float(steps[0])
    assert step in ANGLES["step_deg"]
    np.testing.assert_allclose(steps, step)
    assert 0.0 in drawn.tilt_angles
    assert -45 <= drawn.tilt_angles[0] < -35 + step
    assert 35 - step < drawn.tilt_angles[-1] <= 45
    assert 9.95 <= drawn.pixel_size_A <= 10.05
    assert 2 <= drawn.defocus_um <= 5
    assert 1 <= drawn.dose_e_per_A2 <= 3


def test_specimens_differ_only_where_ranges_are_given() -> None:
    names = [f"specimen-{number}" for number in range(20)]
    fixed = parse_config(pixel_size_A=10, tilt_angles=[-10, 0, 10])
    assert len({draw_acquisition(parse_config(), name).pixel_size_A for name in names}) == len(names)
    assert {draw_acquisition(fixed, name).pixel_size_A for name in names} == {10.0}
    assert {draw_acquisition(fixed, name).tilt_angles.tobytes() for name in names} == {
        np.array([-10.0, 0.0, 10.0]).tobytes()
    }


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pixel_size_A": [9, 10]}, "too wide"),
        ({"pixel_size_A": [10.1, 10]}, "smallest, largest"),
        ({"tilt_angles": {"start_deg": [-10, 5], "stop_deg": 10, "step_deg": 3}}, "as short as 5°"),
        ({"tilt_angles": {"start_deg": [-10, -5], "stop_deg": 10, "step_deg": []}}, "empty"),
        ({"tilt_angles": {"start_deg": [-10, 95], "stop_deg": 10, "step_deg": 1}}, "90"),
    ],
)
def test_impossible_ranges_are_explained(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_config(**changes)


def test_series_with_differing_acquisitions_are_complete(one_worker: Client, tmp_path: Path) -> None:
    dataset = faket_dask.run(parse_config(tmp_path / "data"), one_worker)
    assert not dataset.failures
    spec = dataset.spec
    with open(spec.folder.manifest) as stream:
        rows = {row["series"]: row for row in csv.DictReader(stream)}
    angle_sets = set()
    for name in dataset.series:
        drawn = spec.geometry.acquisition(name)
        series = dataset.open(name)
        angle_sets.add(drawn.tilt_angles.tobytes())
        np.testing.assert_array_equal(series["tilt_angle"], drawn.tilt_angles)
        assert series.attrs["pixel_size_A"] == drawn.pixel_size_A
        np.testing.assert_allclose(np.diff(series["x"]), drawn.pixel_size_A)
        np.testing.assert_allclose(np.diff(series["exposure"].sortby("exposure")), drawn.dose_e_per_A2)
        volume = spec.folder.volume(series.attrs["specimen"])
        density = open_array(volume, "density", "r")[...]
        width = series.sizes["x"]
        np.testing.assert_allclose(series["noiseless"], project(density, drawn.tilt_angles, width), rtol=1e-5)
        assert rows[name]["tilts"] == str(drawn.tilt_angles.size)
        assert float(rows[name]["pixel_size_A"]) == drawn.pixel_size_A
    assert len(angle_sets) > 1
    written = export(dataset, ["mrc", "relion5"], tmp_path / "export", ["faket"])
    stacks = {path.name: path for path in written if path.parent.name != "stacks"}
    for name in dataset.series:
        geometry = open_tilt_series(stacks[f"{name}_faket.mrc"]).geometry
        np.testing.assert_allclose(
            geometry.tilt_angles, spec.geometry.acquisition(name).tilt_angles, atol=1e-2
        )
