"""Programs of RELION 3.1 on RELION-5 projects; RELION 5 reads images and the CTF by the same rules.

RELION 3.1 knows nothing of RELION 5's tilt-series, so its tables are made here from the columns of ours.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import mrcfile
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import affine_transform
from scipy.spatial.transform import Rotation

from faket_dask.formats.mrc import open_stack, open_volume, write_stack, write_volume
from faket_dask.formats.particle_list import ParticleList
from faket_dask.formats.relion5 import RelionOptics, RelionTomogram
from faket_dask.formats.relion5_writing import write_project
from faket_dask.formats.relion_coordinates import write_coordinates
from faket_dask.formats.star import read_star, write_star
from faket_dask.geometry import TiltGeometry
from faket_dask.kernels.projection import project
from tests.ctf import make_ctf

pytestmark = [
    pytest.mark.clients,
    pytest.mark.skipif(not shutil.which("relion_reconstruct"), reason="RELION is not on the PATH"),
]

SIZE, PIXEL_A = 48, 10.0
ANGLES = np.arange(-60.0, 61, 6)
OPTICS = RelionOptics(300, 2.7, 0.1)


def relion(program: str, folder: Path, *arguments: object) -> str:
    """Run a program of RELION in a folder; return what it says."""
    command = [f"relion_{program}", *map(str, arguments)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def measure(folder: Path, image: str) -> dict[str, float]:
    """Return the mean, deviation and pixel size that RELION finds in an image."""
    said = relion("image_handler", folder, "--i", image, "--stats")
    return {name: float(re.search(rf"{name}\s*=\s*(\S+)", said)[1]) for name in ("avg", "stddev", "angpix")}


def test_every_image_of_an_exported_project_is_read(exported: Path) -> None:
    folder = exported / "relion5"
    tables = sorted((folder / "tilt_series").glob("*.star"))
    assert len(tables) == 2
    for path in tables:
        [table] = read_star(path).values()
        stack = open_stack(folder / "stacks" / f"{path.stem}.mrcs")
        for tilt, image in enumerate(table.text("rlnMicrographName")):
            result, expected = measure(folder, image), stack.tilt(tilt)
            assert result["avg"] == pytest.approx(float(expected.mean()), rel=1e-4)
            assert result["stddev"] == pytest.approx(float(expected.std()), rel=1e-3)
            assert result["angpix"] == 10


def test_exported_volumes_and_masks_are_read(exported: Path) -> None:
    volumes = [
        *exported.glob("mrc/*_rec.mrc"),
        *exported.glob("mrc/*mask.mrc"),
        *exported.glob("*/*/*_target.mrc"),
    ]
    assert len(volumes) == 12
    for path in volumes:
        volume, result = open_volume(path), measure(path.parent, path.name)
        assert result["angpix"] == pytest.approx(volume.voxel_size_A)
        mean = float(volume.rows(0, volume.shape[1]).mean())
        assert result["avg"] == pytest.approx(mean, rel=1e-3, abs=1e-5)


def test_every_table_is_read_by_star_handler(exported: Path, tmp_path: Path) -> None:
    for path in [*exported.glob("relion5/particles*.star")]:
        relion("star_handler", tmp_path, "--i", path, "--o", "copy.star")
        copied = read_star(tmp_path / "copy.star")["particles"]
        assert len(copied) == len(read_star(path)["particles"])


@pytest.fixture
def density() -> NDArray[np.float32]:
    """Slab of blobs ``(z, y, x)`` that no turn or mirror image matches."""
    rng = np.random.default_rng(3)
    z, y, x = (
        np.indices((SIZE // 2, SIZE, SIZE)) - np.array([SIZE // 4, SIZE // 2, SIZE // 2])[:, None, None, None]
    )
    volume = np.zeros(z.shape, dtype=np.float32)
    for place in rng.uniform([-8, -14, -14], [8, 14, 14], (8, 3)):
        distance = (z - place[0]) ** 2 + (y - place[1]) ** 2 + (x - place[2]) ** 2
        volume += np.exp(-distance / 8).astype(np.float32)
    return volume


def reconstruct_tilts(folder: Path, *options: str) -> NDArray[np.float32]:
    """Reconstruct the tilts of a project as if they were particles."""
    [row] = read_star(folder / "tomograms.star")["global"].text("rlnTomoTiltSeriesStarFile")
    [tilts] = read_star(folder / row).values()
    optics = read_star(folder / "particles.star")["optics"].columns
    size = {"rlnImageSize": [SIZE], "rlnImageDimensionality": [2]}
    copied = {
        name: tilts.columns[name]
        for name in ("rlnDefocusU", "rlnDefocusV", "rlnDefocusAngle", "rlnCtfScalefactor")
    }
    # The angles of a particle are those of the inverse rotation.
    angles = {"rlnAngleRot": [0.0] * len(tilts), "rlnAngleTilt": list(-tilts.numbers("rlnTomoYTilt"))}
    angles["rlnAnglePsi"] = [0.0] * len(tilts)
    images = {"rlnImageName": tilts.text("rlnMicrographName"), "rlnOpticsGroup": [1] * len(tilts)}
    particles: Mapping[str, Sequence[object]] = {**images, **angles, **copied}
    write_star(folder / "tilts.star", {"optics": {**optics, **size}, "particles": particles})
    relion("reconstruct", folder, "--i", "tilts.star", "--o", "map.mrc", *options)
    return mrcfile.read(folder / "map.mrc")


def write_tilts(folder: Path, density: NDArray[np.float32], defocus_um: NDArray[np.float64] | None) -> None:
    tomogram = RelionTomogram(
        name="a",
        geometry=TiltGeometry(ANGLES, PIXEL_A),
        optics=OPTICS,
        stacks=("a.mrcs",) * ANGLES.size,
        sections=tuple(range(ANGLES.size)),
        shape=(SIZE // 2, SIZE, SIZE),
        ctf=None if defocus_um is None else make_ctf(defocus_um),
    )
    particle = ParticleList(
        np.array(["boot"]), np.array([1]), np.array([1]), np.zeros((1, 3)), np.eye(3)[None]
    )
    write_project(folder, [tomogram], {"a": particle})
    tilts = project(density, ANGLES)
    write_stack(folder / "a.mrcs", iter(tilts), (ANGLES.size, SIZE, SIZE), PIXEL_A)


def correlation(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    return float(np.corrcoef(first.ravel(), second.ravel())[0, 1])


def test_reconstructions_with_and_without_ctf_agree_where_images_have_none(
    tmp_path: Path, density: NDArray[np.float32]
) -> None:
    write_tilts(tmp_path, density, None)
    plain = reconstruct_tilts(tmp_path)
    np.testing.assert_array_equal(reconstruct_tilts(tmp_path, "--ctf"), plain)
    slab = plain[SIZE // 4 : 3 * SIZE // 4]
    match = correlation(slab, -density)
    assert match > 0.7
    for axis in range(3):
        assert correlation(np.flip(slab, axis), -density) < match / 2


def test_ctf_is_corrected_where_images_have_one(tmp_path: Path, density: NDArray[np.float32]) -> None:
    write_tilts(tmp_path, density, np.full(ANGLES.size, 3.0))
    assert correlation(reconstruct_tilts(tmp_path), reconstruct_tilts(tmp_path, "--ctf")) < 0.9


def test_average_of_listed_particles_is_the_particle(tmp_path: Path) -> None:
    """Boxes cut out at the listed voxels and turned by the listed angles add up to the particle."""
    box, half, rng = 24, 12, np.random.default_rng(5)
    z, y, x = np.indices((box, box, box)) - half
    particle = np.zeros((box, box, box), dtype=np.float32)
    for place in ([0, 0, 0], [0, 0, 7], [0, 6, 0], [5, 0, 0], [4, 5, 0]):
        distance = (z - place[0]) ** 2 + (y - place[1]) ** 2 + (x - place[2]) ** 2
        particle += np.exp(-distance / 4).astype(np.float32)
    places = np.array([[i, j, 20] for i in (20, 50, 80) for j in (20, 50, 80)], dtype=float)
    rotations = Rotation.random(len(places), rng=rng).as_matrix()
    volume = np.zeros((40, 100, 100), dtype=np.float32)
    for place, rotation in zip(places.astype(int), rotations, strict=True):
        matrix = rotation.T[::-1, ::-1]  # from (z, y, x) of the volume to that of the particle
        turned = affine_transform(particle, matrix, half - matrix @ np.full(3, half), order=1)
        i, j, k = place - half
        volume[k : k + box, j : j + box, i : i + box] += turned
    write_volume(tmp_path / "a.mrc", volume, 2 * PIXEL_A)
    count = len(places)
    tomogram = RelionTomogram(
        name="a",
        geometry=TiltGeometry(ANGLES, PIXEL_A),
        optics=OPTICS,
        stacks=("a.mrcs",) * ANGLES.size,
        sections=tuple(range(ANGLES.size)),
        shape=(80, 200, 200),
        volume="a.mrc",
        binning=2,
    )
    ones = np.ones(count, dtype=np.int64)
    table = ParticleList(
        np.array(["boot"] * count), ones, np.arange(1, count + 1), places * 2 * PIXEL_A, rotations
    )
    write_coordinates(tmp_path / "list.star", [tomogram], {"a": table})
    optics = {
        name: values
        for name, values in read_star(tmp_path / "list.star")["optics"].columns.items()
        if name != "rlnImagePixelSize"
    }
    micrographs = {"rlnMicrographName": ["a.mrc"], "rlnOpticsGroup": [1]}
    write_star(tmp_path / "micrographs.star", {"optics": optics, "micrographs": micrographs})
    extract = ["--extract", "--extract_size", box, "--part_star", "boxes.star", "--part_dir", "boxes/"]
    source = ["--i", "micrographs.star", "--reextract_data_star", "list.star"]
    relion("preprocess", tmp_path, *source, *extract)
    assert read_star(tmp_path / "boxes.star")["optics"].numbers("rlnImagePixelSize").tolist() == [20]
    relion("reconstruct", tmp_path, "--i", "boxes.star", "--o", "average.mrc")
    average = mrcfile.read(tmp_path / "average.mrc")
    match = correlation(average, particle)
    assert match > 0.9
    for axis in range(3):
        assert correlation(np.flip(average, axis), particle) < match - 0.1
