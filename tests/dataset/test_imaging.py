"""True conditions of simulated images."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faket_dask.config import parse
from faket_dask.dataset.acquisition import draw_acquisition
from faket_dask.dataset.imaging import ImagingConditions, draw_faults, draw_imaging_conditions
from tests.runs import small_document

ALL = {
    "defocus_um": 0.1,
    "astigmatism_um": 0.05,
    "tilt_angle_deg": 0.4,
    "shift_A": 8.0,
    "drift_A": 3.0,
    "motion_A": 2.0,
}
MANY = {"tilt_angles": {"start_deg": -60, "stop_deg": 60, "step_deg": 0.5}}


def draw(seed: int = 11, name: str = "specimen-000", **microscope: Any) -> ImagingConditions:
    document = small_document(
        Path("/nowhere"), dataset={"seed": seed}, acquisition=MANY, microscope=microscope
    )
    config = parse(document, Path.cwd())
    return draw_imaging_conditions(config, name, draw_acquisition(config, name))


def column(conditions: ImagingConditions) -> np.ndarray:
    """Return everything that is drawn, ``(tilt, quantity)``."""
    lens = [(d.mean_um, d.astigmatism_um, d.astigmatism_angle) for d in conditions.defocus]
    return np.column_stack((conditions.tilt_angles, lens, conditions.shift_A, conditions.drift_A))


def test_without_errors_images_are_as_the_run_file_says():
    conditions = draw(defocus_um=2.5, astigmatism_um=-0.3, astigmatism_angle_deg=100)
    np.testing.assert_array_equal(conditions.tilt_angles, np.arange(-60, 60.5, 0.5))
    assert {(d.mean_um, d.astigmatism_um, d.astigmatism_angle) for d in conditions.defocus} == {
        (2.5, -0.3, 100.0)
    }
    assert not conditions.shift_A.any()
    assert not conditions.displacement(0).blurs


def test_errors_have_the_deviations_of_the_run_file():
    conditions = draw(defocus_um=3.0, errors=ALL)
    deviations = {
        "defocus_um": np.std([defocus.mean_um for defocus in conditions.defocus]),
        "tilt_angle_deg": np.std(conditions.tilt_angles - np.arange(-60, 60.5, 0.5)),
        "shift_A": np.std(conditions.shift_A),
        "drift_A": np.std(conditions.drift_A),
        # Root mean square of a vector of two parts, each with the deviation given.
        "astigmatism_um": np.sqrt(np.mean([d.astigmatism_um**2 for d in conditions.defocus]) / 2),
    }
    for name, deviation in deviations.items():
        assert deviation == pytest.approx(ALL[name], rel=0.15), name


def test_each_error_has_random_numbers_of_its_own():
    everything = column(draw(errors=ALL))
    for names, places in (
        (("shift_A",), (4, 5)),
        (("tilt_angle_deg",), (0,)),
        (("defocus_um", "drift_A"), (1, 6, 7)),
    ):
        some = column(draw(errors={name: ALL[name] for name in names}))
        np.testing.assert_array_equal(some[:, places], everything[:, places])


def test_draw_depends_on_seed_and_specimen_alone():
    np.testing.assert_array_equal(column(draw(errors=ALL)), column(draw(errors=ALL)))
    assert (column(draw(errors=ALL)) != column(draw(seed=12, errors=ALL))).any()
    assert (column(draw(errors=ALL)) != column(draw(name="specimen-001", errors=ALL))).any()


def test_exposure_before_each_tilt_follows_from_the_order():
    conditions = draw(dose_e_per_A2=3.0, tilt_order="increasing")
    np.testing.assert_allclose(conditions.exposure_before_e_per_A2, 3.0 * np.arange(241))
    assert conditions.exposure(2).before_e_per_A2 == 6.0


def test_sensor_has_faults_only_where_they_are_asked_for():
    def faults(**errors: float) -> Any:
        document = small_document(Path("/nowhere"), microscope={"errors": errors})
        return draw_faults(parse(document, Path.cwd()), "specimen-000")

    assert faults() is None
    assert faults(hot_pixels=0.01).hot.sum() == round(0.01 * 96 * 80)
    np.testing.assert_array_equal(faults(gain=0.1).gain, faults(gain=0.1, hot_pixels=0.01).gain)
