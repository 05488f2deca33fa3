"""Cluster profiles: their keys, the messages about mistakes, and the job scripts made from them."""

import re
import subprocess
import sys
from pathlib import Path

import dask
import pytest

from faket_dask.cluster import Profile, load_profile, open_cluster
from faket_dask.cluster.batch import job_script
from faket_dask.cluster.sizing import size_jobs
from faket_dask.errors import ClusterError, InputError
from tests.cluster.requirements import requirements

CONFIGS = Path(__file__).resolve().parents[2] / "configs" / "cluster"


def write(folder: Path, text: str) -> Path:
    file = folder / "profile.yaml"
    file.write_text(text)
    return file


def refusal(file: Path) -> list[str]:
    with pytest.raises(InputError) as error:
        load_profile(file)
    lines = [line.removeprefix(f"{file}: ") for line in str(error.value).splitlines()]
    return [re.sub(r" \(line \d+\)$", "", line) for line in lines]


@pytest.mark.parametrize("file", sorted(CONFIGS.glob("*.yaml")), ids=lambda file: file.stem)
def test_shipped_profile_is_valid(file: Path) -> None:
    profile = load_profile(file)
    assert profile.system == file.stem.split("-")[0]
    assert (profile.gpu is not None) == file.stem.endswith("gpu")
    required = requirements(gpu_GiB=8 if profile.gpu else 0)
    assert size_jobs(required, profile).workers == profile.workers


def test_commented_keys_of_shipped_profiles_exist(tmp_path: Path) -> None:
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
        (
            "system: moab\nwalltime: soon",
            ["system: there is no batch system 'moab'; known are slurm, pbs, sge, lsf (got 'moab')"],
        ),
        ("system: slurm\ncores: 0", ["cores: must be at least 1 (got 0)"]),
        (
            "system: slurm\nmemory: 60 gallons",
            ["memory: write a number and a unit, such as 64GiB (got '60 gallons')"],
        ),
        ("system: slurm\nmemory: '60'", ["memory: the unit is missing; write for example 64GiB (got '60')"]),
        (
            "system: slurm\nwalltime: 24",
            ["walltime: without quotes it is a number in YAML; write '24:00:00' with them (got 24)"],
        ),
        ("system: slurm\nwalltime: soon", ["walltime: 'soon' is no time; write 'HH:MM:SS' (got 'soon')"]),
        (
            "system: pbs\nresource_spec: select=1:ncpus={cpus}",
            [
                "resource_spec: {cpus} cannot be filled in, {cores} and {memory} can (got 'select=1:ncpus={cpus}')"
            ],
        ),
        (
            "system: slurm\nresource_spec: select=1",
            [
                "resource_spec: there is no such key for SLURM; write it into job_extra_directives (got 'select=1')"
            ],
        ),
        (
            "system: pbs\nparallel_environment: smp",
            ["parallel_environment: there are no parallel environments in PBS; remove this key (got 'smp')"],
        ),
        ("- system: slurm", ["a cluster profile is a mapping of keys (system, cores, memory, …)"]),
    ],
)
def test_each_mistake_is_reported_on_one_line(tmp_path: Path, text: str, lines: list[str]) -> None:
    assert refusal(write(tmp_path, text)) == lines


def test_time_needs_no_quotes(tmp_path: Path) -> None:
    assert load_profile(write(tmp_path, "system: slurm\nwalltime: 24:00:00")).walltime == "24:00:00"


def test_truth_values_of_yaml_1_1_reach_the_scheduler(tmp_path: Path) -> None:
    profile = load_profile(write(tmp_path, "system: slurm\nscheduler_options: {dashboard: no, host: a}"))
    assert profile.scheduler_options == {"dashboard": False, "host": "a"}


def test_key_given_twice_is_refused(tmp_path: Path) -> None:
    [line] = refusal(write(tmp_path, "system: slurm\ncores: 4\ncores: 8"))
    assert line == "the key 'cores' is given twice, in lines 2 and 3; keep one of them"


def test_missing_profile_is_refused() -> None:
    with pytest.raises(InputError, match="cannot read the cluster profile moab: No such file"):
        load_profile("moab")


def test_jobqueue_yaml_completes_profile() -> None:
    own = {"jobqueue.slurm.queue": "long", "jobqueue.slurm.cores": 4, "jobqueue.slurm.memory": "10GiB"}
    with dask.config.set(own):
        profile = load_profile("slurm")
        sizing = size_jobs(requirements(units=4, memory_GiB=2), profile)
        script = job_script(profile, sizing)
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

SGE_SCRIPT = """\
#!/usr/bin/env bash

#$ -N faket-dask
#$ -q all.q
#$ -P lab
#$ -l h_vmem=2560M
#$ -l h_rt=02:00:00
#$ -cwd
#$ -j y
#$ -S /bin/bash
#$ -pe openmp 2
#$ -o '/data/progress/jobs/$JOB_ID.log'
#$ -l gpu=2
#$ -w e
export FAKET_DASK_CACHE=/home/me/cache
module load cuda
/opt/python -m distributed.cli.dask_worker tcp://SCHEDULER:PORT --name WORKER --nthreads 1 --memory-limit 2.50GiB \
--nworkers 2 --nanny --death-timeout 60 --local-directory /scratch --lifetime 6453s --lifetime-stagger 717s \
--interface ib0
"""

LSF_SCRIPT = """\
#!/usr/bin/env bash

#BSUB -J faket-dask
#BSUB -q normal
#BSUB -P "lab"
#BSUB -n 2
#BSUB -R "span[hosts=1]"
#BSUB -M 5368710
#BSUB -W 02:00
#BSUB -o /data/progress/jobs/%J.log
#BSUB -gpu "num=2:mode=exclusive_process"
#BSUB -R "select[avx512]"
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
        (
            {
                "system": "sge",
                "queue": "all.q",
                "parallel_environment": "openmp",
                "resource_spec": "h_vmem={memory_per_core}",
                "job_extra_directives": ["-w e"],
                "gpu": {"memory": "40GiB", "per_job": 2},
            },
            SGE_SCRIPT,
        ),
        (
            {
                "system": "lsf",
                "queue": "normal",
                "job_extra_directives": ['-R "select[avx512]"'],
                "gpu": {
                    "memory": "40GiB",
                    "per_job": 2,
                    "request": '-gpu "num={gpus}:mode=exclusive_process"',
                },
            },
            LSF_SCRIPT,
        ),
    ],
    ids=["slurm", "pbs", "sge", "lsf"],
)
def test_complete_job_script(
    keys: dict[str, object], script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKET_DASK_CACHE", "/home/me/cache")
    monkeypatch.setenv("LSF_ENVDIR", "/nowhere")
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


def test_resource_spec_replaces_usual_request() -> None:
    profile = Profile(system="pbs", cores=3, resource_spec="select=1:ncpus={cores}:mem={memory}:scratch=1gb")
    sizing = size_jobs(requirements(units=3, memory_GiB=2), profile)
    assert "#PBS -l select=1:ncpus=3:mem=7680mb:scratch=1gb\n" in job_script(profile, sizing)


def test_lifetime_of_profile_is_kept() -> None:
    profile = Profile(system="slurm", worker_extra_args=("--lifetime", "5m"))
    script = job_script(profile, size_jobs(requirements(), profile))
    assert script.count("--lifetime") == 1
    assert "--lifetime 5m" in script


def test_process_with_several_threads_runs_one_task() -> None:
    profile = Profile(system="slurm", cores=8)
    script = job_script(profile, size_jobs(requirements(threads=4), profile))
    assert "#SBATCH --cpus-per-task=8\n" in script
    assert "--nthreads 1 " in script
    assert "--nworkers 2 " in script


@pytest.mark.parametrize(
    ("system", "command"), [("slurm", "sbatch"), ("pbs", "qsub"), ("sge", "qsub"), ("lsf", "bsub")]
)
def test_missing_batch_system_is_refused(system: str, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with (
        pytest.raises(ClusterError, match=f"there is no `{command}` here"),
        open_cluster(requirements(), system),
    ):
        pass


def test_import_of_dask_jobqueue_keeps_ctrl_c() -> None:
    script = (
        "import signal, sys\n"
        "import faket_dask.cluster.open\n"
        "assert 'dask_jobqueue' not in sys.modules\n"
        "import faket_dask.cluster.batch\n"
        "assert 'dask_jobqueue' in sys.modules\n"
        "assert signal.getsignal(signal.SIGINT) is signal.default_int_handler\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
