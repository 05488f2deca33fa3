"""A SLURM of one node on this machine: its three daemons as children of the tests."""

from __future__ import annotations

import os
import socket
import stat

from tests.cluster.daemons import CPUS, BatchDaemons, can_start, find_free_port

MEMORY_MB = 64_000
GPUS = 2

CONFIGURATION = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
MailProg=/bin/true
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
SlurmdParameters=config_overrides
SchedulerParameters=sched_interval=2,sched_min_interval=100000
ReturnToService=2
KillWait=5
OverTimeLimit=0
SlurmctldPort={controller}
SlurmdPort={daemon}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} CoresPerSocket={cpus} RealMemory={memory} Gres=gpu:{gpus} State=UNKNOWN
PartitionName=debug Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


class Slurm(BatchDaemons):
    """Running daemons of SLURM; `SLURM_CONF` leads every SLURM command to them."""

    def start(self) -> None:
        host = socket.gethostname().split(".")[0]
        for name in ("state", "spool"):
            (self.folder / name).mkdir()
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o600)
        # GPUs need a device that can be opened: SLURM drains a node that has a number of them only.
        for index in range(GPUS):
            os.mknod(self.folder / f"fakegpu{index}", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        settings = CONFIGURATION.format(
            host=host,
            folder=self.folder,
            controller=find_free_port(),
            daemon=find_free_port(),
            cpus=CPUS,
            memory=MEMORY_MB,
            gpus=GPUS,
        )
        (self.folder / "slurm.conf").write_text(settings)
        (self.folder / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\nCgroupAutomount=no\n")
        (self.folder / "gres.conf").write_text(
            f"AutoDetect=off\nName=gpu File={self.folder}/fakegpu[0-{GPUS - 1}]\n"
        )
        self.export(SLURM_CONF=str(self.folder / "slurm.conf"))
        munge = [f"--{name}-file={self.folder}/munge.{name}" for name in ("key", "pid", "log", "seed")]
        self.spawn("munged", "--foreground", "--force", f"--socket={self.folder}/munge.socket", *munge)
        self.wait(lambda: (self.folder / "munge.socket").exists())
        self.spawn("slurmctld", "-D", "-c")
        self.spawn("slurmd", "-D", "-c")
        self.wait(lambda: "idle" in self.call("sinfo", "--noheader", "--format=%T", check=False))

    def jobs(self, name: str | None = None, states: str = "PENDING,RUNNING,COMPLETING") -> list[str]:
        """Return the ids of jobs in these states, all or those of one name, the oldest first."""
        selection = [f"--states={states}", *([f"--name={name}"] if name else [])]
        return self.call("squeue", "--noheader", "--format=%i", "--sort=i", *selection).split()

    def cancel(self, *jobs: str) -> None:
        self.call("scancel", *jobs, check=False)


def is_installed() -> bool:
    """Return True if this machine has SLURM, and this process may start it."""
    return can_start("munged", "slurmctld", "slurmd", "sbatch")
