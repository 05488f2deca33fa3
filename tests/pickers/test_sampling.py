"""Patches about objects: their places, their numbers, and their independence of how they are read."""

import threading
import time
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faket_dask.config.training import ObjectSampling, TrainingSection
from faket_dask.errors import InputError
from faket_dask.kernels.picking.patches import place_patch
from faket_dask.pickers.batches import prefetch, read_batch
from faket_dask.pickers.classes import agree_on_classes
from faket_dask.pickers.sampling import PatchPlace, PatchSampler
from faket_dask.pickers.training_tomogram import TrainingTomogram
from tests.pickers.volumes import make_tomogram


def make_sampler(tomograms: list[TrainingTomogram], **settings: object) -> PatchSampler:
    section = TrainingSection(**{"patch": 16, "batch": 4, "shift": 3, **settings})
    return PatchSampler(tomograms, agree_on_classes(tomograms, section.background), section)


@given(st.tuples(*[st.floats(-5, 60)] * 3), st.integers(1, 20), st.tuples(*[st.integers(20, 50)] * 3))
def test_patch_lies_in_the_volume_and_about_its_centre(
    centre: tuple[float, float, float], side: int, shape: tuple[int, int, int]
) -> None:
    for part, at, size in zip(place_patch(centre, side, shape), centre, shape, strict=True):
        assert part.start >= 0
        assert part.stop - part.start == side
        assert part.stop <= size
        if side / 2 + 1 <= at <= size - side / 2 - 1:
            assert abs(part.start + side // 2 - at) <= 0.5


def test_epoch_passes_once_over_all_objects() -> None:
    tomograms = [make_tomogram(0, objects=11), make_tomogram(1, objects=7)]
    sampler = make_sampler(tomograms, shift=0)
    assert sampler.steps == 18 // 4
    before = [str(place[:2]) for step in range(sampler.steps) for place in sampler.draw_batch(1, step)]
    drawn = Counter(before)
    everything = Counter(str(place[:2]) for place in sampler.list_centred())
    assert sum(drawn.values()) == 16
    assert drawn <= everything
    again = [str(place[:2]) for step in range(sampler.steps) for place in sampler.draw_batch(2, step)]
    assert again != before


def test_draws_depend_on_seed_epoch_and_step_alone() -> None:
    tomograms = [make_tomogram(0)]
    one, two, other = (make_sampler(tomograms, seed=seed) for seed in (1, 1, 2))
    steps = [(epoch, step) for epoch in (1, 2) for step in range(one.steps)]
    forwards = {at: one.draw_batch(*at) for at in steps}
    assert {at: two.draw_batch(*at) for at in reversed(steps)} == forwards
    assert {at: other.draw_batch(*at) for at in steps} != forwards


def test_shifts_and_turns_are_uniform() -> None:
    tomogram = make_tomogram(0, (64, 64, 64), objects=40)
    sampler = make_sampler([tomogram], shift=2, batch=40)
    places = [place for epoch in range(1, 26) for place in sampler.draw_batch(epoch, 0)]
    assert 0.45 < np.mean([place.turned for place in places]) < 0.55
    centred = {tuple(p.start for p in place.region) for place in sampler.list_centred()}
    inner = [p for p in places if all(3 < part.start < 45 for part in p.region)]
    nearest = [
        min(max(abs(a - b.start) for a, b in zip(c, p.region, strict=True)) for c in centred) for p in inner
    ]
    assert max(nearest) <= 2


def test_classes_are_sampled_equally() -> None:
    tomogram = make_tomogram(0, objects=20)
    rare = TrainingTomogram(
        "rare", tomogram.tomogram, tomogram.class_mask, tomogram.centre[:11], np.array([1] * 10 + [2]),
        tomogram.class_ids, 10.0,
    )  # fmt: skip
    sampler = make_sampler([rare], sampling=ObjectSampling.CLASSES, shift=0, steps=100)
    only = sampler.list_centred()[10].region
    drawn = [place.region == only for step in range(100) for place in sampler.draw_batch(1, step)]
    assert 0.4 < np.mean(drawn) < 0.6


def test_background_objects_are_no_centres() -> None:
    assert len(make_sampler([make_tomogram(objects=10)], background=("dark",))) == 5


def test_patches_are_standardised_and_turned_with_their_labels() -> None:
    tomogram = make_tomogram()
    sampler = make_sampler([tomogram])
    region = sampler.list_centred()[0].region
    straight, turned = (
        read_batch([tomogram], sampler.classes, [PatchPlace(0, region, flag)]) for flag in (False, True)
    )
    assert straight.patches.mean() == pytest.approx(0, abs=1e-6)
    assert straight.patches.std() == pytest.approx(1, abs=1e-5)
    np.testing.assert_array_equal(turned.patches, straight.patches[:, :, ::-1, :, ::-1])
    np.testing.assert_array_equal(turned.channels, straight.channels[:, ::-1, :, ::-1])
    np.testing.assert_array_equal(straight.channels[0], tomogram.class_mask[region])


def test_damage_is_told_with_its_place() -> None:
    tomogram = make_tomogram()
    tomogram.tomogram[5, 5, 5] = np.nan
    classes = agree_on_classes([tomogram])
    place = PatchPlace(0, (slice(0, 16),) * 3, False)
    with pytest.raises(InputError, match=r"tomogram cubes, patch from voxel \(0, 0, 0\) .* NaN"):
        read_batch([tomogram], classes, [place])


def test_prefetch_keeps_the_order_and_its_bound() -> None:
    lock, started, consumed, largest = threading.Lock(), 0, 0, 0

    def load(number: int) -> int:
        nonlocal started, largest
        with lock:
            started += 1
            largest = max(largest, started - consumed)
        time.sleep(0.001 * (number % 3))
        return number

    for expected, result in enumerate(prefetch(load, range(30), readers=3, ahead=4)):
        assert result == expected
        with lock:
            consumed += 1
    assert consumed == 30
    assert largest <= 6


def test_prefetch_stops_at_an_error() -> None:
    def load(number: int) -> int:
        if number == 3:
            raise InputError("damaged")
        return number

    results = prefetch(load, range(100))
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(InputError, match="damaged"):
        next(results)
