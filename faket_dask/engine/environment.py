"""What may decide the last bit of a unit besides its inputs: libraries, processor, device; and a record of each run.

None of this is in the data, which is the same to the byte wherever it was made. Workers note their environment once
under `progress/environments`, named by its digest, and every marker names it; the driver notes each run under
`progress/runs`. Results from two environments may differ in rounding (one step of Adam is a sign), so a run that
goes on in another one says so.
"""

from __future__ import annotations

import hashlib
import os
import platform
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from importlib.metadata import version
from typing import Any

import llvmlite.binding
import yaml

from faket_dask._version import __version__
from faket_dask.atomic import write_text
from faket_dask.dataset.layout import Layout
from faket_dask.dataset.spec import KERNEL_VERSION, DatasetSpec
from faket_dask.engine.clock import utc_now

LIBRARIES = ("numpy", "scipy", "scikit-image", "numba", "torch", "zarr", "numcodecs")
"""That compute or encode what is written."""

VECTOR_FEATURES = ("sse4.2", "avx", "avx2", "fma", "avx512f", "avx512bf16", "amx-bf16", "neon", "sve", "sve2")
"""Of a processor, by which libraries choose among their kernels."""


@lru_cache(maxsize=2)
def environment(device: str) -> dict[str, Any]:
    """Libraries, processor and, for ``"cuda"``, the graphics card of this process."""
    features = llvmlite.binding.get_host_cpu_features()
    found: dict[str, Any] = {
        "faket_dask": __version__,
        "python": platform.python_version(),
        **{name: version(name) for name in LIBRARIES},
        "machine": platform.machine(),
        "instruction_set": " ".join(name for name in VECTOR_FEATURES if features.get(name)),
    }
    if device == "cuda":
        import torch

        found["device"] = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    return found


@lru_cache(maxsize=4)
def note_environment(layout: Layout, device: str) -> str:
    """Write down this process's environment, once, and give its name."""
    found = environment(device)
    name = hashlib.sha256(yaml.safe_dump(found).encode()).hexdigest()[:12]
    path = layout.environment(name)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, yaml.safe_dump(found, sort_keys=False))
    return name


def environment_change(layout: Layout, before: str, now: str) -> str:
    """In what two environments of a data set differ."""
    try:
        old, new = (yaml.safe_load(layout.environment(name).read_text()) for name in (before, now))
        changes = [
            f"{key} {old.get(key)} → {new.get(key)}" for key in {**old, **new} if old.get(key) != new.get(key)
        ]
    except (OSError, yaml.YAMLError, AttributeError):
        return "one of them was not recorded"
    return ", ".join(changes)


@contextmanager
def recorded_run(spec: DatasetSpec) -> Iterator[dict[str, Any]]:
    """Note a run while it goes on, and how it ended.

    Yields
    ------
    record
        May be added to while the run goes on; what is in it when the block ends is kept.
    """
    host, pid = socket.gethostname(), os.getpid()
    path = spec.layout.runs / f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{host}-{pid}.yaml"
    record: dict[str, Any] = {
        "command": list(sys.argv),
        "host": host,
        "process": pid,
        "started": utc_now(),
        "fingerprint": spec.fingerprint,
        "kernel_version": KERNEL_VERSION,
        "seed": spec.config.dataset.seed,
        "weights": spec.config.style.weights,
        "weights_sha256": spec.inputs.weights_checksum,
        "threads_per_task": spec.config.style.threads,
        "driver": environment("cpu"),
        "outcome": "not ended, or killed",
    }

    def write() -> None:
        write_text(path, yaml.safe_dump(record, sort_keys=False, allow_unicode=True))

    path.parent.mkdir(parents=True, exist_ok=True)
    write()
    try:
        yield record
        record["outcome"] = "ended"
    except BaseException as error:
        record["outcome"] = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        raise
    finally:
        record["ended"] = utc_now()
        if path.exists():  # else the data set was moved away, and nothing of it is to come back here
            write()
