"""Data sets made by real runs, whose stores the lazy graphs must agree with."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from distributed import Client

import faket_dask
from faket_dask.config import parse
from faket_dask.formats.mrc import write_stack
from tests.runs import small_document

RECORDED_ANGLES = (-30.0, 5.0, 35.0)


def paired(folder: Path) -> dict[str, Any]:
    """Published settings, a simulated reference with the angles of the series."""
    return {"references": [{"kind": "simulated", "name": "ref"}]}


def recorded(folder: Path) -> dict[str, Any]:
    """A recorded reference of other angles, number of tilts and size than the series, everything else unusual."""
    stack = np.random.default_rng(3).gamma(4.0, size=(len(RECORDED_ANGLES), 50, 70)).astype(np.float32)
    write_stack(folder / "ref.mrc", stack, stack.shape, 10.0)
    return {
        "references": [
            {"name": "ref", "stack": "ref.mrc", "tilt_angles": list(RECORDED_ANGLES), "mask": "none"}
        ],
        "noise": {"statistics": "given", "given": {"signal_scale": [0.4], "noise_scale": [0.9]}},
        "style": {
            "angle_match": "interpolate",
            "clip_percent": 1.0,
            "step_size": 0.5,
            "step_unit": "start_std",
            "pooling": "average",
        },
    }


def matched(folder: Path) -> dict[str, Any]:
    """The method `matched` on a recorded reference with a bead in it."""
    document = recorded(folder)
    bead = np.hypot(*np.mgrid[-20:30, -30:40]) < 4
    stack = np.random.default_rng(4).gamma(40.0, size=(len(RECORDED_ANGLES), 50, 70)).astype(np.float32)
    write_stack(folder / "ref.mrc", stack - 100 * bead.astype(np.float32), stack.shape, 10.0)
    del document["references"][0]["mask"]
    style = {"preset": "matched", "noise": "white", "angle_match": "interpolate", "evaluations": 3}
    return {**document, "style": style}


@pytest.fixture(scope="session", params=[paired, recorded, matched], ids=["paired", "recorded", "matched"])
def dataset(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> faket_dask.Dataset:
    """One series of three 96 x 80 tilts with everything that was synthesised on the way; look, do not touch."""
    folder = tmp_path_factory.mktemp("graphs")
    document = small_document(
        folder / "data",
        specimen={"count": 1},
        acquisition={"tilt_angles": [-40, 0, 40]},
        outputs={"modalities": ["faket", "noisy", "content"]},
        **request.param(folder),
    )
    with Client(processes=False, n_workers=1, threads_per_worker=1, dashboard_address=":0") as client:
        made = faket_dask.run(parse(document, folder), client)
    assert not made.failures
    return made
