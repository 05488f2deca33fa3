"""Segmentation of whole tomograms: blocks, their independence, and the same bytes from units and graphs."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr
from distributed import Client
from hypothesis import given
from hypothesis import strategies as st

import faket_dask
from faket_dask.config.training import DatasetTomograms, SegmentationSection, TomogramFiles, TrainingSection
from faket_dask.engine.plan import Plan
from faket_dask.engine.validate import validate
from faket_dask.errors import InputError, UnfinishedError
from faket_dask.formats.mrc import write_volume
from faket_dask.graphs import segment
from faket_dask.kernels.moments import standardise
from faket_dask.kernels.picking.deepfinder import DeepFinder
from faket_dask.pickers.checkpoint import Checkpoint
from faket_dask.pickers.classes import agree_on_classes
from faket_dask.pickers.segmentation_run import SEGMENTATION, SegmentationSpec, segment_tomograms
from faket_dask.pickers.train import begin_training
from faket_dask.pickers.training_data import TrainingData
from faket_dask.stages.segmentation import (
    Blocks,
    TrainedNetwork,
    list_pieces,
    measure_piece,
    merge_moments,
    segment_block,
)
from tests.pickers.volumes import make_tomogram


@pytest.fixture(scope="module")
def checkpoint() -> Checkpoint:
    tomograms = (make_tomogram(0), make_tomogram(1))
    data = TrainingData(tomograms, (), agree_on_classes(tomograms))
    run = begin_training(TrainingSection(patch=8, batch=4, width=0.125, shift=2, learning_rate=5e-3), data)
    run.train(range(1, 4))
    return run.save()


@pytest.fixture(scope="module")
def network(checkpoint: Checkpoint) -> TrainedNetwork:
    return checkpoint.select_network()


@given(
    st.tuples(*[st.integers(1, 60)] * 3), st.integers(1, 40), st.integers(0, 20), st.sampled_from([1, 4, 8])
)
def test_blocks_keep_each_voxel_once_and_read_their_rims(
    shape: tuple[int, int, int], kept: int, rim: int, stride: int
) -> None:
    blocks = Blocks(shape, kept, rim, stride)
    if len(blocks) > 500:
        return
    count = np.zeros(shape, dtype=int)
    for index in range(len(blocks)):
        count[blocks.kept_region(index)] += 1
        for read, inner, own, size in zip(
            blocks.read_region(index),
            blocks.inner_region(index),
            blocks.kept_region(index),
            shape,
            strict=True,
        ):
            assert read.start <= own.start - rim
            assert read.stop >= own.stop + rim
            assert read.start % stride == read.stop % stride == 0
            assert (inner.start, inner.stop) == (max(0, read.start), min(size, read.stop))
    assert (count == 1).all()


def test_moments_of_pieces_are_those_of_the_whole() -> None:
    values = np.random.default_rng(1).normal(3, 2, (140, 70, 5)).astype(np.float32)
    pieces = list_pieces(values.shape)
    assert len(pieces) == 4
    moments = merge_moments(measure_piece(values[region]) for region in pieces)
    np.testing.assert_allclose(moments, (values.mean(dtype=float), values.std(dtype=float)), rtol=1e-12)


def segment_whole(network: TrainedNetwork, values: np.ndarray, block: int, rim: int) -> np.ndarray:
    blocks = Blocks(values.shape, block - 2 * rim, rim, network.stride)
    moments = merge_moments(measure_piece(values[region]) for region in list_pieces(values.shape))
    scores = np.zeros((3, *values.shape), dtype=np.uint8)
    for index in range(len(blocks)):
        part = segment_block(network, values[blocks.inner_region(index)], blocks, index, moments)
        scores[(slice(None), *blocks.kept_region(index))] = part
    return scores


def test_result_does_not_depend_on_blocks_with_rims_of_the_receptive_field(network: TrainedNetwork) -> None:
    values = make_tomogram(5, (12, 21, 50)).tomogram
    rim = DeepFinder.RECEPTIVE_FIELD
    whole = segment_whole(network, values, 50 + 2 * rim, rim)
    assert whole[0].min() < 100 < whole[0].max()
    for kept in (25, 30):  # neither is a multiple of the stride
        blocks = segment_whole(network, values, kept + 2 * rim, rim)
        # Rounding of sums may turn a byte by one.
        assert np.abs(whole.astype(int) - blocks).max() <= 1
        assert (whole != blocks).mean() < 1e-3


def test_scores_are_probabilities_of_the_standardised_tomogram(network: TrainedNetwork) -> None:
    values = make_tomogram(5).tomogram
    scores = segment_whole(network, values * 7 + 100, 48, 12)
    np.testing.assert_allclose(scores.sum(axis=0, dtype=int), 255, atol=2)
    np.testing.assert_allclose(
        scores.astype(int), segment_whole(network, standardise(values), 48, 12), atol=1
    )


def test_units_and_graph_give_the_same_bytes(
    checkpoint: Checkpoint, one_worker: Client, tmp_path: Path
) -> None:
    tomogram = make_tomogram(6, (20, 40, 36)).tomogram
    write_volume(tmp_path / "cubes.mrc", tomogram, 10.0)
    checkpoint.write(tmp_path / "model.npz")
    sections = [TomogramFiles(files=(tmp_path / "cubes.mrc",))]
    blocks = SegmentationSection(block=36, rim=8)
    scores = segment_tomograms(tmp_path / "out", tmp_path / "model.npz", sections, one_worker, blocks=blocks)
    assert scores["cubes"].shape == (3, 20, 40, 36)
    lazy = xr.DataArray(tomogram, dims=("z", "y", "x")).chunk({"y": 7, "x": 11})
    graph = segment(lazy, checkpoint.select_network(), block=36, rim=8)
    assert graph["class"].values.tolist() == ["background", "bright", "dark"]
    np.testing.assert_array_equal(scores["cubes"][...], graph.compute(scheduler="single-threaded").values)
    plan = Plan(SegmentationSpec.read(tmp_path / "out"), SEGMENTATION)
    assert validate(plan) == []
    opened = xr.open_zarr(tmp_path / "out/segmentations/cubes.zarr", consolidated=False)
    np.testing.assert_allclose(opened["scores"].sum("class").values, 1, atol=0.01)
    again = segment_tomograms(tmp_path / "out", tmp_path / "model.npz", sections, one_worker, blocks=blocks)
    assert isinstance(again["cubes"], zarr.Array)
    with pytest.raises(InputError, match=r"holds another run .* They differ in blocks"):
        segment_tomograms(tmp_path / "out", tmp_path / "model.npz", sections, one_worker)


def test_tomograms_of_a_dataset_are_segmented(
    checkpoint: Checkpoint, tomogram_dataset: faket_dask.Dataset, one_worker: Client, tmp_path: Path
) -> None:
    checkpoint.write(tmp_path / "model.npz")
    name = tomogram_dataset.series[0]
    section = DatasetTomograms(folder=tomogram_dataset.folder, modality="noiseless", series=(name,))
    blocks = SegmentationSection(block=60, rim=8)
    scores = segment_tomograms(tmp_path / "out", tmp_path / "model.npz", [section], one_worker, blocks=blocks)
    graph = segment(
        tomogram_dataset.tomogram(name, "noiseless"), checkpoint.select_network(), block=60, rim=8
    )
    [array] = scores.values()
    np.testing.assert_array_equal(array[...], graph.compute(scheduler="single-threaded").values)


def test_unusable_tomograms_are_refused(
    checkpoint: Checkpoint, network: TrainedNetwork, one_worker: Client, tmp_path: Path
) -> None:
    checkpoint.write(tmp_path / "model.npz")
    values = make_tomogram().tomogram
    values[1, 2, 3] = np.nan
    write_volume(tmp_path / "cubes.mrc", values, 10.0)
    files = TomogramFiles(files=(tmp_path / "cubes.mrc",))
    with pytest.raises(UnfinishedError, match=r"measure cubes 0: .* holds NaN or infinity"):
        segment_tomograms(tmp_path / "out", tmp_path / "model.npz", [files], one_worker)
    with pytest.raises(InputError, match="two tomograms are called cubes"):
        segment_tomograms(tmp_path / "two", tmp_path / "model.npz", [files, files], one_worker)
    lazy = xr.DataArray(values, dims=("z", "y", "x"))
    with pytest.raises(InputError, match="keeps none; lower the rim"):
        segment(lazy, network, block=16, rim=8)
    with pytest.raises(InputError, match=r"needs a tomogram with the dimensions \(z, y, x\)"):
        segment(lazy.rename(z="tilt"), network)
