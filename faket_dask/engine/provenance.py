"""Record of each run under `progress/runs`: who ran what, where and with what outcome."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import yaml

from faket_dask.atomic import write_text
from faket_dask.engine.environment import describe_environment
from faket_dask.engine.specification import Specification
from faket_dask.engine.timestamps import utc_now


@contextmanager
def record_run(spec: Specification) -> Iterator[dict[str, Any]]:
    """Record a run while it goes on, and how it ended.

    Yields
    ------
    record
        Mapping that may be added to while the run goes on; its contents at the end of the block are kept.
    """
    host, process = socket.gethostname(), os.getpid()
    path = spec.folder.runs / f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{host}-{process}.yaml"
    record: dict[str, Any] = {
        "command": list(sys.argv),
        "host": host,
        "process": process,
        "started": utc_now(),
        "fingerprint": spec.fingerprint,
        **spec.provenance,
        "threads_per_task": spec.threads_per_task,
        "driver": describe_environment("cpu"),
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
        if path.exists():  # else the folder was moved away, and nothing may be created in its old place
            write()
