"""A Grid Engine of one host on this machine: a cell of its own, with its two daemons as children of the tests.

Grid Engine knows hosts by names that must resolve, and back: `host_aliases` makes the loopback's name one with the
host's, since many machines resolve their own name to the loopback.
"""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path

from tests.cluster.daemons import CPUS, BatchDaemons, can_start, find_free_port

PACKAGE = Path("/usr/share/gridengine")
PROGRAMS = Path("/usr/lib/gridengine")

BOOTSTRAP = """\
admin_user              none
default_domain          none
ignore_fqdn             true
spooling_method         berkeleydb
spooling_lib            libspoolb
spooling_params         {folder}/spool
binary_path             /usr/sbin
qmaster_spool_dir       {folder}/qmaster
security_mode           none
listener_threads        2
worker_threads          2
scheduler_threads       1
"""

HOST = """\
hostname            {host}
load_scaling        NONE
complex_values      slots={cpus}
user_lists          NONE
xuser_lists         NONE
projects            NONE
xprojects           NONE
usage_scaling       NONE
report_variables    NONE
"""

PARALLEL_ENVIRONMENT = """\
pe_name             smp
slots               999
user_lists          NONE
xuser_lists         NONE
start_proc_args     NONE
stop_proc_args      NONE
allocation_rule     $pe_slots
control_slaves      FALSE
job_is_first_task   TRUE
urgency_slots       min
accounting_summary  TRUE
qsort_args          NONE
"""

QUEUE = """\
qname               all.q
hostlist            {host}
seq_no              0
load_thresholds     NONE
suspend_thresholds  NONE
nsuspend            1
suspend_interval    00:05:00
priority            0
min_cpu_interval    00:05:00
processors          UNDEFINED
qtype               BATCH
ckpt_list           NONE
pe_list             smp
rerun               FALSE
slots               {cpus}
tmpdir              /tmp
shell               /bin/csh
prolog              NONE
epilog              NONE
shell_start_mode    posix_compliant
starter_method      NONE
suspend_method      NONE
resume_method       NONE
terminate_method    NONE
notify              00:00:05
owner_list          NONE
user_lists          NONE
xuser_lists         NONE
subordinate_list    NONE
complex_values      NONE
projects            NONE
xprojects           NONE
calendar            NONE
initial_state       default
"""

LIMITS = ("rt", "cpu", "fsize", "data", "stack", "core", "rss", "vmem")
"""Limits of a queue's jobs, each with a soft and a hard value."""


class GridEngine(BatchDaemons):
    """Running daemons of Grid Engine; `SGE_ROOT` and the ports lead every Grid Engine command to them."""

    def start(self) -> None:
        host = socket.gethostname()
        self._write_cell(host)
        self.export(
            SGE_ROOT=str(self.folder),
            SGE_CELL="default",
            SGE_QMASTER_PORT=str(find_free_port()),
            SGE_EXECD_PORT=str(find_free_port()),
        )
        self._fill_spool()
        self.spawn("sge_qmaster", environment={"SGE_ND": "1"})
        self.wait(lambda: host in self.call("qconf", "-sh", check=False))
        self._configure("-Ae", HOST.format(host=host, cpus=CPUS))
        self.call("qconf", "-as", host)
        self._configure("-Ap", PARALLEL_ENVIRONMENT)
        limits = "".join(f"{kind}_{name} INFINITY\n" for name in LIMITS for kind in "sh")
        self._configure("-Aq", QUEUE.format(host=host, cpus=CPUS) + limits)
        schedule = self.call("qconf", "-ssconf")
        for key, value in {
            "schedule_interval": "0:0:1",
            "flush_submit_sec": 1,
            "flush_finish_sec": 1,
        }.items():
            schedule = re.sub(rf"(?m)^({key}\s+).*", rf"\g<1>{value}", schedule)
        self._configure("-Msconf", schedule)
        self.spawn("sge_execd", environment={"SGE_ND": "1"})
        self.wait(lambda: self._is_ready(host))

    def jobs(self) -> list[str]:
        listing = self.call("qstat", "-u", "*")
        return sorted(re.findall(r"(?m)^\s*(\d+)", listing), key=int)

    def running_jobs(self, name: str) -> list[str]:
        """Return the ids of running jobs of a name."""
        listing = self.call("qstat", "-u", "*", "-s", "r")
        return re.findall(rf"(?m)^\s*(\d+) \S+ {name[:10]}\s", listing)

    def cancel(self, *jobs: str) -> None:
        self.call("qdel", *jobs, check=False)

    def _write_cell(self, host: str) -> None:
        """Write the folders and files that the daemons read when they start."""
        architecture = self.call(str(PACKAGE / "util" / "arch")).strip()
        for name in ("default/common", "qmaster/job_scripts", "spool", "execd", "bin", "lib", "utilbin"):
            (self.folder / name).mkdir(parents=True)
        (self.folder / "util").symlink_to(PACKAGE / "util")
        for name in ("bin", "lib", "utilbin"):
            (self.folder / name / architecture).symlink_to(PROGRAMS)
        common = self.folder / "default" / "common"
        (common / "bootstrap").write_text(BOOTSTRAP.format(folder=self.folder))
        (common / "act_qmaster").write_text(f"{host}\n")
        (common / "host_aliases").write_text(f"{host} localhost\n")

    def _fill_spool(self) -> None:
        """Write the first configuration into the spool of the master."""
        changes = {
            "execd_spool_dir": f"{self.folder}/execd",
            "min_uid": "0",
            "min_gid": "0",
            "load_report_time": "00:00:01",
        }
        settings = (PACKAGE / "default-configuration").read_text()
        for key, value in changes.items():
            settings = re.sub(rf"(?m)^({key}\s+).*", rf"\g<1>{value}", settings)
        (self.folder / "configuration").write_text(settings)
        resources = PACKAGE / "util" / "resources"
        self.call(str(PROGRAMS / "spoolinit"), "berkeleydb", "libspoolb", f"{self.folder}/spool", "init")
        for kind, source in {
            "configuration": self.folder / "configuration",
            "complexes": resources / "centry",
            "usersets": resources / "usersets",
            "managers": "root",
        }.items():
            self.call(str(PROGRAMS / "spooldefaults"), kind, str(source))

    def _configure(self, option: str, text: str) -> None:
        path = self.folder / "change.conf"
        path.write_text(text)
        self.call("qconf", option, str(path))

    def _is_ready(self, host: str) -> bool:
        """Return True once the host reports its load, and so its free memory."""
        return re.search(rf"(?m)^{re.escape(host)}\s.*\dG\s", self.call("qhost", check=False)) is not None


def is_installed() -> bool:
    """Return True if this machine has Grid Engine and a name that resolves, and this process may start it."""
    if not can_start("sge_qmaster", "sge_execd", "qconf", "qsub", "qstat", "qdel"):
        return False
    try:
        socket.gethostbyname(socket.gethostname())
    except OSError:
        return False
    return os.access(PROGRAMS / "spooldefaults", os.X_OK)
