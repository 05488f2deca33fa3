"""Layout of SHREC 2021: details."""

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from faket_dask.errors import InputError
from faket_dask.formats.mrc import open_volume, write_stack, write_volume
from faket_dask.formats.particle_list import ParticleList
from faket_dask.formats.shrec import class_ids, read_alignment, read_locations, read_model, valid_layers
from faket_dask.formats.shrec_writing import write_model
from faket_dask.geometry import TiltGeometry

GEOMETRY = TiltGeometry(np.array([-10.0, 0.0, 10.0]), 10.0)


def particles(names: list[str], ids: list[int], instances: list[int]) -> ParticleList:
    count = len(names)
    return ParticleList(
        class_name=np.array(names),
        class_id=np.array(ids),
        instance=np.array(instances),
        centre_A=np.arange(3.0 * count).reshape(count, 3) * 10,
        rotation=Rotation.random(count, rng=np.random.default_rng(1)).as_matrix(),
    )


def test_published_location_is_read(tmp_path: Path) -> None:
    """The simulator turns a particle by Rz(θ) Rx(φ) Rz(ψ); checked against its interpolation library."""
    (tmp_path / "particle_locations.txt").write_text(
        "1BXN 430 112 251 30.0 50.0 -20.0\nvesicle 5 6 7 NaN NaN NaN\n"
    )
    result = read_locations(tmp_path / "particle_locations.txt", 10)
    np.testing.assert_allclose(result.rotation[0] @ [9, 4, -6], [5.99, 9.27, -3.34], atol=0.01)
    assert result.centre_A[0].tolist() == [4300, 1120, 2510]
    np.testing.assert_array_equal(result.rotation[1], np.eye(3))
    assert result.class_id.tolist() == [4, 14]
    assert result.instance.tolist() == [1, 2]


def test_valid_layers_of_published_cube() -> None:
    assert valid_layers(1024) == slice(330, 690)


def test_published_angles_are_used_as_written(tmp_path: Path) -> None:
    header = "# AlignmentTransX (px)\n" * 6
    (tmp_path / "a.txt").write_text(f"{header}0.0 0.0 -60.0 0.0 1.0 a.mrc\n0.0 0.0 -58.0 0.0 1.0 b.mrc\n")
    assert read_alignment(tmp_path / "a.txt").tolist() == [-60, -58]


def test_classes_and_instances_are_numbered_as_in_shrec(tmp_path: Path) -> None:
    table = particles(["propeller", "vesicle", "5MRC", "boot"], [1, 2, 3, 4], [7, 2, 9, 4])
    classes = np.zeros((4, 8, 8), dtype=np.uint8)
    classes[0, 0, :5] = [1, 2, 3, 4, 0]
    instances = np.zeros((4, 8, 8), dtype=np.uint16)
    instances[0, 0, :6] = [7, 2, 9, 4, 0, 600]
    volumes = {"class_mask": classes, "occupancy_mask": instances}
    write_model(tmp_path, GEOMETRY, table, volumes, {})
    lines = (tmp_path / "particle_locations.txt").read_text().splitlines()
    assert [line.split()[0] for line in lines] == ["vesicle", "boot", "propeller", "5MRC"]
    assert lines[0].endswith(" NaN NaN NaN")
    assert (tmp_path / "class_conversion_table.txt").read_text().splitlines() == [
        "background 0",
        "5MRC 13",
        "vesicle 14",
        "boot 16",
        "propeller 17",
    ]
    result = {name: open_volume(tmp_path / f"{name}.mrc").rows(0, 8) for name in volumes}
    assert result["class_mask"][2, 0, :6].tolist() == [17, 14, 13, 16, 0, 0]
    assert result["occupancy_mask"][2, 0, :6].tolist() == [3, 1, 4, 2, 0, 0]
    assert not result["class_mask"][:2].any()
    assert read_model(tmp_path).particles.class_id.tolist() == [14, 16, 17, 13]


def test_volume_deeper_than_wide_is_refused(tmp_path: Path) -> None:
    table = particles(["5MRC"], [1], [1])
    with pytest.raises(ValueError, match="deeper than its width"):
        write_model(tmp_path, GEOMETRY, table, {"grandmodel": np.zeros((9, 8, 8))}, {})
    with pytest.raises(ValueError, match="one shape"):
        write_model(
            tmp_path,
            GEOMETRY,
            table,
            {"grandmodel": np.zeros((4, 8, 8)), "class_mask": np.zeros((3, 8, 8))},
            {},
        )
    with pytest.raises(ValueError, match="no volume 'mask'"):
        write_model(tmp_path, GEOMETRY, table, {"mask": np.zeros((4, 8, 8))}, {})


def test_contradictory_folders_are_refused(tmp_path: Path) -> None:
    (tmp_path / "particle_locations.txt").write_text("")
    with pytest.raises(InputError, match="no volume that tells the voxel size"):
        read_model(tmp_path)
    assert len(read_model(tmp_path, voxel_size_A=10).particles) == 0
    write_volume(tmp_path / "grandmodel.mrc", np.zeros((8, 8, 8), dtype=np.float32), 10)
    write_volume(tmp_path / "class_mask.mrc", np.zeros((8, 8, 6), dtype=np.uint16), 10)
    with pytest.raises(InputError, match="must have one shape"):
        read_model(tmp_path)
    (tmp_path / "class_mask.mrc").unlink()
    write_stack(tmp_path / "projections.mrc", iter(np.zeros((2, 8, 8))), (2, 8, 8), 10)
    (tmp_path / "alignment_simulated.txt").write_text("0 0 -60 0 1 a\n")
    with pytest.raises(InputError, match=r"lists 1 tilts, .*projections.mrc has 2"):
        read_model(tmp_path)


def test_names_are_recognised_in_any_case() -> None:
    assert class_ids(["1bxn", "4v94", "Vesicle", "comma"]) == {
        "4v94": 1,
        "1bxn": 4,
        "Vesicle": 14,
        "comma": 16,
    }


@pytest.mark.parametrize("row", ["3.0 0.0 -60.0 0.0 1.0", "0.0 0.0 -60.0 1.5 1.0", "0.0 0.0 -60.0 0.0 1.02"])
def test_alignment_that_is_not_applied_is_said(tmp_path: Path, row: str) -> None:
    (tmp_path / "a.txt").write_text(f"{row} a.mrc\n0.0 0.0 -58.0 0.0 1.0 b.mrc\n")
    with pytest.warns(UserWarning, match="which are not applied"):
        assert read_alignment(tmp_path / "a.txt").tolist() == [-60, -58]
