"""`ome-zarr`, `ome-zarr-models` and `napari` on exported OME-Zarr volumes."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.clients.environments import Client

pytestmark = pytest.mark.clients

VALIDATE = """
import json, sys, zarr
from ome_zarr.io import parse_url
from ome_zarr.reader import Label, Reader
from ome_zarr_models.v04 import Image, ImageLabel
found = {}
for path in sys.argv[1:]:
    group = zarr.open_group(path, mode="r")
    kind = ImageLabel if "image-label" in group.attrs else Image
    attributes = kind.from_zarr(group).attributes
    [node] = Reader(parse_url(path))()
    found[path] = {
        "levels": [list(level.shape) for level in node.data],
        "is_label": any(isinstance(spec, Label) for spec in node.specs),
        "colours": len(attributes.image_label.colors or ()) if kind is ImageLabel else 0,
    }
print(json.dumps(found))
"""

OPEN_IN_NAPARI = """
import json, sys
from npe2 import PluginManager
from napari.components import ViewerModel
PluginManager.instance().discover()
viewer, found = ViewerModel(), {}
for path in sys.argv[1:]:
    [layer] = viewer.open(path, plugin="napari-ome-zarr")
    is_labels = type(layer).__name__ == "Labels"
    found[path] = {
        "type": type(layer).__name__,
        "scale": layer.scale.tolist(),
        "units": [str(unit) for unit in layer.units],
        "names": layer.features["name"].tolist() if is_labels else [],
        "first_colour": layer.colormap.map(1).tolist() if is_labels else [],
    }
print(json.dumps(found))
"""


def list_volumes(exported: Path) -> dict[str, list[Path]]:
    """Return the exported volumes by kind."""
    runs = exported / "copick/ExperimentRuns"
    return {
        "image": sorted(runs.glob("*/VoxelSpacing*/*.zarr")),
        "labels": sorted(runs.glob("*/Segmentations/*-multilabel.zarr")),
        "vesicle": sorted(runs.glob("*/Segmentations/*vesicle.zarr")),
    }


def test_volumes_are_valid_and_labels_are_labels(install: Callable[..., Client], exported: Path) -> None:
    volumes = list_volumes(exported)
    found = install("ome-zarr").run(VALIDATE, *[path for paths in volumes.values() for path in paths])
    colours = {"image": 0, "labels": 4, "vesicle": 1}
    for kind, paths in volumes.items():
        assert len(paths) == 2
        for path in paths:
            result = found[str(path)]
            assert len(result["levels"]) == 3
            assert result["is_label"] == (kind != "image")
            assert result["colours"] == colours[kind]


def test_napari_shows_labels_by_class(install: Callable[..., Client], exported: Path) -> None:
    volumes = list_volumes(exported)
    found = install("napari").run(OPEN_IN_NAPARI, *[path for paths in volumes.values() for path in paths])
    for kind, paths in volumes.items():
        for path in paths:
            layer = found[str(path)]
            assert layer["type"] == ("Image" if kind == "image" else "Labels")
            assert layer["scale"] == [20, 20, 20]
            assert layer["units"] == ["angstrom"] * 3
    names = [found[str(path)]["names"] for path in volumes["labels"]]
    assert names == [["propeller", "boot", "vesicle", "fiducial"]] * 2
    first = found[str(volumes["labels"][0])]["first_colour"]
    assert first == pytest.approx([230 / 255, 25 / 255, 75 / 255, 1], abs=1e-3)
