"""Tables of Dynamo."""

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from faket_dask.errors import InputError
from faket_dask.formats.dynamo import read_table
from faket_dask.interchange.importers.particles import ParticleOptions, import_particles


def row(angles: tuple[float, ...] = (0, 0, 0), tomogram: int = 1, kind: int = 0, at: str = "11 21 31") -> str:
    words = [1, 1, 1, 0.5, 0, -1, *angles, *[0] * 10, tomogram, 0, kind, 0]
    return f"{' '.join(map(str, words))} {at} 0 0 0 0 0 0 0 0 0\n"


def test_angles_agree_with_a_conversion_to_relion(tmp_path: Path) -> None:
    """By the package eulerangles 1.0.2: (20, 35, -50) is RELION's rot, tilt, psi (-140, 35, 110)."""
    (tmp_path / "a.tbl").write_text(row((20, 35, -50)))
    relion = Rotation.from_euler("ZYZ", [-140, 35, 110], degrees=True).as_matrix()  # specimen to particle
    np.testing.assert_allclose(read_table(tmp_path / "a.tbl", 10).rotation[0], relion.T, atol=1e-9)


def test_positions_count_from_1_and_include_shifts(tmp_path: Path) -> None:
    (tmp_path / "a.tbl").write_text(row() + row(kind=2))
    particles = read_table(tmp_path / "a.tbl", 4.0)
    np.testing.assert_allclose(particles.centre_A, [[42, 80, 116]] * 2)
    assert particles.class_name.tolist() == ["a_0", "a_2"]
    assert particles.class_id.tolist() == [1, 2]


def test_particles_of_one_tomogram_are_imported(tmp_path: Path) -> None:
    (tmp_path / "a.tbl").write_text(row(tomogram=3) + row(tomogram=4) + "\n" + row(tomogram=4))
    options = ParticleOptions(name="4", voxel_size_A=10.0)
    assert import_particles(tmp_path / "a.tbl", options).counts() == {"a": 2}
    with pytest.raises(InputError, match="particles of the tomograms 3, 4; name one by --name"):
        read_table(tmp_path / "a.tbl", 10.0)
    with pytest.raises(InputError, match="tomograms 3, 4; there is no '5'"):
        read_table(tmp_path / "a.tbl", 10.0, "5")
    with pytest.raises(InputError, match="counts in voxels; give their size by --voxel-size-A"):
        import_particles(tmp_path / "a.tbl")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "lists no particles"),
        ("1 2 3\n", "line 1: expected at least 26 numbers, found '1 2 3'"),
        (row() + row(at="x 1 1"), "line 2: expected at least 26 numbers"),
        (row(at="nan 1 1"), "line 1: expected at least 26 numbers"),
    ],
)
def test_unknown_tables_are_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.tbl").write_text(text)
    with pytest.raises(InputError, match=message):
        read_table(tmp_path / "a.tbl", 10.0)
