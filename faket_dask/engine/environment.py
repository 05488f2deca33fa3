"""Computing environments: libraries, processor and device, which may decide the last bit of a result.

None of this is in the data, which is the same to the byte wherever it was made. Workers record their environment once
under `progress/environments`, named by its digest, and every marker names it. Results from two environments may
differ in rounding (one step of Adam is a sign), so a run that goes on in another environment warns.
"""

from __future__ import annotations

import hashlib
import platform
from functools import lru_cache
from importlib.metadata import version
from typing import Any

import llvmlite.binding
import yaml

from faket_dask._version import __version__
from faket_dask.atomic import write_text
from faket_dask.documents.yaml_file import read_document
from faket_dask.engine.folder import RunFolder
from faket_dask.errors import InputError

LIBRARIES = ("numpy", "scipy", "scikit-image", "numba", "torch", "zarr", "numcodecs")
"""Libraries that compute or encode results."""

VECTOR_FEATURES = ("sse4.2", "avx", "avx2", "fma", "avx512f", "avx512bf16", "amx-bf16", "neon", "sve", "sve2")
"""Processor features by which libraries choose among their kernels."""


@lru_cache(maxsize=2)
def describe_environment(device: str) -> dict[str, Any]:
    """Describe the libraries, the processor and, for ``"cuda"``, the graphics card of this process."""
    features = llvmlite.binding.get_host_cpu_features()
    environment: dict[str, Any] = {
        "faket_dask": __version__,
        "python": platform.python_version(),
        **{name: version(name) for name in LIBRARIES},
        "machine": platform.machine(),
        "instruction_set": " ".join(name for name in VECTOR_FEATURES if features.get(name)),
    }
    if device == "cuda":
        import torch

        environment["device"] = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    return environment


@lru_cache(maxsize=4)
def record_environment(folder: RunFolder, device: str) -> str:
    """Write this process's environment to the run's folder, once, and return its name."""
    environment = describe_environment(device)
    name = hashlib.sha256(yaml.safe_dump(environment).encode()).hexdigest()[:12]
    path = folder.environment(name)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, yaml.safe_dump(environment, sort_keys=False))
    return name


def compare_environments(folder: RunFolder, before: str, now: str) -> str:
    """List the differences between two recorded environments."""
    try:
        old, new = (
            read_document(folder.environment(name), "record of an environment").content
            for name in (before, now)
        )
        changes = [
            f"{key} {old.get(key)} → {new.get(key)}" for key in {**old, **new} if old.get(key) != new.get(key)
        ]
    except (InputError, AttributeError):
        return "one of them was not recorded"
    return ", ".join(changes)
