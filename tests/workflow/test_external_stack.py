"""Interrupted reconstruction of a recorded series: the same command resumes, and the target is only ever complete."""

import os
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pytest

from faket_dask.config import ReconstructionSection
from faket_dask.errors import DatasetBusyError
from faket_dask.formats.imod import write_angles
from faket_dask.formats.mrc import open_samples, write_stack
from faket_dask.formats.ome_zarr import open_volume
from faket_dask.formats.openers import open_tilt_series
from faket_dask.formats.tilt_series import TiltSeries
from faket_dask.workflow.external_stack import reconstruct_series

PATIENCE_S = 120
ANGLES = np.arange(-60.0, 61, 3)
LARGE = ReconstructionSection(thickness_A=1300)
SMALL = ReconstructionSection(thickness_A=200, filter="ramp")


def write_series(path: Path, rows: int, columns: int, seed: int = 0) -> Path:
    rng = np.random.default_rng(seed)
    tilts = (rng.standard_normal((rows, columns), dtype=np.float32) for _ in ANGLES)
    write_stack(path, tilts, (ANGLES.size, rows, columns), 10.0)
    write_angles(path.with_suffix(".tlt"), -ANGLES)
    return path


@pytest.fixture(scope="module")
def large_stack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stack whose reconstruction takes seconds, so that a process can be stopped on the way."""
    return write_series(tmp_path_factory.mktemp("large") / "a.mrc", 320, 400)


@pytest.fixture(scope="module")
def undisturbed(large_stack: Path) -> bytes:
    reconstruct_series(open_tilt_series(large_stack), large_stack.with_name("rec.mrc"), LARGE)
    return large_stack.with_name("rec.mrc").read_bytes()


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    return write_series(tmp_path / "in/a.mrc", 70, 40)


class Stopped(BaseException):
    """Stop like that by a signal, at a place of the test's choice."""


class StopAt:
    """Callback that stops once a share of the work is done."""

    def __init__(self, share: float) -> None:
        self.left = share

    def __call__(self, share: float) -> None:
        self.left -= share
        if self.left < 1e-9:
            raise Stopped


def list_markers(folder: Path, stage: str = "*") -> dict[Path, int]:
    """Return the markers of an unfinished tomogram's units with the times of their writing."""
    progress = folder / ".rec.mrc.unfinished/progress"
    return {path: path.stat().st_mtime_ns for path in progress.glob(f"{stage}/tomogram/*.json")}


@pytest.mark.parametrize(
    ("kill", "stage"),
    [
        (signal.SIGKILL, "reconstruct"),
        (signal.SIGTERM, "filter"),
        pytest.param(signal.SIGKILL, "filter", marks=pytest.mark.slow),
    ],
)
def test_killed_process_keeps_its_finished_units(
    large_stack: Path, undisturbed: bytes, tmp_path: Path, kill: signal.Signals, stage: str
) -> None:
    target = tmp_path / "rec.mrc"
    write_stack(target, np.zeros((1, 2, 2), np.float32), (1, 2, 2), 10.0)
    earlier = target.read_bytes()
    command = [sys.executable, "-m", "faket_dask.cli", "reconstruct", str(large_stack)]
    command += ["--thickness-A", "1300", "--to", str(target)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + PATIENCE_S
    while len(list_markers(tmp_path, stage)) < 3:
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.002)
    process.send_signal(kill)
    _, output = process.communicate(timeout=PATIENCE_S)
    if kill == signal.SIGTERM:
        assert process.returncode == 130
        assert "continues where it stopped" in output
    assert target.read_bytes() == earlier
    kept = list_markers(tmp_path)
    assert len(list_markers(tmp_path, stage)) >= 3
    at_end: list[dict[Path, int]] = []

    def look(share: float) -> None:
        at_end[:] = [list_markers(tmp_path)]

    reconstruct_series(open_tilt_series(large_stack), target, LARGE, advance=look)
    assert kept.items() <= at_end[0].items(), "finished units were computed again"
    assert len(kept) < len(at_end[0]), "the process had ended before it was stopped"
    assert target.read_bytes() == undisturbed
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("name", ["rec.mrc", "rec.zarr"])
@pytest.mark.parametrize("share", [0.01, 0.1, 0.6, 1.0])
def test_reconstruction_resumes_from_any_share(
    stack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, share: float
) -> None:
    series, target = open_tilt_series(stack), tmp_path / name
    reconstruct_series(series, tmp_path / f"expected.{name}", SMALL)
    reconstruct_series(open_tilt_series(write_series(tmp_path / "in/b.mrc", 70, 40, seed=1)), target, SMALL)
    with pytest.raises(Stopped):
        reconstruct_series(series, target, SMALL, advance=StopAt(share))
    read: list[int] = []
    tilt = TiltSeries.tilt
    monkeypatch.setattr(TiltSeries, "tilt", lambda self, index: read.append(index) or tilt(self, index))
    reconstruct_series(series, target, SMALL)
    assert len(read) < ANGLES.size if share < 0.15 else read == []
    if name == "rec.mrc":
        assert target.read_bytes() == (tmp_path / "expected.rec.mrc").read_bytes()
    else:
        expected = open_volume(tmp_path / "expected.rec.zarr").data[...]
        np.testing.assert_array_equal(open_volume(target).data[...], expected)
    assert not target.with_name(f".{name}.unfinished").exists()


def test_other_settings_or_images_start_anew(stack: Path, tmp_path: Path) -> None:
    target, series = tmp_path / "rec.mrc", open_tilt_series(stack)
    other = SMALL.model_copy(update={"filter": "hann"})
    with pytest.raises(Stopped):
        reconstruct_series(series, target, SMALL, advance=StopAt(0.6))
    with pytest.warns(UserWarning, match=r"rec\.mrc was of other images or settings; it is begun anew"):
        reconstruct_series(series, target, other)
    reconstruct_series(series, tmp_path / "expected.mrc", other)
    assert target.read_bytes() == (tmp_path / "expected.mrc").read_bytes()

    with pytest.raises(Stopped):
        reconstruct_series(series, target, SMALL, advance=StopAt(0.6))
    times = stack.stat().st_atime_ns, stack.stat().st_mtime_ns
    write_series(stack, 70, 40, seed=2)
    os.utime(stack, ns=times)  # so that only their contents differ
    with pytest.warns(UserWarning, match="begun anew"):
        reconstruct_series(series, target, SMALL)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        reconstruct_series(series, tmp_path / "expected.mrc", SMALL)
    assert target.read_bytes() == (tmp_path / "expected.mrc").read_bytes()


def test_second_process_is_refused(stack: Path, tmp_path: Path) -> None:
    target, series = tmp_path / "rec.mrc", open_tilt_series(stack)

    def second(share: float) -> None:
        with pytest.raises(DatasetBusyError, match="another run is working on"):
            reconstruct_series(series, target, SMALL)

    reconstruct_series(series, target, SMALL, advance=second)
    assert target.exists()


def test_erasing_beads_changes_nothing_where_there_are_none(stack: Path) -> None:
    series = open_tilt_series(stack)
    plain, erased = stack.with_name("plain.mrc"), stack.with_name("erased.mrc")
    reconstruct_series(series, plain, SMALL)
    reconstruct_series(series, erased, SMALL.model_copy(update={"erase_beads": True}))
    assert read_samples(erased).tobytes() == read_samples(plain).tobytes()


def test_erased_beads_leave_no_streaks_in_a_tomogram(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    tilts = rng.standard_normal((ANGLES.size, 96, 80), dtype=np.float32)
    tilts[:, 40:46, 37:43] -= 40
    write_stack(tmp_path / "a.mrc", iter(tilts), tilts.shape, 10.0)
    write_angles(tmp_path / "a.tlt", -ANGLES)
    series = open_tilt_series(tmp_path / "a.mrc")
    spread = []
    for erase in (False, True):
        target = tmp_path / f"{erase}.mrc"
        reconstruct_series(series, target, SMALL.model_copy(update={"erase_beads": erase}))
        spread.append(read_samples(target)[:, 36:50].std() / read_samples(target)[:, 70:].std())
    assert spread[0] > 2
    assert spread[1] < 1.2


def read_samples(path: Path) -> np.ndarray:
    volume = open_samples(path)
    return volume.rows(0, volume.shape[1])
