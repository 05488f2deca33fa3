"""Job scripts of `jobs/`: their resource requests, and the commands that they run."""

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
JOBS = sorted((ROOT / "jobs").glob("*.sh"))

DIRECTIVES = {
    "slurm-cpu": [
        "--job-name=faket-dask-driver",
        "--output=faket-dask-driver-%j.log",
        "--cpus-per-task=1",
        "--mem=4G",
        "--time=24:00:00",
        "--signal=B:TERM@120",
    ],
    "slurm-node": [
        "--job-name=faket-dask",
        "--output=faket-dask-%j.log",
        "--nodes=1",
        "--ntasks=1",
        "--cpus-per-task=16",
        "--mem=60G",
        "--time=24:00:00",
        "--signal=B:TERM@60",
    ],
    "pbs-cpu": ["-N faket-driver", "-j oe", "-l select=1:ncpus=1:mem=4gb", "-l walltime=24:00:00"],
    "pbs-node": ["-N faket-dask", "-j oe", "-l select=1:ncpus=16:mem=60gb", "-l walltime=24:00:00"],
}
DIRECTIVES |= {
    "sge-cpu": [
        "-N faket-driver",
        "-S /bin/bash",
        "-cwd",
        "-j y",
        "-l h_rt=24:00:00",
        "-l mem_free=4G",
        "-notify",
    ],
    "sge-node": [
        "-N faket-dask",
        "-S /bin/bash",
        "-cwd",
        "-j y",
        "-l h_rt=24:00:00",
        "-pe smp 16",
        "-notify",
    ],
    "lsf-cpu": ["-J faket-driver", "-o faket-driver-%J.log", "-n 1", "-W 24:00", "-wa TERM -wt 2"],
}
DIRECTIVES |= {"slurm-gpu": DIRECTIVES["slurm-cpu"], "pbs-gpu": DIRECTIVES["pbs-cpu"]}

MARKS = {"slurm": "#SBATCH ", "pbs": "#PBS ", "sge": "#$ ", "lsf": "#BSUB "}

CLUSTER = {name: "local" if name.endswith("node") else f"configs/cluster/{name}.yaml" for name in DIRECTIVES}


def start(
    script: Path, folder: Path, run_file: str | None, profile: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a script as its batch system would, with a stand-in for the command that prints its arguments.

    PBS and LSF hand over variables, SLURM and Grid Engine arguments; PBS starts a job outside of its folder.
    """
    command = folder / "faket-dask"
    command.write_text('#!/bin/sh\nprintf "%s\\n" "$PWD" "$@"\n')
    command.chmod(0o755)
    environment = {"PATH": f"{folder}:{os.environ['PATH']}"}
    arguments: list[str] = []
    system = script.stem.partition("-")[0]
    if system in ("pbs", "lsf"):
        variables = {"RUN_FILE": run_file, "PROFILE": profile, "PBS_O_WORKDIR": str(folder)}
        environment |= {name: value for name, value in variables.items() if value is not None}
    else:
        arguments = [value for value in (run_file, profile) if value is not None]
    return subprocess.run(
        ["bash", str(script), *arguments],
        cwd="/" if system == "pbs" else folder,
        env=environment,
        capture_output=True,
        text=True,
    )


def test_each_script_is_tested() -> None:
    assert {script.stem for script in JOBS} == set(DIRECTIVES)


@pytest.mark.parametrize("script", JOBS, ids=lambda script: script.stem)
def test_script_requests_its_resources(script: Path) -> None:
    subprocess.run(["bash", "-n", str(script)], check=True)
    lines = script.read_text().splitlines()
    commands = next(i for i, line in enumerate(lines) if line and not line.startswith("#"))
    mark = MARKS[script.stem.partition("-")[0]]
    directives = [line.removeprefix(mark) for line in lines[:commands] if line.startswith(mark)]
    assert directives == DIRECTIVES[script.stem]
    assert not any(line.startswith(mark) for line in lines[commands:]), "not read after the first command"


@pytest.mark.parametrize("script", JOBS, ids=lambda script: script.stem)
def test_script_passes_run_file_and_profile_in_submission_folder(script: Path, tmp_path: Path) -> None:
    done = start(script, tmp_path, "my run.yaml")
    assert done.returncode == 0, done.stderr
    cluster = CLUSTER[script.stem]
    assert done.stdout.splitlines() == [str(tmp_path), "run", "my run.yaml", "--cluster", cluster]
    if cluster != "local":
        assert (ROOT / cluster).is_file()
        assert start(script, tmp_path, "a.yaml", "mine.yaml").stdout.splitlines()[-1] == "mine.yaml"


@pytest.mark.parametrize("script", JOBS, ids=lambda script: script.stem)
def test_script_without_run_file_prints_usage(script: Path, tmp_path: Path) -> None:
    done = start(script, tmp_path, None)
    assert done.returncode != 0
    assert re.search(
        r"usage: (sbatch|qsub|qsub -v RUN_FILE=my.yaml\S*|RUN_FILE=my.yaml .*bsub <) jobs/" + script.name,
        done.stderr,
    )


@pytest.mark.parametrize("script", ["sge-cpu", "sge-node"])
def test_signal_before_the_end_of_a_grid_engine_job_terminates_the_run_in_order(
    script: str, tmp_path: Path
) -> None:
    command = tmp_path / "faket-dask"
    command.write_text(
        "#!/bin/bash\ntrap 'echo stopped in order; exit 3' TERM\nsleep 0.5\nkill -USR2 $PPID\n"
        "for _ in {1..100}; do sleep 0.1; done\n"
    )
    command.chmod(0o755)
    result = subprocess.run(
        ["bash", str(ROOT / "jobs" / f"{script}.sh"), "run.yaml"],
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        stdout=subprocess.PIPE,
        text=True,
        timeout=15,
    )
    assert (result.returncode, result.stdout) == (3, "stopped in order\n")
