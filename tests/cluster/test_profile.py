"""Cluster profiles: what they may hold, what is said about mistakes, and the job scripts they become."""

import subprocess
import sys
from pathlib import Path

import dask
import pytest

from faket_dask.cluster import Profile, load_profile, open_cluster
from faket_dask.cluster.batch import job_script
from faket_dask.cluster.sizing import size_jobs
from faket_dask.errors import InputError
from tests.cluster.requirements import requirements

CONFIGS = Path(__file__).resolve().parents[2] / "configs" / "cluster"


def write(folder: Path, text: str) -> Path:
    file = folder / "profile.yaml"
    file.write_text(text)
    return file


def refusal(file: Path) -> list[str]:
    with pytest.raises(InputError) as error:
        load_profile(file)
    return [line.removeprefix(f"{file}: ") for line in str(error.value).splitlines()]


@pytest.mark.parametrize("file", sorted(CONFIGS.glob("*.yaml")), ids=lambda file: file.stem)
def test_the_profiles_here_are_good(file: Path) -> None:
    found = load_profile(file)
    assert found.system == file.stem.split("-")[0]
    assert (found.gpu is not None) == file.stem.endswith("gpu")
    asked = requirements(gpu_GiB=8 if found.gpu else 0)
    assert size_jobs(asked, found).workers == found.workers


def test_every_key_that_a_profile_shows_in_a_comment_is_one(tmp_path: Path) -> None:
    for file in CONFIGS.glob("*.yaml"):
        lines = [line.removeprefix("# ") for line in file.read_text().splitlines()]
        shown = [
            line
            for line in lines
            if line.partition(":")[0].strip().replace("_", "").isalpha() and ":" in line
        ]
        assert load_profile(
            write(tmp_path, "\n".join(line for line in shown if " " not in line.partition(":")[0].strip()))
        )


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (
            "system: slurm\nwalltme: '01:00:00'\ngpu: {memory: 40GiB, perjob: 1}",
            [
                "gpu.perjob: there is no such key; did you mean 'per_job'?",
                "walltme: there is no such key; did you mean 'walltime'?",
            ],
        ),
        ("cores: 4", ["system: is missing"]),
        ("system: sge", ["system: input should be 'slurm' or 'pbs' (got 'sge')"]),
        ("system: slurm\ncores: 0", ["cores: input should be greater than or equal to 1 (got 0)"]),
        (
            "system: slurm\nmemory: 60 gallons",
            ["memory: write a number and a unit, such as 64GiB (got '60 gallons')"],
        ),
        ("system: slurm\nmemory: '60'", ["memory: the unit is missing; write for example 64GiB (got '60')"]),
        (
            "system: slurm\nwalltime: 24:00:00",
            ["walltime: without quotes it is a number in YAML; write '24:00:00' with them (got 86400)"],
        ),
        ("system: slurm\nwalltime: soon", ["walltime: 'soon' is no time; write 'HH:MM:SS' (got 'soon')"]),
        (
            "system: pbs\nresource_spec: select=1:ncpus={cpus}",
            [
                "resource_spec: {cpus} cannot be filled in, {cores} and {memory} can (got 'select=1:ncpus={cpus}')"
            ],
        ),
        ("- system: slurm", ["a cluster profile is a mapping of keys (system, cores, memory, …)"]),
    ],
)
def test_every_mistake_is_one_line_with_what_to_write(tmp_path: Path, text: str, lines: list[str]) -> None:
    assert refusal(write(tmp_path, text)) == lines


def test_a_profile_that_is_not_there() -> None:
    with pytest.raises(InputError, match="cannot read the cluster profile lsf: No such file"):
        load_profile("lsf")


def test_what_a_profile_leaves_out_comes_from_jobqueue_yaml() -> None:
    own = {"jobqueue.slurm.queue": "long", "jobqueue.slurm.cores": 4, "jobqueue.slurm.memory": "10GiB"}
    with dask.config.set(own):
        found = load_profile("slurm")
        sizing = size_jobs(requirements(units=4, memory_GiB=2), found)
        script = job_script(found, sizing)
        assert job_script(Profile(system="slurm", queue="short"), sizing) == script.replace(
            "-p long", "-p short"
        )
    assert (sizing.jobs, sizing.processes_per_job) == (1, 4)
    assert "#SBATCH -p long" in script


SLURM_SCRIPT = """\
#!/usr/bin/env bash

#SBATCH -J faket-dask
#SBATCH -p gpu
#SBATCH -A lab
#SBATCH -n 1
#SBATCH --cpus-per-task=2
#SBATCH --mem=5120M
#SBATCH -t 02:00:00
#SBATCH --output=/data/progress/jobs/%j.log
#SBATCH --constraint=avx512
#SBATCH --gres=gpu:a100:2
export FAKET_DASK_CACHE=/home/me/cache
module load cuda
/opt/python -m distributed.cli.dask_worker tcp://SCHEDULER:PORT --name WORKER --nthreads 1 --memory-limit 2.50GiB \
--nworkers 2 --nanny --death-timeout 60 --local-directory /scratch --lifetime 6453s --lifetime-stagger 717s \
--interface ib0
"""

PBS_SCRIPT = """\
#!/usr/bin/env bash

#PBS -N faket-dask
#PBS -q workq
#PBS -A lab
#PBS -l select=1:ncpus=2:mem=5120mb:ngpus=2
#PBS -l walltime=02:00:00
#PBS -j oe
#PBS -o /data/progress/jobs/
#PBS -W umask=027
export FAKET_DASK_CACHE=/home/me/cache
module load cuda
/opt/python -m distributed.cli.dask_worker tcp://SCHEDULER:PORT --name WORKER --nthreads 1 --memory-limit 2.50GiB \
--nworkers 2 --nanny --death-timeout 60 --local-directory /scratch --lifetime 6453s --lifetime-stagger 717s \
--interface ib0
"""


@pytest.mark.parametrize(
    ("keys", "script"),
    [
        (
            {
                "system": "slurm",
                "queue": "gpu",
                "job_extra_directives": ["--constraint=avx512"],
                "gpu": {"memory": "40GiB", "per_job": 2, "request": "--gres=gpu:a100:{gpus}"},
            },
            SLURM_SCRIPT,
        ),
        (
            {
                "system": "pbs",
                "queue": "workq",
                "job_extra_directives": ["-W umask=027"],
                "gpu": {"memory": "40GiB", "per_job": 2},
            },
            PBS_SCRIPT,
        ),
    ],
    ids=["slurm", "pbs"],
)
def test_the_whole_job_script(
    keys: dict[str, object], script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKET_DASK_CACHE", "/home/me/cache")
    profile = Profile.model_validate(
        {
            **keys,
            "cores": 8,
            "memory": "32GiB",
            "workers": 8,
            "account": "lab",
            "walltime": "02:00:00",
            "python": "/opt/python",
            "interface": "ib0",
            "local_directory": "/scratch",
            "job_script_prologue": ["module load cuda"],
        }
    )
    sizing = size_jobs(requirements(memory_GiB=2, gpu_GiB=10), profile)
    assert sizing.jobs == 4
    assert job_script(profile, sizing, Path("/data/progress/jobs")) == script


def test_pbs_is_asked_as_the_profile_says() -> None:
    profile = Profile(system="pbs", cores=3, resource_spec="select=1:ncpus={cores}:mem={memory}:scratch=1gb")
    sizing = size_jobs(requirements(units=3, memory_GiB=2), profile)
    assert "#PBS -l select=1:ncpus=3:mem=7680mb:scratch=1gb\n" in job_script(profile, sizing)


def test_a_lifetime_of_the_user_stands() -> None:
    profile = Profile(system="slurm", worker_extra_args=("--lifetime", "5m"))
    script = job_script(profile, size_jobs(requirements(), profile))
    assert script.count("--lifetime") == 1
    assert "--lifetime 5m" in script


def test_tasks_of_several_threads_are_one_at_a_time_in_a_process() -> None:
    profile = Profile(system="slurm", cores=8)
    script = job_script(profile, size_jobs(requirements(threads=4), profile))
    assert "#SBATCH --cpus-per-task=8\n" in script
    assert "--nthreads 1 " in script
    assert "--nworkers 2 " in script


@pytest.mark.parametrize(("system", "command"), [("slurm", "sbatch"), ("pbs", "qsub")])
def test_a_machine_without_the_batch_system_is_told_so(
    system: str, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    with (
        pytest.raises(InputError, match=f"there is no `{command}` here"),
        open_cluster(requirements(), system),
    ):
        pass


def test_a_profile_leaves_ctrl_c_as_it_is() -> None:
    script = (
        "import signal, sys\n"
        "import faket_dask.cluster.open\n"
        "assert 'dask_jobqueue' not in sys.modules\n"
        "import faket_dask.cluster.batch\n"
        "assert 'dask_jobqueue' in sys.modules\n"
        "assert signal.getsignal(signal.SIGINT) is signal.default_int_handler\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
