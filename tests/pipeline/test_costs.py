"""Estimated times follow the sizes, numbers and settings of a run, and are unknown where nobody can know them."""

import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import faket_dask
from faket_dask.cluster.requirements import StageRequirement
from faket_dask.config import parse
from faket_dask.formats.imod import write_angles, write_transforms
from faket_dask.formats.mrc import write_stack
from faket_dask.pipeline import kernel_rates
from faket_dask.pipeline.kernel_rates import KernelRates
from tests.runs import small_document

RATES = KernelRates(**{field.name: 1e-7 for field in fields(KernelRates)})


@pytest.fixture(autouse=True)
def _rates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rates of a machine on which everything takes a tenth of a microsecond."""
    monkeypatch.setenv("FAKET_DASK_CACHE", str(tmp_path / "cache"))
    for threads in (1, 2):
        path = kernel_rates._rates_path(threads)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(RATES)))


def estimate(folder: Path, **changes: Any) -> dict[str, StageRequirement]:
    planned = faket_dask.plan(parse(small_document(folder / "data", **changes), folder))
    return {stage.stage: stage for stage in planned.requirements().stages}


def count(particles: int) -> dict[str, Any]:
    return {"species": [{"name": "boot", "count": particles}], "fiducials": None}


def test_time_of_a_specimen_follows_the_number_of_its_particles(tmp_path: Path) -> None:
    few, many, most = (estimate(tmp_path, specimen=count(number)) for number in (2, 8, 14))
    more_s = many["place"].work_s - few["place"].work_s
    assert more_s > 4 * 6 * RATES.place_s_per_object
    assert most["place"].work_s - many["place"].work_s == pytest.approx(more_s)
    assert many["build"].work_s > few["build"].work_s
    assert few["place"].start_s > RATES.specimen_start_s, "the template's own time is part of the start"


def test_time_of_a_crowded_specimen_is_unknown(tmp_path: Path) -> None:
    stages = estimate(tmp_path, specimen=count(3000))
    assert stages["place"].seconds is None
    assert stages["build"].seconds is not None


def test_time_of_membranes_follows_their_number_and_the_fineness_of_their_surfaces(tmp_path: Path) -> None:
    one, three, tight = (
        estimate(tmp_path, specimen={"membranes": [{"radius_A": 150, **group}]})["build"].work_s
        for group in ({"count": 1, "deformation": 0}, {"count": 3, "deformation": 0}, {"count": 1})
    )
    assert one < min(three, tight)


@pytest.mark.parametrize("projector", ["pixel", "bilinear"])
def test_time_of_a_projection_follows_the_number_of_tilts(tmp_path: Path, projector: str) -> None:
    few, many = (
        estimate(
            tmp_path,
            acquisition={
                "projector": projector,
                "tilt_angles": {"start_deg": -40, "stop_deg": 40, "step_deg": step},
            },
        )["project"].work_s
        for step in (40, 2)
    )
    assert many > 2 * few


def test_time_of_gpu_stages_is_unknown(tmp_path: Path) -> None:
    stages = estimate(tmp_path, style={"device": "cuda"})
    unknown = {name for name, stage in stages.items() if stage.seconds is None}
    assert unknown == {"reference_gram", "synthesise"}


def test_time_of_a_reference_follows_what_is_done_to_its_tilts(tmp_path: Path) -> None:
    tilts, shape = 5, (5, 120, 100)
    pixels = shape[1] * shape[2]
    rng = np.random.default_rng(0)
    write_stack(tmp_path / "a.st", iter(rng.standard_normal(shape).astype(np.float32)), shape, 10)
    write_angles(tmp_path / "a.tlt", np.linspace(-40, 40, tilts))
    transforms = np.zeros((tilts, 2, 3)) + np.eye(2, 3)
    transforms[:, 0, 2] = 3
    write_transforms(tmp_path / "a.xf", transforms)

    def seconds(**reference: Any) -> float:
        stages = estimate(
            tmp_path,
            references=[{"name": "real", "stack": str(tmp_path / "a.st"), **reference}],
            noise={"statistics": "given", "given": {"signal_scale": [0.4], "noise_scale": [0.9]}},
            outputs={"modalities": ["noisy"]},
        )
        return stages["reference_statistics"].work_s

    plain, aligned, unmasked = seconds(), seconds(align=True), seconds(mask="none")
    assert aligned - plain > tilts * pixels * RATES.align_s_per_pixel
    assert plain - unmasked > 0
    assert seconds(align=True, resample=True, pixel_size_A=20.0) > aligned


def test_simulated_and_recorded_references_are_averaged(tmp_path: Path) -> None:
    shape = (5, 240, 200)
    rng = np.random.default_rng(0)
    write_stack(tmp_path / "a.st", iter(rng.standard_normal(shape).astype(np.float32)), shape, 10)
    recorded = {"name": "real", "stack": str(tmp_path / "a.st"), "tilt_angles": [-40, -20, 0, 20, 40]}
    noise = {"statistics": "given", "given": {"signal_scale": [0.4], "noise_scale": [0.9]}}

    def mean(*references: dict[str, Any]) -> StageRequirement:
        return estimate(tmp_path, references=list(references), noise=noise)["reference_statistics"]

    simulated = {"kind": "simulated", "name": "a"}
    both, real, made = mean(recorded, simulated), mean(recorded), mean(simulated)
    assert made.seconds_per_task < both.seconds_per_task < real.seconds_per_task
    assert both.work_s == pytest.approx(real.work_s + made.work_s)
    assert both.longest_s == pytest.approx(real.longest_s)


def test_starts_are_counted_once(tmp_path: Path) -> None:
    stages = estimate(tmp_path, outputs={"modalities": ["faket"], "report": True})
    starts = {name: stage.start_s for name, stage in stages.items() if stage.start_s}
    assert set(starts) == {"place", "reference_gram"}, (
        "the network is loaded once, by the first stage that needs it"
    )


def test_time_of_filtering_follows_the_corrections(tmp_path: Path) -> None:
    kept = {"outputs": {"modalities": ["benchmark"]}}
    steep = {"tilt_angles": {"start_deg": -60, "stop_deg": 60, "step_deg": 20}, "detector_px": [64, 2048]}

    def seconds(acquisition: dict[str, Any], **settings: Any) -> float:
        section = {"modalities": ["benchmark"], **settings}
        return estimate(tmp_path, acquisition=acquisition, reconstruction=section, **kept)["filter"].work_s

    plain = seconds(steep)
    level = seconds({**steep, "tilt_angles": {"start_deg": -0.3, "stop_deg": 0.3, "step_deg": 0.1}})
    assert plain == pytest.approx(level)
    weighted = seconds(steep, dose_weighting=True) - plain
    assert weighted == pytest.approx(7 * 64 * 2048 * RATES.weigh_s_per_pixel * 2)
    flipped = seconds(steep, ctf="phase_flip") - plain
    near = seconds(
        {**steep, "tilt_angles": {"start_deg": -0.3, "stop_deg": 0.3, "step_deg": 0.1}}, ctf="phase_flip"
    )
    assert flipped > near - level > weighted
