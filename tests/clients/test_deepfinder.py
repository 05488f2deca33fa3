"""DeepFinder's own loader, rotation and training on exported training data."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

import faket_dask
from faket_dask.formats.mrc import open_volume
from faket_dask.specimen.particles import ParticleTable, read_particles
from tests.clients.environments import Client

pytestmark = pytest.mark.clients

PYTHON = "python3.9"
"""The newest that DeepFinder's release of TensorFlow runs with."""

LOAD = """
import json, os, sys
from deepfinder.utils.dataloader import Dataloader
data, targets, training, validation = Dataloader()(sys.argv[1])
paths = [[os.path.relpath(path, sys.argv[1]) for path in paths] for paths in (data, targets)]
print()
print(json.dumps([*paths, training, validation]))
"""

# Rotates an array with one bright spot by the angles of each object; prints where the spot comes to lie.
ROTATE = """
import json, sys
import numpy as np
from deepfinder.utils import common, objl
places, arm = [], np.array([float(word) for word in sys.argv[2:]])
z, y, x = np.indices((32, 32, 32)) - 16
spot = np.exp(-((x - arm[0]) ** 2 + (y - arm[1]) ** 2 + (z - arm[2]) ** 2) / 4.0)
for item in objl.read(sys.argv[1]):
    turned = common.rotate_array(spot, (item["phi"], item["psi"], item["the"]))
    places.append([float((axis * turned).sum() / turned.sum()) for axis in (x, y, z)])
print()
print(json.dumps(places))
"""

TRAIN = """
import json, sys
from deepfinder.training import Train
from deepfinder.utils.dataloader import Dataloader
data, targets, training, validation = Dataloader()(sys.argv[1])
trainer = Train(Ncl=int(sys.argv[3]), dim_in=16)
trainer.path_out = sys.argv[2] + "/"
trainer.epochs = trainer.steps_per_epoch = trainer.steps_per_valid = 1
trainer.batch_size = 2
trainer.Lrnd = 2
trainer.flag_direct_read = False
trainer.launch(data, targets, training, validation)
print()
print(json.dumps([item["label"] for item in training]))
"""


# Saves the network's weights, random patches and what it makes of them.
PREDICT = """
import json, sys
import numpy as np
from deepfinder.models import my_model
network = my_model(16, 16)
generator = np.random.default_rng(0)
network.set_weights([generator.normal(0, 0.05, w.shape).astype(np.float32) for w in network.get_weights()])
patches = generator.normal(size=(2, 16, 16, 16, 1)).astype(np.float32)
arrays = {f"weight{k:02d}": w for k, w in enumerate(network.get_weights())}
np.savez(sys.argv[1], patches=patches, scores=network.predict(patches), **arrays)
print()
print(json.dumps(network.count_params()))
"""


def listed_particles(exported: Path, series: str) -> ParticleTable:
    """Return the particles of a series, in Å from the first voxel of its tomograms, without membranes."""
    table = read_particles(exported / f"mrc/{series}_particles.csv")
    return table.select(table.class_name != "vesicle")


def test_loader_finds_splits_and_reads_places(
    install: Callable[..., Client], binned_dataset: faket_dask.Dataset, exported: Path
) -> None:
    folder = exported / "deepfinder"
    data, targets, *lists = install("deepfinder", PYTHON).run(LOAD, folder)
    assert {Path(path).parts[0] for path in data} == {"train", "valid"}
    for path, target in zip(data, targets, strict=True):
        assert open_volume(folder / path).shape == open_volume(folder / target).shape
    for objects in lists:
        path = data[objects[0]["tomo_idx"]]
        series = Path(path).stem.removesuffix("_faket")
        table = listed_particles(exported, series)
        assert [item["label"] for item in objects] == table.class_id.tolist()
        voxels = np.array([[item[axis] for axis in "xyz"] for item in objects])
        np.testing.assert_allclose(
            voxels, table.centre_A / open_volume(folder / path).voxel_size_A, atol=1e-3
        )


def test_rotation_by_its_angles_is_the_particle_s(install: Callable[..., Client], exported: Path) -> None:
    [objects] = (exported / "deepfinder/train").glob("*_objl.xml")
    table = listed_particles(exported, objects.name.removesuffix("_faket_objl.xml"))
    client = install("deepfinder", PYTHON)
    for arm in ([7.0, 0.0, 0.0], [0.0, 7.0, 0.0], [0.0, 0.0, 7.0]):
        places = np.array(client.run(ROTATE, objects, *arm))
        np.testing.assert_allclose(places, table.rotation @ arm, atol=0.1)


def test_network_is_trained_on_exported_data(
    install: Callable[..., Client], exported: Path, tmp_path: Path
) -> None:
    folder = exported / "deepfinder"
    classes = len((folder / "classes.txt").read_text().splitlines())
    install("deepfinder", PYTHON).run(TRAIN, folder, tmp_path, classes)
    assert (tmp_path / "net_weights_FINAL.h5").stat().st_size


def test_our_network_has_its_scores_with_its_weights(install: Callable[..., Client], tmp_path: Path) -> None:
    from faket_dask.kernels.picking.deepfinder import DeepFinder

    parameters = install("deepfinder", PYTHON).run(PREDICT, tmp_path / "network.npz")
    ours = DeepFinder(16)
    assert sum(parameter.numel() for parameter in ours.parameters()) == parameters
    with np.load(tmp_path / "network.npz") as saved:
        ours.load_keras([saved[name] for name in sorted(saved.files) if name.startswith("weight")])
        patches, expected = torch.from_numpy(saved["patches"]), saved["scores"]
    with torch.no_grad():
        scores = ours(patches.permute(0, 4, 1, 2, 3)).softmax(1).permute(0, 2, 3, 4, 1).numpy()
    assert np.ptp(expected) > 0.1  # the scores say something
    np.testing.assert_allclose(scores, expected, atol=1e-5)
