"""`octopi` on exported copick projects: training on voxel labels, and targets of its own from picks and membranes."""

from collections.abc import Callable
from pathlib import Path

import pytest

import faket_dask
from faket_dask.interchange.export import export
from tests.clients.environments import Client

pytestmark = pytest.mark.clients

TARGETS = """
import json, sys, copick, numpy
root = copick.from_file(sys.argv[1])
found = {}
for run in root.runs:
    [target], [vesicle] = (run.get_segmentations(name=name) for name in ("targets", "vesicle"))
    target, vesicle = target.numpy(), vesicle.numpy() > 0
    found[run.name] = {
        "values": numpy.unique(target).tolist(),
        "vesicle": [int((target == 3).sum()), int(((target == 3) & vesicle).sum()), int(vesicle.sum())],
    }
print(json.dumps(found))
"""

SMALL = (
    "--num-epochs 1 --val-interval 1 --ncache-tomos 1 --batch-size 1 --dim-in 16 --channels 8,16 --strides 2"
)


@pytest.fixture
def project(binned_dataset: faket_dask.Dataset, tmp_path: Path) -> Path:
    """Configuration of a project that octopi may write to."""
    list(export(binned_dataset, ["copick"], tmp_path, ["faket"]))
    return tmp_path / "copick/copick.json"


def run_names(project: Path) -> list[str]:
    return sorted(path.name for path in (project.parent / "ExperimentRuns").iterdir())


def test_octopi_trains_on_voxel_labels(install: Callable[..., Client], project: Path, tmp_path: Path) -> None:
    client = install("octopi")
    train, validate = run_names(project)
    source = ("--config", project, "--tomo-uri", "faket@20.0", "--target-uri", "labels:faketdask/0")
    runs = ("--trainRunIDs", train, "--validateRunIDs", validate)
    done = client.call("octopi", "train", *source, *runs, *SMALL.split(), "--output", tmp_path / "results")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "'labels': {'boot': 2, 'fiducial': 4, 'propeller': 1, 'vesicle': 3}" in done.stdout
    assert (tmp_path / "results/best_model.pth").stat().st_size > 1000
    assert "nan" not in (tmp_path / "results/results.csv").read_text()


def test_octopi_paints_picks_and_membranes(install: Callable[..., Client], project: Path) -> None:
    client = install("octopi")
    picks = ("--picks-user-id", "faketdask", "--picks-session-id", "0")
    done = client.call("octopi", "create-targets", "--config", project, *picks, "--tomo-uri", "faket@20.0")
    assert done.returncode == 0, done.stdout + done.stderr
    targets = client.run(TARGETS, project)
    assert sorted(targets) == run_names(project)
    for target in targets.values():
        assert target["values"] == [0, 1, 2, 3, 4]
        painted, inside, vesicle = target["vesicle"]
        assert painted == inside > 0.5 * vesicle
