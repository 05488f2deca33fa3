"""End to end, per format: project, export, read back, reconstruct; every bead lies on its label.

Where a format has a reader that is not ours (mrcfile, mdocfile, starfile, Zarr, JSON), the phantom is seen through that
one, too; copick needs an environment of its own and is in `test_copick`.
"""

import json
from pathlib import Path

import mdocfile
import mrcfile
import numpy as np
import pytest
import starfile
import zarr
from scipy.spatial.transform import Rotation

from faket_dask.formats import copick, copick_writing, ome_zarr, portal
from faket_dask.formats.imod import read_angles
from faket_dask.formats.mdoc import read_mdoc, write_mdoc
from faket_dask.formats.mrc import open_stack, open_volume, write_stack, write_volume
from faket_dask.formats.particle_list import ParticleList
from faket_dask.formats.relion5 import RelionOptics, RelionTomogram, read_particles, read_tomograms
from faket_dask.formats.relion5_writing import write_project
from faket_dask.formats.shrec import read_model
from faket_dask.formats.shrec_writing import write_model
from faket_dask.formats.tilt_com import read_tilt_com, write_tilt_com
from faket_dask.formats.tomostar import read_tomostar, write_tomostar
from faket_dask.geometry import TiltGeometry, centre_A
from tests.ctf import make_ctf, means_um
from tests.formats.conftest import (
    VOXEL_A,
    WITHIN_DEG,
    Phantom,
    assert_registered,
    beads,
    make_phantom,
    orientation_error,
    reconstruction,
    registration_error,
)


def all_tilts(path: Path) -> np.ndarray:
    stack = open_stack(path)
    return np.stack([stack.tilt(tilt) for tilt in range(stack.shape[0])])


def test_phantom_detects_misregistration(phantom: Phantom) -> None:
    volume = reconstruction(phantom.stack, phantom.geometry, phantom.volume.shape[0])
    assert_registered(volume, phantom.particles)
    for mirrored in (volume[::-1], volume[:, ::-1], volume[:, :, ::-1]):
        assert registration_error(mirrored, phantom.particles) > 1
    wrong_sign = TiltGeometry(-phantom.geometry.tilt_angles[::-1], VOXEL_A)
    volume = reconstruction(phantom.stack[::-1][::-1], wrong_sign, phantom.volume.shape[0])
    assert registration_error(volume, phantom.particles) > 1


def test_mrc(phantom: Phantom, tmp_path: Path) -> None:
    write_stack(tmp_path / "a.mrc", phantom.tilts(), phantom.stack.shape, VOXEL_A)
    write_volume(tmp_path / "labels.mrc", phantom.class_mask, VOXEL_A)
    volume = reconstruction(all_tilts(tmp_path / "a.mrc"), phantom.geometry, phantom.volume.shape[0])
    assert_registered(volume, phantom.particles)
    assert_registered(
        reconstruction(mrcfile.read(tmp_path / "a.mrc"), phantom.geometry, volume.shape[0]), phantom.particles
    )
    labels = open_volume(tmp_path / "labels.mrc")
    np.testing.assert_array_equal(labels.rows(0, labels.shape[1]), phantom.class_mask)


def test_imod(phantom: Phantom, tmp_path: Path) -> None:
    """`tilt`'s own geometry, then the quarter turn of `trimvol -rx`, puts every bead on our label."""
    depth, rows, columns = phantom.volume.shape
    write_tilt_com(tmp_path, "a", phantom.geometry, (rows, columns), depth)
    options = read_tilt_com(tmp_path / "tilt.com")
    thickness, width = int(options["THICKNESS"][0]), int(options["FULLIMAGE"][0])
    axis = sum(map(float, options["OFFSET"][1:]))  # the second number may be left out
    shift, lift = (float(word) for word in options["SHIFT"])
    angles = np.deg2rad(read_angles(tmp_path / options["TILTFILE"][0]))
    # Places are counted from 1 there, and whole numbers are halved as whole numbers.
    x = np.arange(1, width + 1) - (width // 2 + 0.5 + axis + shift)
    layer = np.arange(1, thickness + 1) - (thickness // 2 + 0.5 + lift)
    rec = np.zeros((rows, thickness, width))
    filtered = phantom.stack - phantom.stack.mean(axis=2, keepdims=True)
    filtered = np.fft.ifft(np.fft.fft(filtered) * np.abs(np.fft.fftfreq(width))).real
    for tilt, angle in zip(filtered, angles, strict=True):
        place = x[None] * np.cos(angle) - layer[:, None] * np.sin(angle) + width / 2 + 0.5 + axis
        for y in range(rows):
            rec[y] += np.interp(place, np.arange(1, width + 1), tilt[y], left=0, right=0)
    turned = rec.transpose(1, 0, 2)[::-1]
    assert_registered(turned, phantom.particles)


def test_shrec(tmp_path: Path) -> None:
    phantom = make_phantom((40, 96, 96))
    write_model(
        tmp_path / "model_0",
        phantom.geometry,
        phantom.particles,
        {
            "grandmodel": phantom.volume,
            "class_mask": phantom.class_mask,
            "occupancy_mask": phantom.instance_mask,
        },
        {"": (phantom.stack.shape, phantom.tilts()), "noiseless": (phantom.stack.shape, phantom.tilts())},
    )
    model = read_model(tmp_path / "model_0")
    assert set(model.projections) == {"projections", "projections_noiseless"}
    assert model.geometry is not None
    np.testing.assert_allclose(model.geometry.tilt_angles, phantom.geometry.tilt_angles)
    size = model.volumes["grandmodel"].shape
    assert size == (96, 96, 96)
    volume = reconstruction(all_tilts(model.projections["projections"].path), model.geometry, size[0])
    assert_registered(volume, model.particles)
    assert orientation_error(model.particles, phantom.particles) < WITHIN_DEG
    assert_registered(*read_shrec_text(tmp_path / "model_0"))
    assert model.particles.class_name.tolist() == ["1BXN", "4V94", "1BXN"]
    assert model.particles.class_id.tolist() == [4, 1, 4]
    masks = {name: model.volumes[name].rows(0, 96) for name in ("class_mask", "occupancy_mask")}
    x, y, z = (model.particles.centre_A / VOXEL_A).round().astype(int).T
    assert masks["class_mask"][z, y, x].tolist() == [4, 1, 4]
    assert masks["occupancy_mask"][z, y, x].tolist() == [1, 2, 3]


def read_shrec_text(model: Path) -> tuple[np.ndarray, ParticleList]:
    """Read tomogram and particles from the text files without our readers."""
    angles = np.loadtxt(model / "alignment_simulated.txt", usecols=2)
    stack = mrcfile.read(model / "projections.mrc")
    rows = np.genfromtxt(model / "particle_locations.txt", dtype=str)
    numbers = rows[:, 1:].astype(float)
    masks = [mrcfile.read(model / f"{name}_mask.mrc") for name in ("class", "occupancy")]
    x, y, z = numbers[:, :3].astype(int).T
    theta, phi, psi = numbers[:, 3:].T
    turns = Rotation.from_euler("ZXZ", np.stack((theta, phi, psi), axis=1), degrees=True)
    particles = ParticleList(
        rows[:, 0], masks[0][z, y, x], masks[1][z, y, x], numbers[:, :3] * VOXEL_A, turns.as_matrix()
    )
    return reconstruction(stack, TiltGeometry(angles, VOXEL_A), len(masks[0])), particles


@pytest.mark.parametrize("tilt_axis", [0.0, 12.0])
@pytest.mark.parametrize("shape", [(40, 100, 90), (41, 101, 91)])
def test_relion(tmp_path: Path, shape: tuple[int, int, int], tilt_axis: float) -> None:
    phantom = make_phantom(shape, tilt_axis)
    tomogram = RelionTomogram(
        name="001",
        geometry=phantom.geometry,
        optics=RelionOptics(300, 2.7, 0.1),
        stacks=("stacks/001.mrc",) * len(phantom.geometry),
        sections=tuple(range(len(phantom.geometry))),
        shape=phantom.volume.shape,
        ctf=make_ctf(np.linspace(2, 4, len(phantom.geometry)), 0.2, 35.0),
    )
    write_project(tmp_path, [tomogram], {"001": phantom.particles})
    [result] = read_tomograms(tmp_path / "tomograms.star")
    lists = read_particles(tmp_path / "particles.star", [result], {4: "1BXN", 1: "4V94"})
    np.testing.assert_allclose(lists["001"].centre_A, phantom.particles.centre_A, atol=1e-5)
    assert orientation_error(lists["001"], phantom.particles) < 1e-3
    assert lists["001"].class_name.tolist() == phantom.particles.class_name.tolist()
    assert (result.name, result.stacks, result.sections) == (
        tomogram.name,
        tomogram.stacks,
        tomogram.sections,
    )
    assert (result.optics, result.shape) == (tomogram.optics, tomogram.shape)
    np.testing.assert_allclose(means_um(result.ctf), means_um(tomogram.ctf))
    assert {round(tilt.astigmatism_um, 6) for tilt in result.ctf.defocus} == {0.2}
    assert {tilt.astigmatism_angle for tilt in result.ctf.defocus} == {35.0}
    assert_same_geometry(result.geometry, phantom.geometry)
    if not tilt_axis:
        volume = reconstruction(phantom.stack, result.geometry, result.shape[0])
        assert_registered(volume, lists["001"])
    assert_relion_projects_alike(tmp_path, phantom)


def assert_relion_projects_alike(project: Path, phantom: Phantom) -> None:
    """RELION's own projection of the particles in its own columns gives the pixels of our geometry."""
    particles = starfile.read(project / "particles.star", always_dict=True)["particles"]
    [tilts] = starfile.read(project / "tilt_series/001.star", always_dict=True).values()
    sizes = np.array(phantom.volume.shape[::-1])
    centred = particles[[f"rlnCenteredCoordinate{a}Angst" for a in "XYZ"]].to_numpy()
    pixels = centred / VOXEL_A + sizes / 2 - sizes // 2
    expected = phantom.geometry.point_to_detector(
        phantom.particles.centre_A - centre_A(phantom.volume.shape, VOXEL_A)
    )
    for tilt in range(len(tilts)):
        y_tilt, z_turn = (np.deg2rad(tilts[f"rlnTomo{n}"][tilt]) for n in ("YTilt", "ZRot"))
        cosine, sine = np.cos(y_tilt), np.sin(y_tilt)
        about_y = np.array([[cosine, 0, sine], [0, 1, 0], [-sine, 0, cosine]])
        cosine, sine = np.cos(z_turn), np.sin(z_turn)
        about_z = np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])
        result = (about_z @ about_y @ pixels.T).T[:, :2] * VOXEL_A
        np.testing.assert_allclose(result, expected[tilt], atol=1e-3)


def assert_same_geometry(result: TiltGeometry, expected: TiltGeometry) -> None:
    np.testing.assert_allclose(result.tilt_angles, expected.tilt_angles, atol=1e-4)
    assert result.pixel_size_A == pytest.approx(expected.pixel_size_A)
    np.testing.assert_allclose(result.tilt_axis_angles, expected.tilt_axis_angles, atol=1e-4)
    np.testing.assert_array_equal(result.acquisition_order, expected.acquisition_order)
    np.testing.assert_allclose(result.exposure_before_e_per_A2, expected.exposure_before_e_per_A2, atol=1e-3)


def test_copick(phantom: Phantom, tmp_path: Path) -> None:
    objects = [copick.PickableObject("4V94", 1, True, 150), copick.PickableObject("1BXN", 4, True, 80)]
    volume = reconstruction(phantom.stack, phantom.geometry, phantom.volume.shape[0])
    config = copick_writing.write_config(tmp_path, "phantom", objects)
    mask, table = phantom.class_mask, phantom.particles
    copick_writing.write_run(tmp_path, "run_0", VOXEL_A, {"wbp": volume}, mask, table, objects)
    project = copick.open_project(config)
    assert list(project.objects) == objects
    picks = copick.read_picks(project, copick.choose_picks(project, "run_0"))
    run = tmp_path / "ExperimentRuns/run_0"
    tomogram = ome_zarr.open_volume(run / "VoxelSpacing10.000/wbp.zarr")
    assert tomogram.voxel_size_A == VOXEL_A
    result = np.asarray(tomogram.data[...])
    np.testing.assert_array_equal(result, volume)
    assert_registered(result, picks)
    order = np.argsort(picks.instance)
    assert picks.class_name[order].tolist() == phantom.particles.class_name.tolist()
    np.testing.assert_allclose(picks.rotation[order], phantom.particles.rotation)
    plain = zarr.open_group(str(run / "VoxelSpacing10.000/wbp.zarr"), mode="r")["0"]
    assert_registered(np.asarray(plain[...]), picks)
    labels = ome_zarr.open_volume(run / "Segmentations/10.000_faketdask_0_labels-multilabel.zarr")
    np.testing.assert_array_equal(labels.data[...], phantom.class_mask)


def test_mdoc(tmp_path: Path) -> None:
    phantom = make_phantom((40, 100, 90), tilt_axis=84.5)
    defocus = np.linspace(2, 4, len(phantom.geometry))
    write_mdoc(tmp_path / "a.mrc.mdoc", phantom.geometry, "a.mrc", (100, 90), 300, make_ctf(defocus))
    result = read_mdoc(tmp_path / "a.mrc.mdoc")
    assert_same_geometry(result.geometry, phantom.geometry)
    assert result.sections == tuple(range(len(phantom.geometry)))
    np.testing.assert_allclose(result.defocus_um, defocus, rtol=1e-5)
    table = mdocfile.read(tmp_path / "a.mrc.mdoc")
    assert table["ZValue"].tolist() == list(range(len(phantom.geometry)))
    theirs = TiltGeometry(-table["TiltAngle"].to_numpy(dtype=float), VOXEL_A)
    assert_registered(reconstruction(phantom.stack, theirs, 40), phantom.particles)


def test_tomostar(tmp_path: Path) -> None:
    """Warp's own projection of a point (psi = minus the axis angle) gives the pixels of our geometry."""
    phantom = make_phantom((40, 100, 90), tilt_axis=-4.3)
    movies = [f"frames/{tilt:03d}.mrc" for tilt in range(len(phantom.geometry))]
    write_tomostar(tmp_path / "a.tomostar", phantom.geometry, movies)
    result = read_tomostar(tmp_path / "a.tomostar")
    order = np.argsort(result.angles)
    assert_same_geometry(result.geometry(VOXEL_A, order), phantom.geometry)
    assert [result.movies[row] for row in order] == movies
    [table] = starfile.read(tmp_path / "a.tomostar", always_dict=True).values()
    assert table["wrpMovieName"][0] == movies[int(np.argmin(np.abs(phantom.geometry.tilt_angles)))]
    points = beads(phantom.particles)[0] - centre_A(phantom.volume.shape, VOXEL_A)
    for row, (angle, axis) in enumerate(zip(table["wrpAngleTilt"], table["wrpAxisAngle"], strict=True)):
        theta, psi = np.deg2rad(angle), np.deg2rad(-axis)
        in_plane = np.array([[np.cos(psi), np.sin(psi)], [-np.sin(psi), np.cos(psi)]])
        s = np.stack((points[:, 0] * np.cos(theta) - points[:, 2] * np.sin(theta), points[:, 1]))
        tilt = movies.index(table["wrpMovieName"][row])
        expected = phantom.geometry.point_to_detector(points)[tilt]
        np.testing.assert_allclose((in_plane @ s).T, expected, atol=1e-2)


def test_portal(phantom: Phantom, tmp_path: Path) -> None:
    portal.write_points(tmp_path / "1BXN.ndjson", phantom.particles, "1BXN", VOXEL_A)
    result = portal.read_points(tmp_path / "1BXN.ndjson", "1BXN", 4, VOXEL_A)
    expected = phantom.particles.class_name == "1BXN"
    np.testing.assert_allclose(result.centre_A, phantom.particles.centre_A[expected])
    np.testing.assert_allclose(result.rotation, phantom.particles.rotation[expected])
    assert result.instance.tolist() == [1, 3]
    points = [json.loads(line) for line in (tmp_path / "1BXN.ndjson").read_text().splitlines()]
    voxels = [[point["location"][axis] for axis in "xyz"] for point in points]
    np.testing.assert_allclose(np.array(voxels) * VOXEL_A, result.centre_A)
    np.testing.assert_array_equal([point["xyz_rotation_matrix"] for point in points], result.rotation)
    volume = reconstruction(phantom.stack, phantom.geometry, phantom.volume.shape[0])
    assert_registered(volume, result)
