"""Stores as xarray opens them: one tree each, without a warning, with every array in it."""

import json
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from distributed import Client

import faket_dask
from faket_dask.config import parse
from faket_dask.engine.arrays import read_tilt
from faket_dask.engine.plan import read_plan
from faket_dask.engine.validate import forget, validate
from faket_dask.errors import InputError
from tests.runs import checksum_results, small_document

NAME = "specimen-000__b"


@pytest.fixture(scope="module")
def reconstructed(
    tiny_dataset: faket_dask.Dataset, one_worker: Client, tmp_path_factory: pytest.TempPathFactory
) -> faket_dask.Dataset:
    """The tiny data set with tomograms added later; not to be changed."""
    folder = tmp_path_factory.mktemp("stores") / "data"
    shutil.copytree(tiny_dataset.folder, folder)
    document = small_document(folder, reconstruction={"modalities": ["noiseless", "faket"], "binning": 2})
    document["outputs"]["report"] = True
    return faket_dask.run(parse(document, folder), one_worker)


@pytest.fixture(autouse=True)
def warnings_are_errors() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def list_stores(folder: Path) -> list[Path]:
    return sorted(folder.glob("*/*.zarr"))


def list_arrays(store: Path) -> set[str]:
    return {
        path.parent.relative_to(store).as_posix()
        for path in store.rglob("zarr.json")
        if json.loads(path.read_text())["node_type"] == "array"
    }


def list_variables(tree: xr.DataTree) -> set[str]:
    return {f"{group.path}/{name}".lstrip("/") for group in tree.subtree for name in group.variables}


def test_every_array_is_in_the_tree(reconstructed: faket_dask.Dataset) -> None:
    stores = list_stores(reconstructed.folder)
    assert {store.parent.name for store in stores} == {"references", "series", "specimens"}
    for store in stores:
        tree = xr.open_datatree(store)
        assert list_variables(tree) == list_arrays(store)
        assert not tree.to_dataset().variables, "the root holds arrays"
        assert tree.attrs["pixel_size_A"] == 10
        for group in tree.children:
            assert list_variables(xr.open_datatree(store, group=group))
            assert xr.open_zarr(store / group).variables  # opened by itself: without a warning, too


def test_groups_of_a_series(reconstructed: faket_dask.Dataset) -> None:
    tree = xr.open_datatree(reconstructed.folder / f"series/{NAME}.zarr")
    assert set(tree.children) == {"tilts", "tomograms", "filtered_tilts"}
    assert tree["tilts"].sizes == {"tilt": 5, "y": 96, "x": 80}
    assert tree["tomograms"].sizes == {"z": 30, "y": 48, "x": 40}
    assert tree["tilts"].attrs["reference"] == tree.attrs["reference"] == "b"


def test_series_opens_without_its_data_set(reconstructed: faket_dask.Dataset, tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere.zarr"
    shutil.copytree(reconstructed.folder / f"series/{NAME}.zarr", copy)
    tree = faket_dask.open_series(copy)
    stack = tree["tilts/faket"]
    assert stack.chunks is not None, "not lazy"
    at_20 = stack.sel(tilt_angle=18, method="nearest")
    assert float(at_20["tilt_angle"]) == 20
    np.testing.assert_array_equal(at_20, read_tilt(copy / "tilts", "faket", 3))
    assert tree["tomograms/faket"].dims == ("z", "y", "x")
    xr.testing.assert_identical(
        tree["tomograms/faket"].compute(), reconstructed.tomogram(NAME, "faket").compute()
    )


def test_angle_can_become_the_dimension(reconstructed: faket_dask.Dataset) -> None:
    series = reconstructed.open(NAME)
    tree = xr.open_datatree(reconstructed.folder / f"series/{NAME}.zarr")
    for stacks in (series.drop_indexes("tilt_angle"), tree["tilts"].to_dataset()):
        by_angle = stacks.swap_dims(tilt="tilt_angle")["faket"]
        assert by_angle.dims == ("tilt_angle", "y", "x")
        np.testing.assert_array_equal(by_angle.sel(tilt_angle=-20), series["faket"].sel(tilt_angle=-20))


def test_class_mask_names_its_values(reconstructed: faket_dask.Dataset) -> None:
    series = reconstructed.open(NAME)
    attributes = series["class_mask"].attrs
    names = dict(zip(attributes["flag_meanings"].split(), attributes["flag_values"], strict=True))
    assert names == {"background": 0, **series.attrs["class_ids"]}


def test_arrays_say_their_units(reconstructed: faket_dask.Dataset) -> None:
    series = reconstructed.open(NAME)
    units = {name: series[name].attrs.get("units") for name in ("density", "faket", "tilt_angle", "x")}
    assert units == {"density": "V", "faket": "arbitrary", "tilt_angle": "degrees", "x": "angstrom"}
    assert series["faket"].attrs["long_name"] == "projections in the reference's style"
    assert reconstructed.tomogram(NAME).attrs["units"] == "arbitrary"


def test_tomograms_added_later_leave_the_rest_as_it_was(
    reconstructed: faket_dask.Dataset, tiny_dataset: faket_dask.Dataset
) -> None:
    before, after = (checksum_results(dataset.folder) for dataset in (tiny_dataset, reconstructed))
    changed = {path for path, checksum in before.items() if after[path] != checksum}
    stores = [
        *(f"series/{name}" for name in reconstructed.series),
        *(f"specimens/specimen-00{i}" for i in (0, 1)),
    ]
    assert changed - {"plan.json"} == {f"{store}.zarr/zarr.json" for store in stores}
    assert validate(read_plan(reconstructed.folder)) == []


def test_stale_consolidated_metadata_is_found_and_repaired(
    reconstructed: faket_dask.Dataset, one_worker: Client, tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    shutil.copytree(reconstructed.folder, folder)
    root = folder / f"series/{NAME}.zarr/zarr.json"
    intact = root.read_bytes()
    document = json.loads(intact)
    del document["consolidated_metadata"]["metadata"]["tilts/faket"]
    root.write_text(json.dumps(document))
    damages = validate(read_plan(folder))
    assert [str(damage) for damage in damages] == [
        f"fit_noise {NAME} 0: series/{NAME}.zarr/zarr.json is not what was written"
    ]
    forget(read_plan(folder), damages)
    faket_dask.run(reconstructed.spec.relocate(folder).config, one_worker)
    assert root.read_bytes() == intact


def test_run_into_a_data_set_of_an_older_layout_is_refused(
    tiny_dataset: faket_dask.Dataset, one_worker: Client, tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    shutil.copytree(tiny_dataset.folder, folder)
    plan = json.loads((folder / "plan.json").read_text())
    (folder / "plan.json").write_text(json.dumps(plan | {"layout": plan["layout"] - 1}))
    for marker in (folder / "progress").rglob("[0-9]*.json"):
        document = json.loads(marker.read_text())
        if "inputs" in document:  # in which the layout is counted
            marker.write_text(json.dumps(document | {"inputs": "0" * 16}))
    before = checksum_results(folder)
    with pytest.raises(
        InputError, match="has folder layout 3, this version of faket_dask reads layout 4; make"
    ):
        faket_dask.run(tiny_dataset.spec.relocate(folder).config, one_worker)
    assert checksum_results(folder) == before


def test_what_is_no_series_is_refused(reconstructed: faket_dask.Dataset, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a series: give series/"):
        faket_dask.open_series(tmp_path)
    with pytest.raises(InputError, match="not an array or a part of it"):
        faket_dask.open_series(reconstructed.folder / f"series/{NAME}.zarr/tilts/faket")
    with pytest.raises(InputError, match=r"has no series x; its first is specimen-000__b"):
        reconstructed.open("x")
