"""Batch systems: times, job listings and allocations as each writes them, and one that another package adds."""

import subprocess
import sys
from pathlib import Path

import pytest

from faket_dask.cluster.allocation import allocated_cores
from faket_dask.cluster.jobs import BATCH_SYSTEMS
from faket_dask.cluster.profile import Profile
from faket_dask.errors import InputError

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("system", ["slurm", "pbs", "sge", "lsf"])
def test_full_walltime_is_read_alike_everywhere(system: str) -> None:
    assert BATCH_SYSTEMS.get(system).parse_walltime("01:30:05") == 5405


@pytest.mark.parametrize(
    ("system", "text", "seconds"),
    [
        ("slurm", "30", 1800),
        ("slurm", "30:15", 1815),
        ("slurm", "1-00:00:00", 86400),
        ("slurm", "2-12", 216000),
        ("slurm", "1-01:30", 91800),
        ("pbs", "1800", 1800),
        ("pbs", "30:15", 1815),
        ("sge", "1800", 1800),
        ("lsf", "30", 1800),
        ("lsf", "02:30", 9000),
    ],
)
def test_short_walltime_is_read_as_the_batch_system_reads_it(system: str, text: str, seconds: int) -> None:
    assert BATCH_SYSTEMS.get(system).parse_walltime(text) == seconds


@pytest.mark.parametrize(
    ("system", "text"), [("pbs", "1-00"), ("sge", "30:15"), ("lsf", "1-00:00"), ("slurm", "0")]
)
def test_time_in_another_notation_is_refused(system: str, text: str) -> None:
    with pytest.raises(ValueError, match="time"):
        BATCH_SYSTEMS.get(system).parse_walltime(text)


LISTINGS = {
    "slurm": "17\n18\n",
    "pbs": """
head:
                                                            Req'd  Req'd   Elap
Job ID          Username Queue    Jobname    SessID NDS TSK Memory Time  S Time
--------------- -------- -------- ---------- ------ --- --- ------ ----- - -----
17.head         me       workq    faket-dask   3001   1   4  512mb 01:00 R 00:10
18.head         me       workq    faket-dask    --    1   4  512mb 01:00 Q   --
19.head         me       workq    faket-dask   3002   1   4  512mb 01:00 C 00:10
20.head         me       workq    faket-dask   3003   1   4  512mb 01:00 F 00:10
""",
    "sge": """\
job-ID  prior   name       user         state submit/start at     queue                          slots ja-task-ID
-----------------------------------------------------------------------------------------------------------------
     17 0.25000 faket-dask me           r     11/27/2026 05:58:09 all.q@node1                        2
     18 0.75000 faket-dask me           qw    11/27/2026 05:58:09                                    8
""",
    "lsf": "17\n18\n",
}


@pytest.mark.parametrize("system", LISTINGS)
def test_listing_yields_ids_of_jobs_that_have_not_ended(system: str) -> None:
    assert BATCH_SYSTEMS.get(system).parse_job_ids(LISTINGS[system]) == {"17", "18"}
    assert BATCH_SYSTEMS.get(system).parse_job_ids("") == set()


@pytest.mark.parametrize(
    ("system", "environment", "cores"),
    [
        ("slurm", {"SLURM_JOB_ID": "7", "SLURM_CPUS_ON_NODE": "3"}, 3),
        ("pbs", {"PBS_JOBID": "7.head", "NCPUS": "3"}, 3),
        ("sge", {"SGE_JOB_SPOOL_DIR": "/spool/7", "NSLOTS": "3"}, 3),
        ("lsf", {"LSB_JOBID": "7", "LSB_DJOB_NUMPROC": "3"}, 3),
    ],
)
def test_job_reads_its_cores_from_the_environment(
    system: str, environment: dict[str, str], cores: int
) -> None:
    assert BATCH_SYSTEMS.get(system).allocated_cores(environment) == cores
    outside = dict(list(environment.items())[1:])
    assert BATCH_SYSTEMS.get(system).allocated_cores(outside) is None
    assert BATCH_SYSTEMS.get(system).allocated_bytes({}) is None


def test_unknown_batch_system_is_refused_with_known_names() -> None:
    assert {"slurm", "pbs", "sge", "lsf"} <= set(BATCH_SYSTEMS.names)
    with pytest.raises(InputError, match=r"no batch system 'moab'; known are .*slurm.*lsf"):
        BATCH_SYSTEMS.get("moab")


OTHER_PACKAGE = """
from dask_jobqueue.oar import OARJob

from faket_dask.cluster.jobs import BatchSystem


class Oar(BatchSystem):
    def options(self, settings, sizing, logs):
        return {
            "resource_spec": f"/nodes=1/core={sizing.cores_per_job}",
            "job_extra_directives": [f"-O {logs}/%jobid%.log", *settings.job_extra_directives],
        }

    def queue_command(self, user):
        return ("oarstat", "-u", user)


OAR = Oar(
    name="oar",
    title="OAR",
    job_class="dask_jobqueue.oar:OARJob",
    gpu_request="gpu={gpus}",
    account_keyword="project",
)
"""

RUN_WITH_OTHER_PACKAGE = """
from pathlib import Path
from faket_dask.cluster import load_profile, open_cluster
from faket_dask.cluster.batch import job_script
from faket_dask.cluster.sizing import size_jobs
from faket_dask.errors import ClusterError
from tests.cluster.requirements import requirements

profile = load_profile("profile.yaml")
print(job_script(profile, size_jobs(requirements(), profile), Path("/logs")))
try:
    with open_cluster(requirements(), profile):
        pass
except ClusterError as error:
    print(error)
"""


def test_entry_point_of_another_package_adds_a_batch_system(tmp_path: Path) -> None:
    (tmp_path / "lab_oar.py").write_text(OTHER_PACKAGE)
    metadata = tmp_path / "lab_oar-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: lab-oar\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[faket_dask.batch_systems]\noar = lab_oar:OAR\n")
    (tmp_path / "profile.yaml").write_text("system: oar\ncores: 4\nqueue: lab\nwalltime: '02:00:00'\n")
    result = subprocess.run(
        [sys.executable, "-c", RUN_WITH_OTHER_PACKAGE],
        cwd=tmp_path,
        env={"PYTHONPATH": f"{tmp_path}:{ROOT}", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert "#OAR -q lab" in lines
    assert "#OAR -l /nodes=1/core=4,walltime=02:00:00" in lines
    assert "#OAR -O /logs/%jobid%.log" in lines
    assert "there is no `oarsub` here, so no job can be submitted to OAR" in lines[-1]


def test_broken_package_disturbs_only_who_names_its_batch_system(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = {**BATCH_SYSTEMS._targets, "moab": "no_such_package:MOAB"}
    monkeypatch.setattr(BATCH_SYSTEMS, "_targets", broken)
    assert allocated_cores() >= 1
    assert Profile.model_validate({"system": "slurm"}).system == "slurm"
    with pytest.raises(InputError, match="'moab' cannot be loaded from no_such_package:MOAB"):
        BATCH_SYSTEMS.get("moab")
