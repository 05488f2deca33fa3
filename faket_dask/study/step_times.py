"""Time of a training step on this machine, from the user's cache or measured now.

The first plan with a network of some size takes some steps of few patches, seconds for all but the largest; the time of
the fastest is kept for the combination of host, threads, software version and network.
"""

from __future__ import annotations

import json
import socket
import time
from functools import lru_cache
from pathlib import Path

import numpy as np

from faket_dask._version import __version__
from faket_dask.atomic import write_text
from faket_dask.config.training import TrainingSection
from faket_dask.user_cache import cache_folder

STEPS = 4
"""Steps that are measured."""


def load_patch_time(training: TrainingSection, classes: int) -> float | None:
    """Return the seconds that one patch takes in a training step.

    Parameters
    ----------
    training
        Settings.
    classes
        Number of classes, background included.

    Returns
    -------
    seconds
        Time of its threads; ``None`` for a device that is not here.
    """
    size = f"{training.network} {training.width:g} {training.patch} {classes} {training.device}"
    return _load(size, training.threads, training.model_dump_json(), classes)


@lru_cache(maxsize=64)
def _load(size: str, threads: int, document: str, classes: int) -> float | None:
    path = cache_folder() / "calibration" / f"{socket.gethostname()}-{threads}-{__version__}-steps.json"
    times = _read(path)
    if size in times:
        return times[size]
    seconds = _measure(TrainingSection.model_validate_json(document), classes)
    if seconds is not None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_text(path, json.dumps({**_read(path), size: seconds}) + "\n")
        except OSError:
            pass  # a read-only home costs seconds a plan, nothing else
    return seconds


def _read(path: Path) -> dict[str, float]:
    try:
        return {str(name): float(seconds) for name, seconds in json.loads(path.read_text()).items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _measure(training: TrainingSection, classes: int) -> float | None:
    """Take some steps of few patches, and return the processor time of the fastest for each patch and thread."""
    import torch

    from faket_dask.kernels.picking.training_step import Trainer, choose_for_device
    from faket_dask.stages.process import prepare_process

    if training.device != "cpu" and not torch.cuda.is_available():
        return None
    prepare_process(training.threads)
    count = min(training.batch, 4 if training.patch <= 32 else 1)
    rng = np.random.default_rng(0)
    network = training.picker_network.create(classes, training.width, rng)
    trainer = Trainer(network, choose_for_device(training.device))
    patches = rng.standard_normal((count, 1, *(training.patch,) * 3), dtype=np.float32)
    channels = rng.integers(classes, size=(count, *(training.patch,) * 3))
    clock = time.perf_counter if training.device != "cpu" else time.process_time
    times = []
    for _ in range(STEPS):
        begin = clock()
        trainer.take_step(patches, channels)
        times.append(clock() - begin)
    return min(times) / count / (training.threads if training.device == "cpu" else 1)
