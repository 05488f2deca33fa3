"""Cluster profile: settings of one site's worker jobs, in one small YAML file.

Its keys are those of dask-jobqueue's own `jobqueue.yaml`, which also completes a profile. `cores` and `memory` limit
the request of one job; how much of that a job requests follows from the run (`faket_dask.cluster.sizing`). The name of
a batch system in place of a file is a profile that leaves everything else out.
"""

from __future__ import annotations

import re
import string
from pathlib import Path
from typing import Any

import dask
from dask.utils import parse_bytes
from pydantic import Field, ValidationError, ValidationInfo, field_validator

from faket_dask.cluster.jobs import BATCH_SYSTEMS, BatchSystem, JobSettings
from faket_dask.documents.explain import explain
from faket_dask.documents.section import TRUTH_VALUES, Section, resolve_path
from faket_dask.documents.yaml_file import read_document
from faket_dask.errors import InputError

DEFAULT_WORKERS = 16
"""Worker processes where neither the profile nor the run file says how many."""


class GPUSection(Section):
    """GPUs of a job. Runs that use GPUs request them, and no others."""

    memory: str = Field(description="of one GPU, such as 40GiB")
    per_job: int = Field(default=1, ge=1, description="each gets a worker process of its own")
    request: str | None = Field(
        default=None, description="directive with {gpus}, in place of the batch system's usual one"
    )

    @field_validator("memory")
    @classmethod
    def _has_unit(cls, value: str) -> str:
        return _check_bytes(value)

    @field_validator("request")
    @classmethod
    def _has_known_placeholders(cls, value: str | None) -> str | None:
        return _check_template(value, ("gpus",))

    @property
    def memory_bytes(self) -> int:
        """Memory of one GPU."""
        return int(parse_bytes(self.memory))


class Profile(Section):
    """Cluster profile; the user's `jobqueue.yaml` completes it."""

    system: str = Field(description="batch system, such as slurm")
    workers: int | None = Field(default=None, ge=1, description="worker processes at most, over all jobs")
    cores: int | None = Field(default=None, ge=1, description="most that one job may request")
    memory: str | None = Field(default=None, description="most that one job may request, such as 64GiB")
    gpu: GPUSection | None = None
    queue: str | None = Field(default=None, description="partition of SLURM")
    account: str | None = Field(default=None, description="project of Grid Engine and LSF")
    walltime: str | None = Field(default=None, description="of a worker job, 'HH:MM:SS'")
    resource_spec: str | None = Field(
        default=None, description="PBS and Grid Engine: the `-l` that requests {cores} and {memory}"
    )
    parallel_environment: str | None = Field(
        default=None, description="Grid Engine: environment whose slots are cores of one host; default: smp"
    )
    job_extra_directives: tuple[str, ...] | None = Field(
        default=None, description="further directives of the job script"
    )
    job_directives_skip: tuple[str, ...] | None = Field(
        default=None, description="texts; directives that contain one are left out of the job script"
    )
    job_script_prologue: tuple[str, ...] | None = Field(
        default=None, description="shell lines before the worker starts"
    )
    worker_extra_args: tuple[str, ...] | None = Field(
        default=None, description="further options of `dask worker`"
    )
    python: str | None = Field(default=None, description="default: the one that runs this")
    interface: str | None = Field(default=None, description="network of workers and scheduler, such as ib0")
    scheduler_options: dict[str, Any] | None = Field(default=None, description="such as {host: 10.0.0.1}")
    local_directory: str | None = Field(default=None, description="scratch of a worker on its own node")
    log_directory: Path | None = Field(default=None, description="default: progress/jobs of the data set")
    name: str = Field(default="faket-dask", description="of the jobs")

    _resolve_logs = field_validator("log_directory")(
        lambda path, info: path if path is None else resolve_path(path, info)
    )

    @field_validator("scheduler_options")
    @classmethod
    def _read_truth_values(cls, value: dict[str, Any] | None) -> dict[str, Any] | None:
        if value is None:
            return None
        return {key: TRUTH_VALUES.get(str(option).lower(), option) for key, option in value.items()}

    @field_validator("system")
    @classmethod
    def _is_known(cls, value: str) -> str:
        return BATCH_SYSTEMS.get(value).name

    @field_validator("memory")
    @classmethod
    def _has_unit(cls, value: str | None) -> str | None:
        return value if value is None else _check_bytes(value)

    @field_validator("walltime", mode="before")
    @classmethod
    def _is_time(cls, value: Any, info: ValidationInfo) -> Any:
        if isinstance(value, int):
            raise ValueError("without quotes it is a number in YAML; write '24:00:00' with them")
        system = _validated_system(info)
        if isinstance(value, str) and system is not None:
            system.parse_walltime(value)
        return value

    @field_validator("resource_spec")
    @classmethod
    def _fits_resources(cls, value: str | None, info: ValidationInfo) -> str | None:
        system = _validated_system(info)
        if value is None or system is None:
            return value
        if not system.resource_fields:
            raise ValueError(f"there is no such key for {system.title}; write it into job_extra_directives")
        return _check_template(value, system.resource_fields)

    @field_validator("parallel_environment")
    @classmethod
    def _fits_system(cls, value: str | None, info: ValidationInfo) -> str | None:
        system = _validated_system(info)
        if value is not None and system is not None and not system.has_parallel_environments:
            raise ValueError(f"there are no parallel environments in {system.title}; remove this key")
        return value

    @property
    def batch_system(self) -> BatchSystem:
        """Batch system that runs the jobs."""
        return BATCH_SYSTEMS.get(self.system)

    def resolve(self) -> JobSettings:
        """Return the settings of a job, completed by the user's `jobqueue.yaml`.

        Raises
        ------
        InputError
            When `jobqueue.yaml` has a walltime that cannot be read.
        """
        system = self.batch_system
        section = system.load_job_class().config_name

        def setting(key: str, default_key: str | None = None) -> Any:
            own = getattr(self, key)
            fallback = (default_key or key).replace("_", "-")
            return dask.config.get(f"jobqueue.{section}.{fallback}", None) if own is None else own

        memory, walltime = setting("memory"), str(setting("walltime"))
        try:
            walltime_s = system.parse_walltime(walltime)
        except ValueError as error:
            raise InputError(f"jobqueue.{section}.walltime of Dask's configuration: {error}") from None
        gpu_request = self.gpu.request if self.gpu is not None else None
        return JobSettings(
            name=self.name,
            walltime=walltime,
            walltime_s=walltime_s,
            gpu_request=gpu_request or system.gpu_request,
            cores=setting("cores"),
            memory_bytes=None if memory is None else int(parse_bytes(memory)),
            queue=setting("queue"),
            account=setting("account", system.account_keyword),
            resource_spec=setting("resource_spec"),
            parallel_environment=self.parallel_environment,
            job_extra_directives=tuple(setting("job_extra_directives") or ()),
            job_directives_skip=tuple(setting("job_directives_skip") or ()),
            job_script_prologue=tuple(setting("job_script_prologue") or ()),
            worker_extra_args=tuple(setting("worker_extra_args") or ()),
            python=setting("python"),
            interface=setting("interface"),
            scheduler_options=setting("scheduler_options") or {},
            local_directory=setting("local_directory"),
            log_directory=self.log_directory,
        )


def load_profile(name: str | Path) -> Profile:
    """Return the profile in a file, or the empty one of a batch system.

    Parameters
    ----------
    name
        Path of the file, or name of the batch system.

    Raises
    ------
    InputError
        When the file cannot be read or any value in it is wrong; one line per mistake.
    """
    known = BATCH_SYSTEMS.names
    if name in known:
        return Profile.model_validate({"system": name})
    path = Path(name)
    advice = f"give local, {', '.join(known)} or a file such as configs/cluster/slurm-cpu.yaml"
    document = read_document(path, "cluster profile", advice)
    if not isinstance(document.content, dict):
        raise InputError(f"{path}: a cluster profile is a mapping of keys (system, cores, memory, …)")
    try:
        return Profile.model_validate(document.content, context={"base": path.resolve().parent})
    except ValidationError as error:
        lines = explain(error, Profile, document=document).splitlines()
        raise InputError("\n".join(f"{path}: {line}" for line in lines)) from None


def _validated_system(info: ValidationInfo) -> BatchSystem | None:
    """Return the batch system of the profile that is being validated; None where its name is wrong."""
    return BATCH_SYSTEMS.get(info.data["system"]) if "system" in info.data else None


def _check_bytes(text: str) -> str:
    try:
        parse_bytes(text)
    except ValueError:
        raise ValueError("write a number and a unit, such as 64GiB") from None
    if not re.search(r"[A-Za-z]", text):
        raise ValueError("the unit is missing; write for example 64GiB")
    return text


def _check_template(text: str | None, names: tuple[str, ...]) -> str | None:
    if text is not None:
        for _, name, _, _ in string.Formatter().parse(text):
            if name is not None and name not in names:
                known = " and ".join(f"{{{known}}}" for known in names)
                raise ValueError(f"{{{name}}} cannot be filled in, {known} can")
    return text
