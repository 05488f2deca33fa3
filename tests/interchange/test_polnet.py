"""Output of PolNet becomes a specimen with instances and poses."""

import re
from pathlib import Path

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from faket_dask.cli import app
from faket_dask.errors import InputError
from faket_dask.formats.mrc import open_volume
from faket_dask.formats.polnet import read_sample
from faket_dask.interchange.importers.base import SpecimenImporter, SpecimenOptions
from faket_dask.interchange.importers.polnet import PolnetImporter
from faket_dask.interchange.importers.specimens import IMPORTERS, import_specimen
from faket_dask.specimen.particles import read_particles
from tests.interchange.foreign_specimens import (
    ARMS,
    SHAPE,
    VOXEL_A,
    Scene,
    make_scene,
    write_mrc,
    write_polnet,
)


@pytest.fixture(scope="module")
def scene() -> Scene:
    return make_scene()


def read(path: Path) -> np.ndarray:
    volume = open_volume(path)
    return volume.rows(0, volume.shape[1])


def test_polnet_tomogram_becomes_a_specimen(scene: Scene, tmp_path: Path) -> None:
    write_polnet(tmp_path / "Tomo001", scene)
    command = ["import", "specimen", tmp_path / "Tomo001", "--to", tmp_path / "own"]
    result = CliRunner().invoke(app, [str(word) for word in command])
    assert result.exit_code == 0, result.output
    [named] = yaml.safe_load(result.stdout)["specimen"]["volumes"]
    assert {Path(path).name for path in named.values()} == {
        path.name for path in (tmp_path / "own").glob("[!.]*")
    }
    table = read_particles(tmp_path / "own/particles.csv")
    assert table.counts() == {"pdb_1abc": 2, "pdb_2abc": 3, "sphere": 1}
    assert table.parent.tolist() == [0, 0, 1, 1, 2, 0]
    np.testing.assert_allclose(table.centre_A[:5], scene.centres * VOXEL_A, atol=1e-4)
    np.testing.assert_array_equal(read(tmp_path / "own/density.mrc"), scene.density)
    instances, classes = read(tmp_path / "own/instance_mask.mrc"), read(tmp_path / "own/class_mask.mrc")
    particles = scene.instances > 0
    assert (instances[particles] == scene.instances[particles]).mean() > 0.99
    np.testing.assert_array_equal(classes == 3, instances == 6)
    np.testing.assert_array_equal(classes > 0, instances > 0)


def test_poses_put_each_arm_where_the_density_has_it(scene: Scene, tmp_path: Path) -> None:
    write_polnet(tmp_path, scene)
    list(import_specimen(tmp_path, tmp_path / "own"))
    table = read_particles(tmp_path / "own/particles.csv")
    density = read(tmp_path / "own/density.mrc")
    places = table.centre_A[:5, None] / VOXEL_A + np.einsum("nij,bj->nbi", table.rotation[:5], ARMS)
    x, y, z = places.round().astype(int).reshape(-1, 3).T
    assert density[z, y, x].min() > 0.85
    inverse = table.centre_A[:5, None] / VOXEL_A + np.einsum("nji,bj->nbi", table.rotation[:5], ARMS)
    x, y, z = inverse.round().astype(int).reshape(-1, 3).T
    assert density[z.clip(0, 25), y.clip(0, 89), x.clip(0, 39)].min() < 0.5


def test_list_of_version_1_0_has_several_tomograms(scene: Scene, tmp_path: Path) -> None:
    write_polnet(tmp_path / "one", scene)
    header, *rows = (tmp_path / "one/tomo_001_motif_list.csv").read_text().splitlines()
    lines = ["\t".join(["Density", *(column.capitalize() for column in header.split("\t"))])]
    for number in (0, 1):
        write_mrc(tmp_path / f"tomos/tomo_den_{number}.mrc", scene.density)
        write_mrc(tmp_path / f"tomos/tomo_lbls_{number}.mrc", read(tmp_path / "one/tomo_001_lbl.mrc"))
        chosen = rows if number else [row for row in rows if not row.startswith("cprotein\t1")]
        lines += [f"/elsewhere/tomos/tomo_den_{number}.mrc\t{row}" for row in chosen]
    (tmp_path / "tomos_motif_list.csv").write_text("\n".join(lines))
    assert len(read_sample(tmp_path, name="1").particles) == 5
    assert len(read_sample(tmp_path, name="0").particles) == 3
    with pytest.raises(InputError, match="has the tomograms 0, 1; name one by --name"):
        read_sample(tmp_path)


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    changed = re.sub(old, new, text, count=1)
    assert changed != text
    path.write_text(changed)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (r"\tq4", "\tq5", "no motif list of PolNet: it has no column q4"),
        (r"\t0\t120\t", "\t0\tnan\t", r"line 2: X is 'nan'"),
        (
            r"cprotein\t2\tpdb_2abc\t0\t120\t140\t120\t",
            "cprotein\t2\tpdb_2abc\t0\t120\t140\t120\t9",
            "line 2: a quat",
        ),
        (r"cprotein\t2\t", "cprotein\ttwo\t", "line 2: Label is 'two', no whole number"),
        (r"cprotein\t2\t", "cprotein\t0\t", "line 2: the label 0 of 'pdb_2abc'"),
        (
            r"cprotein\t2\t",
            "cprotein\t1\t",
            "line 3: the label 1 is that of 'pdb_2abc', and here of 'pdb_1abc'",
        ),
        (r"\t120\t140\t120\t", "\t120\t300\t20\t", "1 of 5 particles of the list lie further than 10 voxels"),
        (
            r"cprotein\t2\tpdb_2abc\t0\t120\t140[^\n]*\n",
            "",
            r"voxels of 2 about voxel \(.*\), and the nearest",
        ),
        (r"(membrane[^\n]*\n)+", "", "labels have [0-9]+ voxels of 3, and the list has nothing of it"),
        (r"membrane\t3\tsphere[^\n]*", r"\g<0>\nmembrane\t9\ttube\t0\t1\t1\t1\t0\t0\t1\t0", None),
        (
            r"membrane\t3\tsphere[^\n]*",
            r"\g<0>\nfilament\t9\tmt\t0\t1\t1\t1\t1\t0\t0\t0",
            "1 particles 'mt' of the label 9",
        ),
        (r"cprotein\t2\t", "cprotein\t", "line 2: 10 values where there are 11 columns"),
    ],
)
def test_list_that_disagrees_with_the_labels_is_refused(
    scene: Scene, tmp_path: Path, old: str, new: str, message: str | None
) -> None:
    write_polnet(tmp_path, scene)
    edit(tmp_path / "tomo_001_motif_list.csv", old, new)
    if message is None:
        assert len(list(import_specimen(tmp_path, tmp_path / "own"))) == 4
        return
    with pytest.raises(InputError, match=message) as caught:
        list(import_specimen(tmp_path, tmp_path / "own"))
    assert "tomo_001_motif_list.csv" in str(caught.value)
    assert not (tmp_path / "own").exists()


def test_volumes_that_differ_are_refused(scene: Scene, tmp_path: Path) -> None:
    write_polnet(tmp_path, scene)
    write_mrc(tmp_path / "tomo_001_lbl.mrc", scene.classes, 8.0)
    with pytest.raises(
        InputError, match=r"voxels of 8 Å and .* of 10 Å; give the right one by --voxel-size-A"
    ):
        list(import_specimen(tmp_path, tmp_path / "own"))
    write_mrc(tmp_path / "tomo_001_lbl.mrc", scene.classes[:, 1:])
    with pytest.raises(InputError, match=r"has the shape \(26, 89, 40\) and .*; they must agree"):
        list(import_specimen(tmp_path, tmp_path / "own"))
    (tmp_path / "tomo_001_lbl.mrc").unlink()
    with pytest.raises(InputError, match=r"tomo_001_lbl\.mrc"):
        list(import_specimen(tmp_path, tmp_path / "own"))


def test_particle_outside_the_volume_is_left_out(scene: Scene, tmp_path: Path) -> None:
    write_polnet(tmp_path, scene)
    edit(
        tmp_path / "tomo_001_motif_list.csv",
        "\n",
        f"\ncprotein\t2\tpdb_2abc\t0\t120\t{SHAPE[1] * 10}\t1\t1\t0\t0\t0\n",
    )
    with pytest.warns(
        UserWarning, match=r"1 of 6 particles are centred outside the volume and left out, row 1"
    ):
        list(import_specimen(tmp_path, tmp_path / "own"))


def test_source_of_no_known_format_names_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no known format .*polnet: PolNet"):
        list(import_specimen(tmp_path, tmp_path / "own"))
    with pytest.raises(InputError, match="does not exist"):
        list(import_specimen(tmp_path / "none", tmp_path / "own"))
    with pytest.raises(InputError, match=r"there is no importer 'tomosim'; known are .*polnet"):
        list(import_specimen(tmp_path, tmp_path / "own", importer="tomosim"))
    (tmp_path / "grandmodel.mrc").touch()
    with pytest.raises(InputError, match="--name says nothing about"):
        list(import_specimen(tmp_path, tmp_path / "own", SpecimenOptions(name="1")))


def test_importer_of_another_package_is_one_class(scene: Scene, tmp_path: Path) -> None:
    class Plain(PolnetImporter):
        name = "plain"
        help = "labels without a list"

        def recognises(self, source: Path) -> bool:
            return source.name == "plain"

    write_polnet(tmp_path / "plain", scene)
    IMPORTERS.register("plain", Plain)
    try:
        assert isinstance(Plain(), SpecimenImporter)
        assert len(list(import_specimen(tmp_path / "plain", tmp_path / "own", importer="plain"))) == 4
        assert "labels without a list" in CliRunner().invoke(app, ["import", "specimen", "--help"]).output
    finally:
        IMPORTERS.unregister("plain")


@pytest.mark.parametrize("name", IMPORTERS.names)
def test_every_importer_follows_the_protocol_under_its_own_name(name: str) -> None:
    importer = IMPORTERS.get(name)()
    assert isinstance(importer, SpecimenImporter)
    assert importer.name == name


def test_help_lists_the_formats() -> None:
    text = CliRunner().invoke(app, ["import", "specimen", "--help"]).output
    assert "PolNet 1.1" in text
    assert "SHREC" in text
