"""One GPU for each worker process: those of a node are dealt out by the number in a worker's name.

PyTorch looks at `CUDA_VISIBLE_DEVICES` when it first uses a GPU, which is later than a worker's start, so a plugin
can still choose. A worker that is started again keeps its name, and so its GPU.
"""

from __future__ import annotations

import os
import re

from distributed import Worker, WorkerPlugin

VISIBLE = "CUDA_VISIBLE_DEVICES"


def visible_gpus() -> list[str]:
    """Names of the GPUs that this process may use, as `CUDA_VISIBLE_DEVICES` has them."""
    if VISIBLE in os.environ:
        return [name for name in os.environ[VISIBLE].split(",") if name not in ("", "-1", "NoDevFiles")]
    import torch

    return [str(index) for index in range(torch.cuda.device_count())]


class OneGPUEach(WorkerPlugin):
    """Shows a worker one of the GPUs of its node or job."""

    name = "one-gpu-each"

    def setup(self, worker: Worker) -> None:
        numbers = re.findall(r"\d+", str(worker.name))
        gpus = visible_gpus()
        if numbers and len(gpus) > 1:
            os.environ[VISIBLE] = gpus[int(numbers[-1]) % len(gpus)]
