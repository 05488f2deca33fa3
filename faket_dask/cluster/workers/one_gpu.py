"""Assign one GPU to each worker process, by the number in the worker's name.

PyTorch reads `CUDA_VISIBLE_DEVICES` when it first uses a GPU, which is after a worker's start, so a plugin can still
set it. A worker that is restarted keeps its name, and so its GPU.
"""

from __future__ import annotations

import os
import re

from distributed import Worker, WorkerPlugin

VISIBLE = "CUDA_VISIBLE_DEVICES"


def list_visible_gpus() -> list[str]:
    """Return the GPUs that this process may use, named as in `CUDA_VISIBLE_DEVICES`."""
    if VISIBLE in os.environ:
        return [name for name in os.environ[VISIBLE].split(",") if name not in ("", "-1", "NoDevFiles")]
    import torch

    return [str(index) for index in range(torch.cuda.device_count())]


class OneGPUEach(WorkerPlugin):
    """Show a worker one of the GPUs of its node or job."""

    name = "one-gpu-each"

    def setup(self, worker: Worker) -> None:
        """Choose the GPU by the last number in the worker's name."""
        numbers = re.findall(r"\d+", str(worker.name))
        gpus = list_visible_gpus()
        if numbers and len(gpus) > 1:
            os.environ[VISIBLE] = gpus[int(numbers[-1]) % len(gpus)]
