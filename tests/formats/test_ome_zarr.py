"""OME-Zarr volumes: their levels, and agreement with other readers."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import zarr

from faket_dask.formats.ome_zarr import LabelClass, open_volume, write_volume


@pytest.mark.parametrize("shape", [(8, 12, 16), (9, 13, 15), (70, 65, 130), (1, 1, 1)])
def test_levels_halve_and_stay_registered(tmp_path: Path, shape: tuple[int, int, int]) -> None:
    volume = np.random.default_rng(0).random(shape).astype(np.float32)
    write_volume(tmp_path / "a.zarr", volume, 8.5)
    group = zarr.open_group(str(tmp_path / "a.zarr"), mode="r")
    levels = [np.asarray(group[str(level)][...]) for level in range(3)]
    np.testing.assert_array_equal(levels[0], volume)
    for fine, coarse in pairwise(levels):
        assert coarse.shape == tuple(-(-size // 2) for size in fine.shape)
        padded = np.pad(fine, [(0, size % 2) for size in fine.shape], mode="edge")
        z, y, x = coarse.shape
        mean = padded.reshape(z, 2, y, 2, x, 2).mean(axis=(1, 3, 5))
        np.testing.assert_allclose(coarse, mean, rtol=1e-5)


def test_labels_are_never_averaged(tmp_path: Path) -> None:
    labels = np.random.default_rng(0).choice(np.array([0, 3, 9], dtype=np.uint8), (70, 9, 20))
    write_volume(tmp_path / "a.zarr", labels, 10, labels=[])
    group = zarr.open_group(str(tmp_path / "a.zarr"), mode="r")
    np.testing.assert_array_equal(group["1"][...], labels[::2, ::2, ::2])
    np.testing.assert_array_equal(group["2"][...], labels[::4, ::4, ::4])
    assert group["2"].dtype == np.uint8


def test_metadata_are_of_version_0_4_on_zarr_v2(tmp_path: Path) -> None:
    write_volume(tmp_path / "a.zarr", np.zeros((70, 9, 20), dtype=np.float32), 10)
    assert json.loads((tmp_path / "a.zarr/.zgroup").read_text()) == {"zarr_format": 2}
    array = json.loads((tmp_path / "a.zarr/0/.zarray").read_text())
    assert (array["zarr_format"], array["dimension_separator"], array["chunks"]) == (2, "/", [64, 9, 20])
    [multiscale] = json.loads((tmp_path / "a.zarr/.zattrs").read_text())["multiscales"]
    assert multiscale["version"] == "0.4"
    assert [(axis["name"], axis["type"], axis["unit"]) for axis in multiscale["axes"]] == [
        ("z", "space", "angstrom"),
        ("y", "space", "angstrom"),
        ("x", "space", "angstrom"),
    ]
    transformations = [dataset["coordinateTransformations"] for dataset in multiscale["datasets"]]
    assert [t[0] for t in transformations] == [
        {"type": "scale", "scale": [10 * 2**level] * 3} for level in range(3)
    ]
    assert transformations[1][1] == {"type": "translation", "translation": [5, 5, 5]}
    assert transformations[2][1] == {"type": "translation", "translation": [15, 15, 15]}


def test_labels_say_that_they_are_labels(tmp_path: Path) -> None:
    labels = np.zeros((4, 5, 6), dtype=np.uint8)
    classes = [LabelClass(1, "boot", (230, 25, 75)), LabelClass(4, "vesicle", (0, 130, 200))]
    for name, options in (("named", classes), ("unnamed", []), ("image", None)):
        write_volume(tmp_path / name, labels, 10, labels=options)
    metadata = {path.name: json.loads((path / ".zattrs").read_text()) for path in tmp_path.iterdir()}
    assert metadata["named"]["image-label"] == {
        "version": "0.4",
        "colors": [
            {"label-value": 1, "rgba": [230, 25, 75, 255]},
            {"label-value": 4, "rgba": [0, 130, 200, 255]},
        ],
        "properties": [{"label-value": 1, "name": "boot"}, {"label-value": 4, "name": "vesicle"}],
    }
    assert metadata["unnamed"]["image-label"] == {"version": "0.4"}
    assert "image-label" not in metadata["image"]


def test_version_0_5_in_nanometers_is_read(tmp_path: Path) -> None:
    group = zarr.open_group(str(tmp_path / "a.zarr"), mode="w", zarr_format=3)
    group.create_array("s0", data=np.ones((2, 3, 4), dtype=np.float32))
    axes = [{"name": name, "type": "space", "unit": "nanometer"} for name in "zyx"]
    scale = [{"type": "scale", "scale": [1.5, 1.5, 1.5]}]
    group.attrs["ome"] = {
        "version": "0.5",
        "multiscales": [{"axes": axes, "datasets": [{"path": "s0", "coordinateTransformations": scale}]}],
    }
    volume = open_volume(tmp_path / "a.zarr")
    assert volume.voxel_size_A == pytest.approx(15)
    assert volume.data.shape == (2, 3, 4)


def test_existing_volume_is_replaced(tmp_path: Path) -> None:
    for size in (100, 5):
        write_volume(tmp_path / "a.zarr", np.ones((size, 5, 5), dtype=np.float32), 10)
    assert open_volume(tmp_path / "a.zarr").data.shape == (5, 5, 5)
    assert not (tmp_path / "a.zarr/0/1").exists()
