"""The job scripts of `jobs/`: what they ask for, and what they run once they are started."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.runs import small_document

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
DIRECTIVES |= {"slurm-gpu": DIRECTIVES["slurm-cpu"], "pbs-gpu": DIRECTIVES["pbs-cpu"]}

CLUSTER = {name: "local" if name.endswith("node") else f"configs/cluster/{name}.yaml" for name in DIRECTIVES}


def start(
    script: Path, folder: Path, run_file: str | None, profile: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a script as its batch system would, with a stand-in for the command that prints its arguments."""
    command = folder / "faket-dask"
    command.write_text('#!/bin/sh\nprintf "%s\\n" "$PWD" "$@"\n')
    command.chmod(0o755)
    environment = {"PATH": f"{folder}:{os.environ['PATH']}"}
    arguments: list[str] = []
    if script.stem.startswith("pbs"):
        given = {"RUN_FILE": run_file, "PROFILE": profile, "PBS_O_WORKDIR": str(folder)}
        environment |= {name: value for name, value in given.items() if value is not None}
        where = "/"
    else:
        arguments = [value for value in (run_file, profile) if value is not None]
        where = str(folder)
    return subprocess.run(
        ["bash", str(script), *arguments], cwd=where, env=environment, capture_output=True, text=True
    )


def test_there_is_a_script_for_each_way_to_run() -> None:
    assert {script.stem for script in JOBS} == set(DIRECTIVES)


@pytest.mark.parametrize("script", JOBS, ids=lambda script: script.stem)
def test_scripts_are_valid_and_ask_for_what_they_need(script: Path) -> None:
    subprocess.run(["bash", "-n", str(script)], check=True)
    lines = script.read_text().splitlines()
    commands = next(i for i, line in enumerate(lines) if line and not line.startswith("#"))
    mark = "#SBATCH " if script.stem.startswith("slurm") else "#PBS "
    found = [line.removeprefix(mark) for line in lines[:commands] if line.startswith(mark)]
    assert found == DIRECTIVES[script.stem]
    assert not any(line.startswith(mark) for line in lines[commands:]), "not read after the first command"


@pytest.mark.parametrize("script", JOBS, ids=lambda script: script.stem)
def test_scripts_run_what_they_were_given_where_they_were_submitted(script: Path, tmp_path: Path) -> None:
    done = start(script, tmp_path, "my run.yaml")
    assert done.returncode == 0, done.stderr
    cluster = CLUSTER[script.stem]
    assert done.stdout.splitlines() == [str(tmp_path), "run", "my run.yaml", "--cluster", cluster]
    if cluster != "local":
        assert (ROOT / cluster).is_file()
        assert start(script, tmp_path, "a.yaml", "mine.yaml").stdout.splitlines()[-1] == "mine.yaml"


@pytest.mark.parametrize("script", JOBS, ids=lambda script: script.stem)
def test_a_script_without_a_run_file_says_how_it_is_submitted(script: Path, tmp_path: Path) -> None:
    done = start(script, tmp_path, None)
    assert done.returncode != 0
    assert re.search(r"usage: (sbatch|qsub -v RUN_FILE=my.yaml\S*) jobs/" + script.name, done.stderr)


@pytest.mark.pbs
def test_a_driver_and_its_workers_as_pbs_jobs(tmp_path: Path) -> None:
    """From `qsub` to the finished data set; the folder for temporary files must be one that all nodes see."""
    if shutil.which("qsub") is None:
        pytest.skip("needs qsub")
    (tmp_path / "run.yaml").write_text(
        yaml.safe_dump(small_document(tmp_path / "data", specimen={"count": 1}))
    )
    path = f"export PATH={Path(sys.executable).parent}:$PATH PYTHONPATH={ROOT}"
    profile = {"system": "pbs", "workers": 2, "walltime": "00:10:00", "job_script_prologue": [path]}
    (tmp_path / "profile.yaml").write_text(yaml.safe_dump(profile))
    script = tmp_path / "driver.sh"
    script.write_text(
        (ROOT / "jobs" / "pbs-cpu.sh").read_text().replace("set -euo pipefail", f"{path}\nset -euo pipefail")
    )
    subprocess.run(
        ["qsub", "-W", "block=true", "-v", "RUN_FILE=run.yaml,PROFILE=profile.yaml", str(script)],
        cwd=tmp_path,
        check=True,
        timeout=280,
    )
    assert (tmp_path / "data" / "manifest.csv").is_file()
