"""A pipeline without images on a real SLURM, with jobs that are cancelled."""

from pathlib import Path

import pytest

from faket_dask.cluster import Profile
from faket_dask.engine.completed import CompletedUnits
from faket_dask.engine.plan import Plan
from faket_dask.engine.run import Execution, run_plan
from faket_dask.engine.serial import execute_serially
from tests.cluster.slurm import Slurm
from tests.cluster.small_runs import Disturbed, profile_document
from tests.engine.dice import DICE, DiceSpec
from tests.engine.test_foreign_pipeline import results

pytestmark = [pytest.mark.slurm, pytest.mark.usefixtures("frequent_polling")]


def test_cancelled_jobs_lose_no_unit_of_a_foreign_pipeline(slurm: Slurm, tmp_path: Path) -> None:
    settings = {"experiments": 3, "rounds": 15}
    serial = DiceSpec(tmp_path / "serial", **settings)
    execute_serially(Plan(serial, DICE), CompletedUnits.empty(Plan(serial, DICE)))
    cancelled: list[str] = []

    def cancel_all() -> None:
        running = slurm.jobs("faket-dask", states="RUNNING")
        slurm.cancel(*running)
        cancelled.extend(running)

    spec = DiceSpec(tmp_path / "dice", pause_s=0.5, **settings)
    watch = Disturbed(after=(5, 20), disturb=cancel_all)
    profile = Profile.model_validate(profile_document("slurm"))
    assert run_plan(Plan(spec, DICE), Execution(cluster=profile), watch) == ()
    assert results(spec.root) == results(serial.root)
    assert len(cancelled) >= 2
    assert len(set(watch.processes)) >= 3, "no worker was replaced"
    slurm.wait_for_no_jobs()
