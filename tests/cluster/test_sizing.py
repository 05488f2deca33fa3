"""Number and size of worker jobs: invariants of every sizing, and requests that are refused."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from faket_dask.cluster import Profile
from faket_dask.cluster.jobs import Sizing
from faket_dask.cluster.requirements import GIB, Requirements, StageRequirement
from faket_dask.cluster.sizing import CLOSE_S, size_jobs
from faket_dask.errors import InputError
from tests.cluster.requirements import requirements


def slurm(**keys: object) -> Profile:
    return Profile.model_validate({"system": "slurm", "walltime": "24:00:00", **keys})


@given(
    units=st.integers(1, 10_000),
    memory_GiB=st.floats(0.5, 40),
    threads=st.integers(1, 8),
    cores=st.integers(1, 128),
    memory=st.integers(1, 512),
    workers=st.integers(1, 500),
    at_most=st.none() | st.integers(1, 500),
)
def test_jobs_fit_profile_and_never_exceed_busy_workers(
    units: int, memory_GiB: float, threads: int, cores: int, memory: int, workers: int, at_most: int | None
) -> None:
    required = requirements(units, memory_GiB, threads=threads)
    profile = slurm(cores=cores, memory=f"{memory}GiB", workers=workers)
    try:
        sizing = size_jobs(required, profile, at_most)
    except InputError:
        assert cores < threads or memory < 1.25 * memory_GiB + 1e-6
        return
    limit = min(units, workers, at_most or units)
    assert 1 <= sizing.workers <= limit
    assert sizing.workers > limit - sizing.jobs, "another process would fit into every job"
    assert sizing.cores_per_job == sizing.processes_per_job * threads <= cores
    assert sizing.bytes_per_job <= memory * GIB
    assert sizing.bytes_per_job / sizing.processes_per_job >= required.bytes_per_task
    fitting = min(cores // threads, memory * GIB // (sizing.bytes_per_job // sizing.processes_per_job))
    assert (sizing.jobs - 1) * fitting < limit, "fewer jobs would have done"


@given(walltime_s=st.integers(60, 7 * 86400), seconds=st.floats(0.01, 86400), units=st.integers(1, 50))
def test_unit_started_before_drain_ends_before_walltime(walltime_s: int, seconds: float, units: int) -> None:
    hours, rest = divmod(walltime_s, 3600)
    profile = slurm(walltime=f"{hours:02d}:{rest // 60:02d}:{rest % 60:02d}")
    try:
        sizing = size_jobs(requirements(units, seconds=seconds), profile)
    except InputError:
        assert walltime_s < 2 * seconds + CLOSE_S + 1e-6
        return
    assert sizing.drain_s >= seconds
    assert sizing.lifetime_s + sizing.stagger_s + CLOSE_S <= walltime_s + 1e-6
    assert sizing.lifetime_s - sizing.stagger_s > 0


@given(st.integers(1, 300), st.integers(1, 8), st.integers(1, 300))
def test_job_has_one_process_per_gpu(units: int, per_job: int, workers: int) -> None:
    profile = slurm(cores=64, workers=workers, gpu={"memory": "40GiB", "per_job": per_job})
    sizing = size_jobs(requirements(units, gpu_GiB=10), profile)
    assert sizing.gpus_per_job == sizing.processes_per_job <= per_job
    assert sizing.workers <= min(units, workers)


def test_cpu_run_requests_no_gpu() -> None:
    profile = slurm(cores=8, gpu={"memory": "1GiB"})
    sizing = size_jobs(requirements(), profile)
    assert sizing.gpus_per_job == 0
    assert sizing.processes_per_job == 8


def test_job_without_limits_has_one_process() -> None:
    sizing = size_jobs(requirements(units=5, memory_GiB=3, threads=2), slurm())
    assert sizing == Sizing(
        jobs=5,
        processes_per_job=1,
        cores_per_job=2,
        bytes_per_job=int(3.75 * GIB),
        gpus_per_job=0,
        lifetime_s=sizing.lifetime_s,
        stagger_s=sizing.stagger_s,
        drain_s=60,
    )


def test_processes_are_spread_evenly_over_jobs() -> None:
    sizing = size_jobs(requirements(units=20), slurm(cores=16, workers=100))
    assert (sizing.jobs, sizing.processes_per_job) == (2, 10)


def test_run_file_sets_worker_memory() -> None:
    sizing = size_jobs(requirements(memory_GiB=2), slurm(cores=1), memory_per_worker_GiB=5)
    assert sizing.bytes_per_job == 5 * GIB


@pytest.mark.parametrize(
    ("required", "keys", "message"),
    [
        (
            requirements(memory_GiB=8),
            {"memory": "9GiB"},
            "one task needs 8.00 GiB and its worker 10.00 GiB, a job of the cluster profile has 9.00 GiB; raise "
            "`memory` to 10GiB at least, or make smaller tiles (style.tile)",
        ),
        (
            requirements(threads=4),
            {"cores": 2},
            "one task computes on 4 threads (style.threads), a job of the cluster profile has 2 cores; raise "
            "`cores` to 4 at least",
        ),
        (
            requirements(seconds=1200),
            {"walltime": "00:40:00"},
            "the walltime of a worker job is 2400 s, and the longest unit (stage style) takes about 1200 s: "
            "2 x 1200 s + 30 s to close are needed at least, so that one begun late can end; write a walltime of "
            "'00:41:00' or more",
        ),
        (
            requirements(gpu_GiB=50),
            {"gpu": {"memory": "40GiB"}},
            "one task of the stage style needs 50.00 GiB of a GPU, those of the cluster profile have 40.00 GiB; "
            "make smaller tiles (style.tile, or style.memory_per_task_GiB for `tile: auto`), or write "
            "`device: cpu` (the same profile then asks for no GPU)",
        ),
        (
            requirements(gpu_GiB=5),
            {},
            "the configuration computes on a GPU (`device: cuda`), and the cluster profile offers none; give it "
            "a section `gpu`, or write `device: cpu` (the same profile then asks for no GPU)",
        ),
    ],
)
def test_profile_too_small_for_one_task_is_refused_with_arithmetic(
    required: Requirements, keys: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError) as refusal:
        size_jobs(required, slurm(**keys))
    assert str(refusal.value) == message


def test_worker_memory_below_one_task_is_refused() -> None:
    with pytest.raises(InputError, match=r"memory_per_worker_GiB is 1, one task needs 2.00 GiB"):
        size_jobs(requirements(memory_GiB=2), slurm(), memory_per_worker_GiB=1)


def test_uncalibrated_gpu_units_refuse_no_walltime() -> None:
    profile = slurm(walltime="00:10:00", gpu={"memory": "40GiB"})
    assert size_jobs(requirements(seconds=9999, gpu_GiB=5), profile).drain_s == 0


@given(st.integers(1, 3000))
def test_worker_counts_double_up_to_widest_stage(widest: int) -> None:
    sizing = size_jobs(requirements(units=widest), slurm(cores=16))
    counts = sizing.list_worker_counts(widest)
    assert counts == sorted(set(counts))
    assert {1, widest, sizing.workers} <= set(counts)
    assert max(counts) == widest


@given(
    st.lists(st.tuples(st.integers(0, 50), st.floats(0.01, 100)), min_size=1, max_size=5), st.integers(1, 64)
)
def test_estimated_time_decreases_with_workers_to_a_lower_bound(
    stages: list[tuple[int, float]], workers: int
) -> None:
    assume(any(units for units, _ in stages))
    required = Requirements(
        tuple(StageRequirement(f"s{i}", units, 1, seconds, 0) for i, (units, seconds) in enumerate(stages)),
        widest=max(units for units, _ in stages),
    )
    assert required.seconds(1) == pytest.approx(required.core_seconds)
    assert required.seconds(workers + 1) <= required.seconds(workers)
    assert required.seconds(10**6) >= sum(seconds for units, seconds in stages if units) - 1e-6
