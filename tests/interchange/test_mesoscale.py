"""Models of whole cells become specimens; fixtures have the tables of the models of *Mycoplasma genitalium*."""

import gzip
from pathlib import Path

import msgpack
import numpy as np
import pytest

from faket_dask.errors import InputError
from faket_dask.formats.mesoscale import read_molecules
from faket_dask.interchange.importers.base import SpecimenOptions
from faket_dask.interchange.importers.mesoscale import MesoscaleImporter
from faket_dask.interchange.importers.specimens import recognise
from tests.interchange.foreign_specimens import rotate, write_mesoscale
from tests.interchange.test_cellpack import assert_atoms_lie_in_density, make_atoms, make_poses

OPTIONS = SpecimenOptions(voxel_size_A=8.0)


def make_model(count: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Make places of atoms, and rotations and shifts of the operators, the first of which is the identity."""
    quaternions, shifts = make_poses(count)
    matrices = np.stack([np.transpose(rotate(quaternion, np.eye(3))) for quaternion in quaternions])
    return (
        make_atoms(),
        np.concatenate((np.eye(3)[None], matrices)),
        np.concatenate((np.zeros((1, 3)), shifts)),
    )


@pytest.mark.parametrize("suffix", [".cif", ".cif.gz", ".bcif"])
def test_copies_lie_where_the_operators_put_them(tmp_path: Path, suffix: str) -> None:
    atoms, matrices, shifts = make_model()
    path = write_mesoscale(tmp_path / f"cell{suffix}", atoms, matrices, shifts, [("(2-3,4)", "A,B")])
    assert recognise(path) == "mesoscale"
    specimen = MesoscaleImporter().open(path, OPTIONS)
    expected = [atoms @ matrix.T + shift for matrix, shift in zip(matrices[1:], shifts[1:], strict=True)]
    assert_atoms_lie_in_density(specimen, expected)
    assert specimen.table.counts() == {"ARMS": 3}
    np.testing.assert_allclose(specimen.table.rotation, matrices[1:], atol=1e-3)


def test_operators_multiply_and_rows_of_one_list_are_one_molecule(tmp_path: Path) -> None:
    atoms, matrices, shifts = make_model()
    rows = [("(2,3)(3,4)", "A"), ("(2,3)(3,4)", "B"), ("(1)", "A"), ("(1)", "B")]
    whole, first, second = read_molecules(
        write_mesoscale(tmp_path / "cell.cif", atoms, matrices, shifts, rows)
    )
    assert len(whole.position_A) == len(first.position_A) + len(second.position_A) == len(atoms)
    expected = [matrices[outer] @ matrices[inner] for outer in (1, 2) for inner in (2, 3)]
    np.testing.assert_allclose(whole.rotation, expected, atol=1e-3)
    moved = [matrices[outer] @ shifts[inner] + shifts[outer] for outer in (1, 2) for inner in (2, 3)]
    np.testing.assert_allclose(whole.shift_A, moved, atol=0.2)


def test_models_of_one_file_are_classes(tmp_path: Path) -> None:
    atoms, matrices, shifts = make_model()
    rows = [("2,3", "A", "1"), ("4", "A", "2")]
    path = write_mesoscale(tmp_path / "cell.cif", atoms, matrices, shifts, rows, models=("one", "two"))
    one, two = read_molecules(path)
    assert (one.name, len(one.shift_A), two.name, len(two.shift_A)) == ("one", 2, "two", 1)


def test_beads_are_spheres_and_large_molecules_keep_their_shape(tmp_path: Path) -> None:
    _, matrices, shifts = make_model()
    chain = np.column_stack((np.linspace(-700, 700, 60), np.zeros((60, 2))))
    path = write_mesoscale(tmp_path / "cell.cif", chain, matrices, shifts, [("1", "A,B")])
    with pytest.warns(UserWarning, match="taken for beads"):
        specimen = MesoscaleImporter().open(path, OPTIONS)
    instances = specimen.instance_mask.rows(0, specimen.instance_mask.shape[1])
    assert (instances == 1).sum(axis=(0, 1)).astype(bool).sum() == pytest.approx(1400 / 8, abs=6)
    assert specimen.density.shape[2] > 170 > specimen.density.shape[0] * 5


def test_lists_of_many_copies_are_read_in_little_time(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    count = 20_000
    matrices, shifts = np.tile(np.eye(3), (count, 1, 1)), rng.uniform(-1000, 1000, (count, 3)).round(2)
    path = write_mesoscale(tmp_path / "cell.bcif", make_atoms(), matrices, shifts, [(f"(1-{count})", "A,B")])
    [molecule] = read_molecules(path)
    np.testing.assert_allclose(molecule.shift_A, shifts, atol=0.006)


def test_chains_without_atoms_are_left_out(tmp_path: Path) -> None:
    atoms, matrices, shifts = make_model()
    path = write_mesoscale(tmp_path / "cell.cif", atoms, matrices, shifts, [("(2,3)", "A,B,Q"), ("4", "R")])
    with pytest.warns(UserWarning, match="2 chains are listed and have no atoms, Q, R among them"):
        assert len(read_molecules(path)) == 1


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("(2-3,4)", "(2-5)", r"'\(2-5\)': there is no operator 5"),
        ("(2-3,4)", "((", r"'\(\(' is no list of operators"),
        ("(2-3,4)", "(2-3,x)", "there is no operator 'x'"),
        ("_pdbx_struct_assembly_gen.", "_other.", "lists no copies"),
        ("_atom_site.Cartn_x", "_atom_site.u", "has no atoms"),
        ("_pdbx_struct_oper_list.id", "_pdbx_struct_oper_list.i", r"no pdbx_struct_oper_list\.id"),
        ("1 1.0 0.0", "1 -1.0 0.0", r"pdbx_struct_oper_list, row 1 \(id 1\) is no rotation"),
        ("1 1.0 0.0", "1 nan 0.0", r"matrix\[1\]\[1\], row 1, is 'nan'; expected a number"),
        ("A,B", "Q,R", "no chain that the assembly lists has atoms"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*listed and have no atoms")
def test_damaged_models_are_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = write_mesoscale(tmp_path / "cell.cif", *make_model(), [("(2-3,4)", "A,B")])
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(InputError, match=message) as caught:
        MesoscaleImporter().open(path, OPTIONS)
    assert "cell.cif" in str(caught.value)


def test_cut_files_are_refused(tmp_path: Path) -> None:
    for suffix in (".bcif", ".cif.gz"):
        path = write_mesoscale(tmp_path / f"cell{suffix}", *make_model(), [("(2-3,4)", "A,B")])
        path.write_bytes(path.read_bytes()[:-60])
        with pytest.raises(InputError, match=r"cell.*is damaged, or no mmCIF file.*copy it again"):
            MesoscaleImporter().open(path, OPTIONS)
    with pytest.raises(InputError, match=r"gone\.bcif cannot be read"):
        MesoscaleImporter().open(tmp_path / "gone.bcif", OPTIONS)


def test_runs_of_impossible_length_are_refused(tmp_path: Path) -> None:
    runs = np.array([1, 2**31 - 1] * 4, "<i4").tobytes()
    encoding = [{"kind": "RunLength"}, {"kind": "ByteArray", "type": 3}]
    column = {"name": "id", "data": {"data": runs, "encoding": encoding}}
    block = {"categories": [{"name": "_entity", "columns": [column]}]}
    path = tmp_path / "cell.bcif"
    path.write_bytes(msgpack.packb({"dataBlocks": [block]}))
    with pytest.raises(InputError, match="is damaged"):
        read_molecules(path)
    path.write_bytes(gzip.compress(b"x"))
    with pytest.raises(InputError, match="is damaged"):
        read_molecules(path)
