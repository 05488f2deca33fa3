"""A SLURM of one node on this machine: its three daemons as children of the tests, everything in one folder."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import subprocess
import time
from pathlib import Path

DAEMONS = ("munged", "slurmctld", "slurmd")
START_S = 60
CPUS = 8
"""More than there are: a driver's job and those of its workers run at the same time on any machine."""
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


class Slurm:
    """The running daemons; `SLURM_CONF` in the environment leads every SLURM command to them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.children: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        host = socket.gethostname().split(".")[0]
        for name in ("state", "spool"):
            (self.folder / name).mkdir()
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o600)
        for index in range(
            GPUS
        ):  # a device that can be opened: SLURM drains a node whose GPUs are numbers only
            os.mknod(self.folder / f"fakegpu{index}", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        settings = CONFIGURATION.format(
            host=host,
            folder=self.folder,
            controller=free_port(),
            daemon=free_port(),
            cpus=CPUS,
            memory=MEMORY_MB,
            gpus=GPUS,
        )
        (self.folder / "slurm.conf").write_text(settings)
        (self.folder / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\nCgroupAutomount=no\n")
        (self.folder / "gres.conf").write_text(
            f"AutoDetect=off\nName=gpu File={self.folder}/fakegpu[0-{GPUS - 1}]\n"
        )
        os.environ["SLURM_CONF"] = str(self.folder / "slurm.conf")
        munge = [f"--{name}-file={self.folder}/munge.{name}" for name in ("key", "pid", "log", "seed")]
        self._spawn("munged", "--foreground", "--force", f"--socket={self.folder}/munge.socket", *munge)
        self._wait(lambda: (self.folder / "munge.socket").exists())
        self._spawn("slurmctld", "-D", "-c")
        self._spawn("slurmd", "-D", "-c")
        self._wait(lambda: "idle" in self.call("sinfo", "--noheader", "--format=%T", check=False))

    def stop(self) -> None:
        """Cancel all jobs, wait until they are gone, and end the daemons."""
        if self.children:
            self.cancel_all()
        for child in reversed(self.children):
            child.terminate()
        for child in reversed(self.children):
            try:
                child.wait(timeout=20)
            except subprocess.TimeoutExpired:
                child.kill()
        os.environ.pop("SLURM_CONF", None)

    def call(self, *command: str, check: bool = True) -> str:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        if check and done.returncode:
            raise RuntimeError(f"{' '.join(command)}: {done.stderr}")
        return done.stdout

    def jobs(self, name: str | None = None, states: str = "PENDING,RUNNING,COMPLETING") -> list[str]:
        """Ids of jobs in these states, all or those of one name, the oldest first."""
        selection = [f"--states={states}", *([f"--name={name}"] if name else [])]
        listed = self.call("squeue", "--noheader", "--format=%i", "--sort=i", *selection)
        return listed.split()

    def cancel(self, *jobs: str) -> None:
        self.call("scancel", *jobs, check=False)

    def cancel_all(self) -> None:
        self.call("scancel", "--user=root", check=False)
        self.wait_for_no_jobs()

    def wait_for_no_jobs(self, patience_s: float = 90) -> None:
        self._wait(lambda: not self.jobs(), patience_s)

    def _spawn(self, *command: str) -> None:
        path = shutil.which(command[0]) or f"/usr/sbin/{command[0]}"
        with (self.folder / f"{command[0]}.out").open("wb") as output:
            self.children.append(
                subprocess.Popen([path, *command[1:]], stdout=output, stderr=subprocess.STDOUT)
            )

    def _wait(self, condition: object, patience_s: float = START_S) -> None:
        assert callable(condition)
        until = time.monotonic() + patience_s
        while not condition():
            ended = [child.args for child in self.children if child.poll() is not None]
            if ended or time.monotonic() > until:
                outputs = "\n".join(path.read_text() for path in sorted(self.folder.glob("*.out")))
                raise RuntimeError(f"SLURM does not do what is waited for; ended: {ended}\n{outputs}")
            time.sleep(0.2)


def is_installed() -> bool:
    """Whether this machine has the daemons, and the right to start them."""
    found = [shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin") for name in DAEMONS]
    return os.geteuid() == 0 and all(found) and shutil.which("sbatch") is not None


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


def ended_by_signal(signum: int, frame: object) -> None:
    """SIGTERM as an exception, so that fixtures stop what they started."""
    raise SystemExit(128 + signal.SIGTERM)
