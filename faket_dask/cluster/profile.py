"""A cluster profile: what one site's batch system wants to be asked, in one small YAML file.

Its keys are those of dask-jobqueue's own `jobqueue.yaml`, and what a profile leaves out comes from there; `cores`
and `memory` say what a job may ask for at most, and how much of that is asked for follows from the run
(`faket_dask.cluster.sizing`). `slurm` or `pbs` in place of a file is a profile that leaves everything out.
"""

from __future__ import annotations

import re
import string
from pathlib import Path
from typing import Any, Literal

import dask
from dask.utils import parse_bytes
from pydantic import Field, ValidationError, field_validator, model_validator

from faket_dask.config.document import read_document
from faket_dask.config.explain import explain
from faket_dask.config.section import Section, resolve_path
from faket_dask.errors import InputError

System = Literal["slurm", "pbs"]

SYSTEMS: tuple[System, ...] = ("slurm", "pbs")

DEFAULT_WORKERS = 16
"""Worker processes where neither the profile nor the run file says how many."""


class GPUSection(Section):
    """The GPUs of a job. They are asked for by runs that use them, and by no others."""

    memory: str = Field(description="of one GPU, such as 40GiB")
    per_job: int = Field(default=1, ge=1, description="each gets a worker process of its own")
    request: str | None = Field(
        default=None,
        description="default: --gres=gpu:{gpus} for SLURM, ngpus={gpus} for PBS, where it becomes part of `select`",
    )

    @field_validator("memory")
    @classmethod
    def _is_bytes(cls, value: str) -> str:
        return _checked_bytes(value)

    @field_validator("request")
    @classmethod
    def _has_known_placeholders(cls, value: str | None) -> str | None:
        return _checked_template(value, "gpus")

    @property
    def memory_bytes(self) -> int:
        return int(parse_bytes(self.memory))


class Profile(Section):
    """A cluster profile; what is left out comes from the user's `jobqueue.yaml`."""

    system: System
    workers: int | None = Field(default=None, ge=1, description="worker processes at most, over all jobs")
    cores: int | None = Field(default=None, ge=1, description="that one job may ask for")
    memory: str | None = Field(default=None, description="that one job may ask for, such as 64GiB")
    gpu: GPUSection | None = None
    queue: str | None = Field(default=None, description="partition of SLURM")
    account: str | None = None
    walltime: str | None = Field(default=None, description="of a worker job, 'HH:MM:SS'")
    resource_spec: str | None = Field(
        default=None, description="PBS only: the `-l` that asks for {cores} and {memory}"
    )
    job_extra_directives: tuple[str, ...] | None = None
    job_directives_skip: tuple[str, ...] | None = None
    job_script_prologue: tuple[str, ...] | None = Field(
        default=None, description="shell lines before the worker starts"
    )
    worker_extra_args: tuple[str, ...] | None = None
    python: str | None = Field(default=None, description="default: the one that runs this")
    interface: str | None = Field(default=None, description="network of workers and scheduler, such as ib0")
    scheduler_options: dict[str, Any] | None = Field(default=None, description="such as {host: 10.0.0.1}")
    local_directory: str | None = Field(default=None, description="scratch of a worker on its own node")
    log_directory: Path | None = Field(default=None, description="default: progress/jobs of the data set")
    name: str = Field(default="faket-dask", description="of the jobs")

    _resolve_logs = field_validator("log_directory")(
        lambda path, info: path if path is None else resolve_path(path, info)
    )

    @field_validator("memory")
    @classmethod
    def _is_bytes(cls, value: str | None) -> str | None:
        return value if value is None else _checked_bytes(value)

    @field_validator("walltime", mode="before")
    @classmethod
    def _is_a_time(cls, value: Any) -> Any:
        if isinstance(value, int):
            raise ValueError("without quotes it is a number in YAML; write '24:00:00' with them")
        if isinstance(value, str):
            parse_walltime(value)
        return value

    @field_validator("resource_spec")
    @classmethod
    def _has_known_placeholders(cls, value: str | None) -> str | None:
        return _checked_template(value, "cores", "memory")

    @model_validator(mode="after")
    def _belongs_to_the_system(self) -> Profile:
        if self.resource_spec is not None and self.system != "pbs":
            raise ValueError("resource_spec is PBS's; for SLURM write it into job_extra_directives")
        return self

    def setting(self, name: str) -> Any:
        """A value of the profile, or else of `jobqueue.yaml`."""
        import faket_dask.cluster.jobs.jobqueue  # noqa: F401 - puts its defaults into Dask's configuration

        own = getattr(self, name)
        if own is not None:
            return own
        return dask.config.get(f"jobqueue.{self.system}.{name.replace('_', '-')}", None)

    @property
    def memory_bytes(self) -> int | None:
        """That one job may ask for; None without a limit."""
        found = self.setting("memory")
        return None if found is None else int(parse_bytes(found))

    @property
    def walltime_s(self) -> float:
        """Of a worker job.

        Raises
        ------
        InputError
            When `jobqueue.yaml` has one that cannot be read.
        """
        try:
            return parse_walltime(str(self.setting("walltime")))
        except ValueError as error:
            raise InputError(f"jobqueue.{self.system}.walltime of Dask's configuration: {error}") from None


def load_profile(name: str | Path) -> Profile:
    """The profile in a file, or the one that `slurm` or `pbs` stands for.

    Raises
    ------
    InputError
        When the file cannot be read or any value in it is wrong; one line per mistake.
    """
    if name in SYSTEMS:
        return Profile.model_validate({"system": name})
    path = Path(name)
    advice = "give local, slurm, pbs or a file such as configs/cluster/slurm-cpu.yaml"
    document = read_document(path, "cluster profile", advice)
    if not isinstance(document, dict):
        raise InputError(f"{path}: a cluster profile is a mapping of keys (system, cores, memory, …)")
    try:
        return Profile.model_validate(document, context={"base": path.resolve().parent})
    except ValidationError as error:
        lines = explain(error, Profile).splitlines()
        raise InputError("\n".join(f"{path}: {line}" for line in lines)) from None


def parse_walltime(text: str) -> float:
    """Seconds of a time as SLURM and PBS write it: ``HH:MM:SS``, or ``D-HH:MM:SS`` for SLURM.

    SLURM's shorter forms are read as SLURM reads them: ``MM`` and ``MM:SS``, ``D-HH`` and ``D-HH:MM``.
    """
    match = re.fullmatch(r"(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?", text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no time; write 'HH:MM:SS'")
    days, *rest = match.groups()
    parts = [int(part) for part in rest if part is not None]
    if days is not None or len(parts) == 3:
        hours, minutes, seconds = (*parts, 0, 0)[:3]
    else:
        hours, (minutes, seconds) = 0, (*parts, 0)[:2]
    total = ((int(days or 0) * 24 + hours) * 60 + minutes) * 60 + seconds
    if total == 0:
        raise ValueError(f"{text!r} is no time at all")
    return float(total)


def _checked_bytes(text: str) -> str:
    try:
        parse_bytes(text)
    except ValueError:
        raise ValueError("write a number and a unit, such as 64GiB") from None
    if not re.search(r"[A-Za-z]", text):
        raise ValueError("the unit is missing; write for example 64GiB")
    return text


def _checked_template(text: str | None, *names: str) -> str | None:
    if text is not None:
        for _, name, _, _ in string.Formatter().parse(text):
            if name is not None and name not in names:
                known = " and ".join(f"{{{known}}}" for known in names)
                raise ValueError(f"{{{name}}} cannot be filled in, {known} can")
    return text
