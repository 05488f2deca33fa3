"""Requirements of runs without a data set."""

from faket_dask.cluster.requirements import GIB, Requirements, StageRequirement


def requirements(
    units: int = 100,
    memory_GiB: float = 2.0,
    seconds: float = 60.0,
    threads: int = 1,
    gpu_GiB: float = 0.0,
    widest: int | None = None,
) -> Requirements:
    """Return the requirements of a run with one stage."""
    stage = StageRequirement("style", units, int(memory_GiB * GIB), seconds, 0, int(gpu_GiB * GIB))
    return Requirements((stage,), widest=widest or units, threads_per_task=threads)
