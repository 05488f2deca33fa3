"""Label volumes become specimens; fixtures follow the header of the label volume in the tests of ahds."""

import zlib
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from faket_dask.errors import InputError
from faket_dask.formats.amira import open_amira
from faket_dask.formats.mrc import open_volume
from faket_dask.interchange.importers.amira import AmiraImporter
from faket_dask.interchange.importers.base import SpecimenOptions
from faket_dask.interchange.importers.specimens import import_specimen, recognise
from faket_dask.specimen.particles import read_particles
from tests.interchange.foreign_specimens import SHAPE, VOXEL_A, Scene, make_scene, write_amira, write_mrc


@pytest.fixture(scope="module")
def scene() -> Scene:
    return make_scene()


@pytest.mark.parametrize("packing", ["", "HxByteRLE", "HxZip", "ASCII", "big-endian"])
def test_labels_of_every_packing_are_read(scene: Scene, tmp_path: Path, packing: str) -> None:
    path = write_amira(tmp_path / "a.Labels.am", scene.classes, packing)
    volume = open_amira(path)
    assert volume.materials == ("Exterior", "one", "two")
    assert volume.voxel_size_A == pytest.approx(VOXEL_A)
    np.testing.assert_array_equal(volume.rows(0, SHAPE[1]), scene.classes)
    np.testing.assert_array_equal(volume.rows(60, 70), scene.classes[:, 60:70])


@given(
    st.binary(max_size=600).flatmap(lambda raw: st.lists(st.sampled_from([raw, b"a" * 300, b""]), max_size=5))
)
def test_runs_are_undone(parts: list[bytes]) -> None:
    values = np.frombuffer(b"".join([*parts, b"end"]), np.uint8)
    with TemporaryDirectory() as folder:
        path = write_amira(Path(folder) / "a.am", values.reshape(1, 1, -1), "HxByteRLE")
        np.testing.assert_array_equal(open_amira(path, voxel_size_A=1.0).rows(0, 1), values.reshape(1, 1, -1))


def test_connected_voxels_are_instances_with_centres(scene: Scene, tmp_path: Path) -> None:
    path = write_amira(tmp_path / "a.Labels.am", scene.classes, "HxByteRLE")
    write_mrc(tmp_path / "a.mrc", scene.density)
    assert recognise(path) == "amira"
    with pytest.warns(
        UserWarning, match="record no orientations; the rotations in the table are the identity"
    ):
        list(import_specimen(path, tmp_path / "own"))
    table = read_particles(tmp_path / "own/particles.csv")
    parts = [ndimage.label(scene.classes == number)[0] for number in (1, 2)]
    sizes = [np.bincount(part.ravel())[1:] for part in parts]
    assert table.counts() == {"one": (sizes[0] >= 8).sum(), "two": (sizes[1] >= 8).sum()}
    instances = open_volume(tmp_path / "own/instance_mask.mrc").rows(0, SHAPE[1])
    for row in range(len(table)):
        voxels = np.argwhere(instances == table.instance[row])
        np.testing.assert_allclose(voxels.mean(axis=0)[::-1] * VOXEL_A, table.centre_A[row], atol=0.01)
    assert (instances > 0)[scene.classes > 0].mean() > 0.99
    np.testing.assert_allclose(
        open_volume(tmp_path / "own/density.mrc").rows(0, SHAPE[1]), scene.density, atol=1e-6
    )


@pytest.mark.filterwarnings("ignore:.*no orientations")
def test_labels_alone_have_the_potential_of_protein(scene: Scene, tmp_path: Path) -> None:
    write_mrc(tmp_path / "a_labels.mrc", scene.classes)
    with pytest.warns(UserWarning, match=r"no density beside it; its labelled voxels have 2\.1 V"):
        specimen = AmiraImporter().open(tmp_path / "a_labels.mrc", SpecimenOptions())
    assert specimen.voxel_size_A == pytest.approx(VOXEL_A)
    assert set(specimen.table.class_name) == {"label-1", "label-2"}
    assert np.unique(specimen.density.rows(0, SHAPE[1])).tolist() == pytest.approx([0, 2.1])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b"# AmiraMesh", b"# VTK", "is no AmiraMesh: it begins with '# VTK"),
        (b"define Lattice 40 90 26", b"define Lattice 40 90 27", "unpacks to 93600 bytes and not 97200"),
        (b"define Lattice 40 90 26", b"define Lattice 99999 99999 99999", "copy it again"),
        (b"define Lattice", b"define Points", "has no lattice"),
        (b"byte Labels", b"byte[3] Labels", r"Labels is of byte\[3\]; expected one number"),
        (b"HxByteRLE", b"HxPacked", "is packed by HxPacked"),
        (b"0 390 0 890", b"0 390 0 445", "has voxels of 10 x 5 x 10 Å"),
        (b"0 390 0 890", b"0 nan 0 890", "BoundingBox .* is no box"),
        (b"two {", b"three { } two {", None),
        (b"        two {\n            Id 2\n        }\n", b"", "voxels of the label 2, and 2 materials"),
        (b"two {", b"one {", "several materials are called 'one'"),
        (b'"uniform"', b'"rectilinear"', "no uniform coordinates"),
        (b"\n@1\n", b"\n\n", "has no array"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*no orientations", "ignore:.*no density")
def test_damaged_volumes_are_refused(
    scene: Scene, tmp_path: Path, old: bytes, new: bytes, message: str | None
) -> None:
    path = write_amira(tmp_path / "a.Labels.am", scene.classes, "HxByteRLE")
    raw = path.read_bytes()
    assert old in raw
    path.write_bytes(raw.replace(old, new, 1))
    if message is None:
        assert "three" in set(AmiraImporter().open(path, SpecimenOptions()).table.class_name)
        return
    with pytest.raises(InputError, match=message) as caught:
        AmiraImporter().open(path, SpecimenOptions())
    assert "a.Labels.am" in str(caught.value)


@pytest.mark.parametrize("packing", ["", "HxByteRLE", "HxZip", "ASCII"])
def test_cut_volumes_are_refused(scene: Scene, tmp_path: Path, packing: str) -> None:
    path = write_amira(tmp_path / "a.Labels.am", scene.classes, packing)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(InputError, match=r"a\.Labels\.am is (cut|damaged).*copy it again"):
        open_amira(path)


def test_units_of_the_box_and_other_shapes(scene: Scene, tmp_path: Path) -> None:
    path = write_amira(tmp_path / "a.Labels.am", scene.classes, "", unit="nm")
    assert open_amira(path).voxel_size_A == pytest.approx(10 * VOXEL_A)
    write_mrc(tmp_path / "a.mrc", scene.density[1:])
    with pytest.raises(InputError, match=r"has the shape \(26, 90, 40\) and .*; they must agree"):
        AmiraImporter().open(path, SpecimenOptions())
    write_amira(path, np.zeros(SHAPE, np.uint8), "HxZip")
    with pytest.raises(InputError, match="has no labels"):
        AmiraImporter().open(path, SpecimenOptions())
    assert zlib.decompress(path.read_bytes().split(b"\n@1\n", 1)[1]) == bytes(scene.classes.size)
