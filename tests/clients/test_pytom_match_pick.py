"""Readers of `pytom-match-pick` on a RELION-5 project; its template matching needs a GPU."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from faket_dask.formats.mrc import open_volume
from tests.clients.environments import Client

pytestmark = pytest.mark.clients

READ = """
import json, pathlib, sys
from pytom_tm.io import parse_relion5_star_data, read_mrc
folder, name = pathlib.Path(sys.argv[1]), sys.argv[2]
voxel_size, series = parse_relion5_star_data(folder / "tomograms.star", folder / "tomograms" / f"{name}.mrc")
volume = read_mrc(folder / "tomograms" / f"{name}.mrc")
ctf = [[item.defocus, item.amplitude_contrast, item.spherical_aberration] for item in series.ctf_data]
said = [voxel_size, series.tilt_angles, series.dose_accumulation, ctf, int(series.defocus_handedness), volume.shape]
print(json.dumps(said))
"""


def test_tomogram_and_its_series_are_read(install: Callable[..., Client], exported: Path) -> None:
    client = install("pytom-match-pick")
    tomograms = sorted((exported / "relion5/tomograms").glob("*.mrc"))
    assert len(tomograms) == 2
    for path in tomograms:
        voxel_size, angles, doses, ctf, hand, shape = client.run(READ, exported / "relion5", path.stem)
        volume = open_volume(path)
        assert voxel_size == volume.voxel_size_A == 20
        assert tuple(shape) == volume.shape[::-1]
        assert angles == [40, 20, 0, -20, -40]
        assert doses == [6, 4, 0, 2, 8]
        assert np.array(ctf).tolist() == [[0, 1, 0]] * 5
        assert hand == -1
