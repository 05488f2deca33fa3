"""Interface between worker jobs and a batch system.

A batch system is one frozen object: how its jobs request cores, memory and GPUs, which command lists a user's jobs,
how it writes times, and which environment variables tell a job its own resources. Submission itself is that of the
job class of dask-jobqueue, or of a subclass of `dask_jobqueue.core.Job` from elsewhere.
"""

from __future__ import annotations

import pkgutil
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from faket_dask.cluster.jobs.request import JobSettings, Sizing

if TYPE_CHECKING:
    from faket_dask.cluster.jobs.jobqueue import Job


@dataclass(frozen=True, kw_only=True)
class BatchSystem(ABC):
    """One kind of batch system.

    Parameters
    ----------
    name
        Name in cluster profiles and of its section in `jobqueue.yaml`.
    title
        Name in messages.
    job_class
        Job class of dask-jobqueue, as ``package.module:Class``; imported when first used.
    gpu_request
        Usual request of ``{gpus}`` GPUs, where a profile gives none.
    resource_fields
        Placeholders that a profile's `resource_spec` may hold; empty where the batch system has no such key.
    has_parallel_environments
        True where several cores of a host are requested through a named parallel environment.
    account_keyword
        Keyword of the job class for the account that is charged.
    empty_queue_message
        Text with which the listing command fails when the user has no job; None where it succeeds.
    """

    name: str
    title: str
    job_class: str
    gpu_request: str
    resource_fields: tuple[str, ...] = ()
    has_parallel_environments: bool = False
    account_keyword: str = "account"
    empty_queue_message: str | None = None

    def load_job_class(self) -> type[Job]:
        """Import the job class."""
        import faket_dask.cluster.jobs.jobqueue  # noqa: F401 - imports dask-jobqueue without its side effect

        return pkgutil.resolve_name(self.job_class)

    @abstractmethod
    def options(self, settings: JobSettings, sizing: Sizing, logs: Path | None) -> dict[str, Any]:
        """Return the keywords of the job class by which a job requests its resources and names its output.

        Parameters
        ----------
        settings
            Settings of the site.
        sizing
            Resources of each job.
        logs
            Folder for the output of jobs, whose file names begin with the job's id.

        Returns
        -------
        dict
            Keywords that only this batch system has, and `job_extra_directives`.
        """

    @abstractmethod
    def queue_command(self, user: str) -> tuple[str, ...]:
        """Return the command that lists the jobs of a user which have not ended."""

    def parse_job_ids(self, listing: str) -> set[str]:
        """Return the ids of jobs in the output of `queue_command`, one job a line that begins with its number.

        Examples
        --------
        >>> from faket_dask.cluster.jobs import BATCH_SYSTEMS
        >>> sorted(BATCH_SYSTEMS.get("slurm").parse_job_ids("17\\n18\\n"))
        ['17', '18']
        """
        return set(re.findall(r"^\s*(\d+)", listing, flags=re.MULTILINE))

    def parse_walltime(self, text: str) -> float:
        """Return the seconds of a time limit, written ``HH:MM:SS``, ``MM:SS`` or as seconds.

        Raises
        ------
        ValueError
            When it is no time, or zero.
        """
        return parse_clock(text, short=("S", "M:S"))

    def allocated_cores(self, environment: Mapping[str, str]) -> int | None:
        """Return the cores of the job that has these environment variables; None if unknown or outside of a job."""
        return None

    def allocated_bytes(self, environment: Mapping[str, str]) -> int | None:
        """Return the memory of the job that has these environment variables; None if unknown or outside of a job."""
        return None


def parse_clock(text: str, short: tuple[str, ...]) -> float:
    """Return the seconds of a time, written ``H:M:S`` or in one of the given short forms.

    Parameters
    ----------
    text
        Time, such as ``"02:30:00"``.
    short
        Other forms that are allowed, out of ``S``, ``M``, ``M:S``, ``H:M``, ``D-H``, ``D-H:M`` and ``D-H:M:S``.

    Raises
    ------
    ValueError
        When it is no time, or zero.

    Examples
    --------
    >>> parse_clock("02:30:00", short=())
    9000.0
    >>> parse_clock("90", short=("M",))
    5400.0
    """
    seconds = {"D": 86400, "H": 3600, "M": 60, "S": 1}
    for form in ("H:M:S", *short):
        match = re.fullmatch(re.sub("[DHMS]", r"(\\d+)", form), text.strip())
        if match is not None:
            units = re.findall("[DHMS]", form)
            total = sum(int(count) * seconds[unit] for count, unit in zip(match.groups(), units, strict=True))
            if total == 0:
                raise ValueError(f"{text!r} is a time of zero seconds")
            return float(total)
    raise ValueError(f"{text!r} is no time; write 'HH:MM:SS'")


def read_count(environment: Mapping[str, str], variable: str) -> int | None:
    """Return a positive whole number from an environment variable; None if it holds none.

    Examples
    --------
    >>> read_count({"NCPUS": "4", "EMPTY": ""}, "NCPUS")
    4
    >>> read_count({"NCPUS": "4", "EMPTY": ""}, "EMPTY") is None
    True
    """
    text = environment.get(variable, "")
    return int(text) if text.isdecimal() and int(text) else None
