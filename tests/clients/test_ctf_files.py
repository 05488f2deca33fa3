"""CTF files of ours in `warpylib`, WarpLib's data model in Python, and in `cryocat`."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from faket_dask.formats.ctffind import write_ctffind
from faket_dask.formats.warp_xml_writing import write_warp_xml
from faket_dask.geometry import TiltGeometry
from faket_dask.geometry.series_ctf import SeriesCtf
from faket_dask.kernels.optics import Defocus
from tests.clients.environments import Client

pytestmark = pytest.mark.clients

PIXEL_A, SHAPE = 10.0, (80, 96)

WARP = """
import json, sys, types
sys.modules["torch_projectors"] = types.ModuleType("torch_projectors")  # of one build of torch
import torch
from warpylib.tilt_series import TiltSeries
from warpylib.tilt_series.positions import get_positions_in_one_tilt
series = TiltSeries(sys.argv[1])
points = torch.tensor(json.loads(sys.argv[2]), dtype=torch.float32)
print(json.dumps({
    "angles": series.angles.tolist(),
    "dose": series.dose.tolist(),
    "movies": series.tilt_movie_paths,
    "ctf": [
        [series.get_tilt_defocus(tilt), series.get_tilt_defocus_delta(tilt), series.get_tilt_defocus_angle(tilt),
         series.get_tilt_phase(tilt)] for tilt in range(series.n_tilts)
    ],
    "constants": [series.ctf.voltage, series.ctf.cs, series.ctf.amplitude, series.ctf.pixel_size],
    "size": series.image_dimensions_physical.tolist(),
    "positions": [get_positions_in_one_tilt(series, points, tilt).tolist() for tilt in range(series.n_tilts)],
}))
"""

CRYOCAT = """
import json, sys
from cryocat import ioutils
print()
print(json.dumps(ioutils.defocus_load(sys.argv[1], sys.argv[2]).to_numpy().tolist()))
"""


@pytest.fixture
def geometry() -> TiltGeometry:
    return TiltGeometry(
        np.array([-40.0, -20, 0, 20, 40]),
        PIXEL_A,
        exposure_e_per_A2=np.full(5, 2.0),
        acquisition_order=np.array([4, 2, 0, 1, 3]),
    )


@pytest.fixture
def ctf() -> SeriesCtf:
    tilts = tuple(Defocus(3 + tilt / 10, 0.2, 30.0 + tilt) for tilt in range(5))
    return SeriesCtf(tilts, "a test", 300.0, 2.7, 0.08)


def test_warp_finds_ctf_and_its_gradient(
    install: Callable[..., Client], tmp_path: Path, geometry: TiltGeometry, ctf: SeriesCtf
) -> None:
    movies = [f"../frames/{tilt}.mrc" for tilt in range(5)]
    write_warp_xml(tmp_path / "a.xml", geometry, movies, SHAPE, ctf)
    points = np.array([[0.0, 0.0, 0.0], [200.0, 0.0, 0.0], [0.0, 0.0, 150.0]])
    theirs = install("warpylib").run(WARP, tmp_path / "a.tomostar", points.tolist())
    order = np.argsort(geometry.acquisition_order)
    np.testing.assert_allclose(theirs["angles"], geometry.tilt_angles[order])
    np.testing.assert_allclose(theirs["dose"], [0, 2, 4, 6, 8])
    assert theirs["movies"] == [movies[tilt] for tilt in order]
    expected = [[ctf.defocus[tilt].mean_um, 0.2, ctf.defocus[tilt].astigmatism_angle, 0.0] for tilt in order]
    np.testing.assert_allclose(theirs["ctf"], expected, atol=1e-5)
    np.testing.assert_allclose(theirs["constants"], [300, 2.7, 0.08, PIXEL_A])
    np.testing.assert_allclose(theirs["size"], [960, 800])
    # A point that a tilt moves towards the source has the smaller underfocus.
    for tilt, positions in zip(order, theirs["positions"], strict=True):
        (s, *_), angle = geometry.point_to_detector(points)[tilt].T, np.deg2rad(geometry.tilt_angles[tilt])
        np.testing.assert_allclose(np.array(positions)[:, 0] - 480, s, atol=1e-3)
        x, _, z = points.T
        height = x * np.sin(angle) + z * np.cos(angle)
        np.testing.assert_allclose(
            np.array(positions)[:, 2], ctf.defocus[tilt].mean_um - 1e-4 * height, atol=1e-5
        )


def test_tables_are_read_by_cryocat(
    install: Callable[..., Client], tmp_path: Path, geometry: TiltGeometry, ctf: SeriesCtf
) -> None:
    write_ctffind(tmp_path / "a_CTF.txt", ctf)
    table = np.array(install("cryocat").run(CRYOCAT, tmp_path / "a_CTF.txt", "ctffind4"))
    expected = [[tilt.mean_um + 0.1, tilt.mean_um - 0.1, tilt.astigmatism_angle] for tilt in ctf.defocus]
    np.testing.assert_allclose(table[:, :3], expected, atol=1e-5)
    np.testing.assert_allclose(table[:, 4], [tilt.mean_um for tilt in ctf.defocus], atol=1e-5)
