"""Recorded tilt-series in all formats: opened, aligned, reconstructed, beads on their labels."""

from pathlib import Path

import numpy as np
import pytest

from faket_dask.errors import InputError
from faket_dask.formats.imod import write_angles, write_transforms
from faket_dask.formats.mdoc import write_mdoc
from faket_dask.formats.mrc import open_stack, write_stack
from faket_dask.formats.openers import (
    FORMATS,
    MissingAnglesError,
    SeriesFormat,
    SeriesOptions,
    open_tilt_series,
)
from faket_dask.formats.openers.series_format import find_by_suffix
from faket_dask.formats.relion5 import RelionOptics, RelionTomogram
from faket_dask.formats.relion5_writing import write_project
from faket_dask.formats.shrec_writing import write_model
from faket_dask.formats.tilt_series import TiltSeries
from faket_dask.formats.tomostar import write_tomostar
from faket_dask.geometry import TiltGeometry, acquisition_order, centre_A
from tests.formats.conftest import VOXEL_A, Phantom, beads, make_phantom, reconstruction, registration_error

ROWS, COLUMNS = 130, 120
SIGMA = 1.5


def recorded(
    phantom: Phantom, axis: float, jitter: float = 0.0, wobble: float = 0.0
) -> tuple[TiltGeometry, np.ndarray]:
    """Draw the phantom's beads on an unaligned detector, tilt by tilt, at the positions of the geometry."""
    angles = phantom.geometry.tilt_angles
    rng = np.random.default_rng(3)
    wobbling = axis + np.random.default_rng(5).uniform(-wobble, wobble, angles.size).round(4)
    geometry = TiltGeometry(
        angles,
        VOXEL_A,
        tilt_axis_angle_deg=wobbling if wobble else axis,
        shift_A=rng.uniform(-jitter, jitter, (angles.size, 2)) if jitter else None,
        exposure_e_per_A2=np.full(angles.size, 2.5),
        acquisition_order=acquisition_order(angles, "dose_symmetric"),
    )
    points = beads(phantom.particles).reshape(-1, 3) - centre_A(phantom.volume.shape, VOXEL_A)
    places = geometry.point_to_detector(points) / VOXEL_A
    rows, columns = np.arange(ROWS) - ROWS // 2, np.arange(COLUMNS) - COLUMNS // 2
    along = [
        np.exp(-((places[..., i, None] - n) ** 2) / (2 * SIGMA**2)) for i, n in ((0, columns), (1, rows))
    ]
    stack = -np.sqrt(2 * np.pi) * SIGMA * np.einsum("tpr,tpc->trc", along[1], along[0])
    return geometry, stack.astype(np.float32)


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return make_phantom((40, 100, 90))


def measure_error(series: TiltSeries, phantom: Phantom) -> float:
    """Measure the registration error of a series' tomogram, whose volume is smaller than the detector."""
    stack = np.stack([series.tilt(tilt) for tilt in range(series.shape[0])])
    volume = reconstruction(stack, series.geometry, 40)
    moved = [volume.shape[axis] // 2 - phantom.volume.shape[axis] // 2 for axis in (1, 2)]
    inside = tuple(slice(m, m + size) for m, size in zip(moved, phantom.volume.shape[1:], strict=True))
    return registration_error(volume[:, inside[0], inside[1]], phantom.particles)


def write_tilts(folder: Path, stack: np.ndarray) -> list[str]:
    names = [f"t_{tilt:03d}.mrc" for tilt in range(len(stack))]
    for name, tilt in zip(names, stack, strict=True):
        write_stack(folder / name, [tilt], (1, *tilt.shape), VOXEL_A)
    return names


def make_transforms(geometry: TiltGeometry) -> np.ndarray:
    """Make the alignment as IMOD has it, about a centre in the middle of the image, half a pixel from ours."""
    phi = np.deg2rad(-geometry.tilt_axis_angles)
    turns = np.array([[np.cos(phi), -np.sin(phi)], [np.sin(phi), np.cos(phi)]]).transpose(2, 0, 1)
    shift = geometry.shift_A / VOXEL_A + [COLUMNS // 2 - (COLUMNS - 1) / 2, ROWS // 2 - (ROWS - 1) / 2]
    return np.concatenate((turns, -turns @ shift[..., None]), axis=2)


def test_stack_with_imod_angles(phantom: Phantom, tmp_path: Path) -> None:
    geometry, stack = recorded(phantom, 0)
    write_stack(tmp_path / "a.st", iter(stack), stack.shape, VOXEL_A)
    write_angles(tmp_path / "a.rawtlt", geometry.stage_angles)
    series = open_tilt_series(tmp_path / "a.st")
    assert series.geometry.tilt_angles.tolist() == geometry.tilt_angles.tolist()
    assert measure_error(series, phantom) < 0.1
    assert open_tilt_series(tmp_path).checksum() == series.checksum()
    write_angles(tmp_path / "a.tlt", geometry.tilt_angles)
    assert measure_error(open_tilt_series(tmp_path, sign="warp"), phantom) < 0.1
    mirrored = open_tilt_series(tmp_path)
    assert measure_error(mirrored, phantom) > 1


@pytest.mark.parametrize("axis", [-4.3, 84.7])
def test_stack_with_imod_alignment(phantom: Phantom, tmp_path: Path, axis: float) -> None:
    geometry, stack = recorded(phantom, axis, jitter=60.0)
    write_stack(tmp_path / "a.st", iter(stack), stack.shape, VOXEL_A)
    write_angles(tmp_path / "a.tlt", geometry.stage_angles)
    write_transforms(tmp_path / "a.xf", make_transforms(geometry))
    series = open_tilt_series(tmp_path)
    assert measure_error(series, phantom) > 1
    aligned = series.aligned()
    assert aligned.shape[1:] == ((COLUMNS, ROWS) if axis > 45 else (ROWS, COLUMNS))
    assert measure_error(aligned, phantom) < 0.1


def test_pixels_outside_detector_are_found(phantom: Phantom, tmp_path: Path) -> None:
    geometry, stack = recorded(phantom, -4.3, jitter=60.0)
    write_stack(tmp_path / "a.st", iter(100 + stack), stack.shape, VOXEL_A)
    write_angles(tmp_path / "a.tlt", geometry.stage_angles)
    write_transforms(tmp_path / "a.xf", make_transforms(geometry))
    series = open_tilt_series(tmp_path)
    assert not series.outside_detector(0).any()
    aligned = series.aligned()
    for tilt in (0, 20):
        beyond = aligned.outside_detector(tilt)
        assert 0.02 < beyond.mean() < 0.3
        assert set(aligned.tilt(tilt)[beyond]) == {100}
        assert np.median(aligned.tilt(tilt)) == pytest.approx(100, abs=0.1)


def test_stack_with_mdoc_in_acquisition_order(phantom: Phantom, tmp_path: Path) -> None:
    geometry, stack = recorded(phantom, 84.7)
    order = np.argsort(geometry.acquisition_order)
    write_mdoc(tmp_path / "sorted.mdoc", geometry, "a.mrc", (ROWS, COLUMNS), 300)
    head, *sections = (tmp_path / "sorted.mdoc").read_text().split("[ZValue = ")
    (tmp_path / "sorted.mdoc").unlink()
    bodies = [section.split("]", 1)[1] for section in sections]
    shuffled = [f"[ZValue = {z}]{bodies[tilt]}" for z, tilt in enumerate(order)]
    (tmp_path / "a.mrc.mdoc").write_text(head + "".join(shuffled))
    write_stack(tmp_path / "a.mrc", iter(stack[order]), stack.shape, VOXEL_A)
    for path in (tmp_path, tmp_path / "a.mrc", tmp_path / "a.mrc.mdoc"):
        series = open_tilt_series(path)
        assert series.geometry.acquisition_order.tolist() == geometry.acquisition_order.tolist()
        assert measure_error(series.aligned(), phantom) < 0.1


def test_single_images_with_mdoc(phantom: Phantom, tmp_path: Path) -> None:
    geometry, stack = recorded(phantom, -4.3)
    (tmp_path / "average").mkdir()
    names = write_tilts(tmp_path / "average", stack)
    write_mdoc(tmp_path / "a.mdoc", geometry, "a.mrc", (ROWS, COLUMNS), 300)
    text = (tmp_path / "a.mdoc").read_text()
    for tilt, name in enumerate(names):
        movie = name.replace(".mrc", ".tif")
        text = text.replace(
            f"[ZValue = {tilt}]\n", f"[ZValue = {tilt}]\nSubFramePath = D:\\frames\\{movie}\n"
        )
    (tmp_path / "a.mdoc").write_text(text)
    assert measure_error(open_tilt_series(tmp_path).aligned(), phantom) < 0.1
    (tmp_path / "average" / names[3]).unlink()
    with pytest.raises(InputError, match=r"no averaged image t_003\.mrc"):
        open_tilt_series(tmp_path)


def test_single_images_with_angle_file(phantom: Phantom, tmp_path: Path) -> None:
    """Images are ordered by name, in which 10 follows 9."""
    geometry, stack = recorded(phantom, 0)
    order = np.argsort(geometry.acquisition_order)
    for number, tilt in enumerate(order):
        write_stack(tmp_path / f"tilt {number}.mrc", [stack[tilt]], (1, ROWS, COLUMNS), VOXEL_A)
    with pytest.raises(InputError, match=r"needs one file of their angles, .* it has none"):
        open_tilt_series(tmp_path)
    write_angles(tmp_path / "any.rawtlt", geometry.stage_angles[order])
    assert measure_error(open_tilt_series(tmp_path), phantom) < 0.1
    explicit = open_tilt_series(tmp_path, tilt_angles=geometry.tilt_angles[order])
    assert explicit.geometry.tilt_angles.tolist() == geometry.tilt_angles.tolist()
    (tmp_path / "tilt 3.mrc").unlink()
    with pytest.raises(InputError, match=r"any.rawtlt has 40 angles, .* has 39 tilts"):
        open_tilt_series(tmp_path)


def test_shrec_model(phantom: Phantom, tmp_path: Path) -> None:
    """Its angles are used as they are written, whatever sign angle files have."""
    stacks = {name: (phantom.stack.shape, phantom.tilts()) for name in ("", "noiseless")}
    write_model(tmp_path, phantom.geometry, phantom.particles, {"grandmodel": phantom.volume}, stacks)
    for path, angles in (
        (tmp_path, None),
        (tmp_path / "projections_noiseless.mrc", None),
        (tmp_path / "projections.mrc", tmp_path / "alignment_simulated.txt"),
    ):
        series = open_tilt_series(path, tilt_angles=angles)
        volume = reconstruction(
            np.stack([series.tilt(i) for i in range(series.shape[0])]), series.geometry, 40
        )
        assert registration_error(volume, phantom.particles) < 0.1


def test_relion_project(phantom: Phantom, tmp_path: Path) -> None:
    geometry, stack = recorded(phantom, 84.7, jitter=60.0, wobble=2.0)
    write_stack(tmp_path / "a.mrc", iter(stack), stack.shape, VOXEL_A)
    tilts = len(geometry)
    tomogram = RelionTomogram(
        "a", geometry, RelionOptics(300, 2.7, 0.1), ("a.mrc",) * tilts, tuple(range(tilts)), (40, 100, 90)
    )
    write_project(tmp_path, [tomogram], {})
    series = open_tilt_series(tmp_path)
    np.testing.assert_allclose(series.geometry.shift_A, geometry.shift_A, atol=1e-5)
    assert measure_error(series.aligned(), phantom) < 0.1
    other = RelionTomogram("b", geometry, tomogram.optics, tomogram.stacks, tomogram.sections, tomogram.shape)
    write_project(tmp_path, [tomogram, other], {})
    with pytest.raises(InputError, match=r"2 tomograms; name one by --tomogram, .* such as 'a'"):
        open_tilt_series(tmp_path)
    assert open_tilt_series(tmp_path, tomogram="b").shape == stack.shape
    with pytest.raises(InputError, match="no tomogram 'c'; it has a, b"):
        open_tilt_series(tmp_path, tomogram="c")


def test_warp_project(phantom: Phantom, tmp_path: Path) -> None:
    geometry, stack = recorded(phantom, -4.3, jitter=60.0, wobble=2.0)
    (tmp_path / "frames/average").mkdir(parents=True)
    names = write_tilts(tmp_path / "frames/average", stack)
    (tmp_path / "tomostar").mkdir()
    movies = [f"../frames/{name.replace('.mrc', '.eer')}" for name in names]
    write_tomostar(tmp_path / "tomostar/a.tomostar", geometry, movies)
    series = open_tilt_series(tmp_path / "tomostar")
    assert series.pixel_size_A == pytest.approx(VOXEL_A)
    assert series.geometry.acquisition_order.tolist() == geometry.acquisition_order.tolist()
    assert measure_error(series.aligned(), phantom) < 0.1


def test_alignment_converts_to_xf_transforms(phantom: Phantom, tmp_path: Path) -> None:
    geometry, stack = recorded(phantom, 4.3, jitter=60.0, wobble=2.0)
    images = tuple((f, 0) for f in map(open_stack, (tmp_path / n for n in write_tilts(tmp_path, stack))))
    series = TiltSeries(geometry, images)
    assert series.needs_alignment
    np.testing.assert_allclose(series.xf_transforms(), make_transforms(geometry), atol=1e-9)
    aligned = series.aligned()
    assert not aligned.needs_alignment
    assert TiltSeries(aligned.geometry, images).xf_transforms() is None


def test_real_series_is_aligned_by_its_transforms(real_series: Path) -> None:
    series = open_tilt_series(real_series, sign="warp")
    assert series.shape == (41, 630, 652)
    np.testing.assert_allclose(series.geometry.tilt_angles[[0, 20, 40]], [-60.01, -0.01, 59.98])
    aligned = series.aligned()
    assert aligned.shape == series.shape
    assert 0.02 < aligned.outside_detector(0).mean() < 0.2
    assert np.isfinite(aligned.tilt(0)).all()


def test_unusable_series_are_refused(tmp_path: Path) -> None:
    stack = np.random.default_rng(0).random((3, 8, 9)).astype(np.float32)
    with pytest.raises(InputError, match=r"holds no stack, \.mdoc"):
        open_tilt_series(tmp_path)
    write_stack(tmp_path / "a.st", iter(stack), stack.shape, 10)
    with pytest.raises(InputError, match="no tilt angles for"):
        open_tilt_series(tmp_path / "a.st")
    with pytest.raises(InputError, match="tilt_angles has 2 angles"):
        open_tilt_series(tmp_path / "a.st", tilt_angles=[1, 2])
    with pytest.raises(InputError, match=r"no \.xf file beside it and no tilt-axis angle"):
        open_tilt_series(tmp_path / "a.st", tilt_angles=[1, 2, 3]).aligned()
    write_transforms(tmp_path / "a.xf", np.zeros((2, 2, 3)) + np.eye(2, 3))
    with pytest.raises(InputError, match="has 2 transforms"):
        open_tilt_series(tmp_path / "a.st", tilt_angles=[1, 2, 3])
    write_stack(tmp_path / "b.st", iter(stack), stack.shape, 10)
    with pytest.raises(InputError, match=r"holds several tilt-series \(a\.st, b\.st"):
        open_tilt_series(tmp_path)
    (tmp_path / "c.tomostar").write_text("data_\nloop_\n_wrpMovieName\n_wrpAngleTilt\nx.tif 0\n")
    with pytest.raises(InputError, match=r"no averaged image x\.mrc"):
        open_tilt_series(tmp_path)


def test_another_format_is_registered_from_outside(tmp_path: Path) -> None:
    def open_pair(path: Path, options: SeriesOptions) -> TiltSeries:
        stack = open_stack(path.with_suffix(".mrc"), pixel_size_A=options.pixel_size_A)
        angles = np.array([float(word) for word in path.read_text().split()])
        return TiltSeries(TiltGeometry(angles, stack.pixel_size_A), ((stack, 0), (stack, 1)))

    (tmp_path / "a.pair").write_text("-3 3")
    write_stack(tmp_path / "a.mrc", np.zeros((2, 4, 6), np.float32), (2, 4, 6), 2.5)
    FORMATS.insert(0, SeriesFormat((".pair",), find_by_suffix(".pair"), open_pair))
    try:
        for path in (tmp_path, tmp_path / "a.pair"):
            assert open_tilt_series(path).geometry.tilt_angles.tolist() == [-3, 3]
    finally:
        del FORMATS[0]


def test_stack_without_angles_has_its_own_error(tmp_path: Path) -> None:
    write_stack(tmp_path / "a.mrc", np.zeros((2, 4, 6), np.float32), (2, 4, 6), 2.5)
    with pytest.raises(MissingAnglesError, match="no tilt angles"):
        open_tilt_series(tmp_path / "a.mrc")
