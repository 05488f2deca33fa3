"""Layer lines of projected filaments, against those that electron micrographs of them have."""

import numpy as np
import pytest
from numpy.typing import NDArray

from faket_dask.specimen import Recipe, render_block
from faket_dask.specimen.filaments.centre_line import smooth_line
from faket_dask.specimen.filaments.group import FilamentGroup
from faket_dask.specimen.filaments.kinds import Helices, Microtubules
from faket_dask.specimen.filaments.poses import subunit_poses
from faket_dask.specimen.particles import Row, particle_table

VOXEL_A = 8.0
DEPTH, HEIGHT, WIDTH = 48, 320, 48


def layer_power(group: FilamentGroup) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Power of the projection of a straight filament along y, by frequency along it, over its median."""
    middle = VOXEL_A * np.array([WIDTH, HEIGHT, DEPTH]) / 2
    ends = middle + np.array([[0.0, -1100.0, 0.0], [0.0, 1100.0, 0.0]])
    poses = subunit_poses(smooth_line(ends, 20.0), group.lattice)
    rows = [
        Row(group.name, 1, centre, rotation, 50.0, 0, parent=1)
        for centre, rotation in zip(poses.centre_A, poses.rotation, strict=True)
    ]
    recipe = Recipe((DEPTH, HEIGHT, WIDTH), VOXEL_A, (group,), ice_texture=0.0)
    projection = render_block(recipe, particle_table(rows), 0, HEIGHT).density.sum(axis=0)
    power = (np.abs(np.fft.fft2(projection * np.hanning(HEIGHT)[:, None])) ** 2).sum(axis=1)
    frequency = np.fft.fftfreq(HEIGHT, VOXEL_A)
    kept = frequency > 1 / 200
    return frequency[kept], power[kept] / np.median(power[kept])


@pytest.mark.parametrize(
    ("group", "lines_A"),
    [
        # The monomers' 41 Å, and fainter, since α and β differ little, the dimers' 82 Å.
        (Microtubules("filament"), (40.9, 81.8)),
        (Microtubules("filament", protofilaments=14), (40.9, 81.8)),
        # Actin's left-handed 59 Å and right-handed 51 Å helices, and its rise.
        (Helices("filament"), (59.1, 51.0, 27.5)),
    ],
)
def test_layer_lines_are_where_they_should_be(group, lines_A):
    frequency, power = layer_power(group)
    peaks = [
        frequency[i] for i in range(1, len(power) - 1) if power[i] > max(power[i - 1], power[i + 1], 300)
    ]
    step = 1 / (HEIGHT * VOXEL_A)
    for line_A in lines_A:
        assert min(abs(peak - 1 / line_A) for peak in peaks) < step
    strongest = frequency[np.argmax(power)]
    assert abs(strongest - 1 / lines_A[0]) < step
