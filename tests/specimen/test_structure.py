import gzip
import os
import tracemalloc

import gemmi
import numpy as np
import pytest
from scipy import ndimage

from faket_dask.errors import InputError
from faket_dask.specimen import Recipe, Species, place, render_block
from faket_dask.specimen.density_map import map_template
from faket_dask.specimen.ice import ICE_V
from faket_dask.specimen.phantoms import phantom_template
from faket_dask.specimen.sources import load_template
from faket_dask.specimen.structure import potential_spectrum, shifted_density, structure_template
from faket_dask.specimen.structure_file import ASYMMETRIC_UNIT
from faket_dask.specimen.structure_file import read_atoms as read_table
from tests.specimen.pdb import write_pdb

SHREC = (
    *("4v94", "4cr2", "1qvr", "1bxn", "3cf3", "1u6g", "3d2f"),
    *("2cg9", "3h84", "3gl1", "3qm1", "1s3x", "5mrc"),
)
VOLT_A3_PER_A = 47.878


def read_atoms(path, assembly=None):
    return read_table(path, assembly).by_element()


def source(structures, name):
    coordinates = structures / f"{name}.pdb"
    return coordinates if coordinates.exists() else structures / f"{name}.mrc"


def density_of(atoms, size, voxel_A, blur_A):
    return shifted_density(np.zeros(3), potential_spectrum(atoms, size, voxel_A, blur_A), voxel_A)


def density_at(template, points_A):
    index = (points_A / template.voxel_size_A)[:, ::-1].T + template.density.shape[0] // 2
    return ndimage.map_coordinates(template.density, index, order=1)


# Real structures


@pytest.mark.parametrize("name", SHREC)
def test_every_class_of_shrec_2021_loads(structures, name):
    template = load_template(Species(name, (str(source(structures, name)),), count=1), 0, 10.0)
    inside = template.density >= template.level_V
    assert 1.5 < template.density[inside].mean() < 3
    assert 40 < template.radius_A < 200
    centroid = np.argwhere(inside).mean(axis=0) - template.density.shape[0] // 2
    np.testing.assert_allclose(centroid * template.voxel_size_A, 0, atol=2)
    assert ndimage.label(inside)[1] <= 3


def test_coordinates_reproduce_the_published_map(structures):
    # The published map of 1BXN shows the deposited coordinates as they stand, in their own frame.
    ours = structure_template(structures / "1bxn.pdb", 10.0, ASYMMETRIC_UNIT)
    published = map_template(structures / "1bxn.mrc", 10.0, 2.1)
    grid = np.stack(np.meshgrid(*[np.arange(-100.0, 101.0, 5.0)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    correlation = np.corrcoef(density_at(ours, grid), density_at(published, grid))[0, 1]
    assert correlation >= 0.98
    mirrored = np.corrcoef(density_at(ours, grid * [-1, 1, 1]), density_at(published, grid))[0, 1]
    assert mirrored < correlation


def test_protein_contrast_follows_from_composition(structures):
    # 1.35 g/cm³ of protein: mean inner potential from the atoms of 1S3X in the volume of their mass.
    atoms = read_atoms(structures / "1s3x.pdb")
    mass = sum(gemmi.Element(e).weight * rows[:, 3].sum() for e, rows in atoms.items())
    scattering = sum(sum(gemmi.Element(e).c4322.a) * rows[:, 3].sum() for e, rows in atoms.items())
    volume = mass * 1.66054 / 1.35
    expected = VOLT_A3_PER_A * scattering / volume - ICE_V
    template = structure_template(structures / "1s3x.pdb", 10.0)
    integral = template.density.sum() * template.voxel_size_A**3
    assert integral / volume == pytest.approx(expected, rel=0.25)


def test_specimen_of_structures_is_built(structures):
    recipe = Recipe(
        (40, 60, 60),
        10.0,
        tuple(Species(name, (str(source(structures, name)),), count=2) for name in ("1bxn", "3gl1", "4v94")),
    )
    table = place(recipe, np.random.default_rng(0))
    block = render_block(recipe, table, 0, 60)
    assert set(np.unique(block.instance_mask)) == set(range(7))
    assert block.density[block.class_mask > 0].mean() > 1.5


def test_assemblies_are_chosen_by_name(structures):
    path = structures / "1qvr.pdb"
    unit, assembly, first = (
        sum(len(rows) for rows in read_atoms(path, name).values()) for name in (ASYMMETRIC_UNIT, "1", None)
    )
    assert assembly == first == 2 * unit
    with pytest.raises(InputError, match="has no assembly '7'; it has 1, and 'asymmetric unit' takes"):
        read_atoms(path, "7")


# Synthetic files


def test_coordinates_keep_handedness_and_axes(tmp_path):
    # Three arms of different length along +x, +y and +z.
    arms = [("C", 4.0 * step, 0, 0) for step in range(1, 15)]
    arms += [("C", 0, 4.0 * step, 0) for step in range(1, 10)]
    arms += [("C", 0, 0, 4.0 * step) for step in range(1, 6)]
    path = write_pdb(tmp_path / "arms.pdb", arms)
    atoms = read_atoms(path)
    density = density_of(atoms, 64, 4.0, 4.0)
    for axis, length in ((2, 56), (1, 36), (0, 20)):
        line = np.moveaxis(density, axis, 0)[:, 32, 32]
        reached = np.flatnonzero(line > 0.5 * line.max()) - 32
        assert reached.max() * 4 == pytest.approx(length, abs=6)
        assert reached.min() >= -2


def test_mmcif_and_gzipped_files_give_the_same_atoms(tmp_path, structures):
    path = structures / "3gl1.pdb"
    expected = read_atoms(path)
    structure = gemmi.read_structure(str(path))
    structure.make_mmcif_document().write_file(str(tmp_path / "3gl1.cif"))
    (tmp_path / "3gl1.pdb.gz").write_bytes(gzip.compress(path.read_bytes()))
    for name in ("3gl1.cif", "3gl1.pdb.gz"):
        found = read_atoms(tmp_path / name)
        assert found.keys() == expected.keys()
        for element, rows in expected.items():
            np.testing.assert_allclose(found[element], rows, atol=1e-3)
        load_template(Species("heat shock", (str(tmp_path / name),), count=1), 0, 14.0)


def test_water_and_alternative_conformations_are_excluded(tmp_path):
    path = tmp_path / "some.pdb"
    lines = [
        "ATOM      1  CA AALA A   1       0.000   0.000   0.000  0.60 20.00           C\n",
        "ATOM      2  CA BALA A   1       1.000   0.000   0.000  0.40 20.00           C\n",
        "HETATM    3  O   HOH A   2       9.000   0.000   0.000  1.00 20.00           O\n",
    ]
    path.write_text("".join(lines) + "END\n")
    atoms = read_atoms(path)
    assert atoms["C"].tolist() == [[0, 0, 0, 1]]
    assert "O" not in atoms


def test_missing_hydrogens_are_added_by_residue(tmp_path):
    alanine = write_pdb(
        tmp_path / "ala.pdb", [("C", 0, 0, 0, "ALA"), ("C", 4, 0, 0, "GLY"), ("C", 8, 0, 0, "TRP")]
    )
    # In a chain: alanine C3H5NO, glycine C2H3NO, tryptophan C11H10N2O.
    assert read_atoms(alanine)["H"][:, 3].tolist() == [5, 3, 10]
    explicit = write_pdb(tmp_path / "h.pdb", [("C", 0, 0, 0, "ALA"), ("H", 1, 0, 0, "ALA")])
    assert read_atoms(explicit)["H"][:, 3].tolist() == [1]


def test_atom_potential_integrates_to_form_factor_less_ice():
    carbon = {"C": np.array([[1.3, -2.1, 0.4, 1.0]])}
    for voxel_A in (2.0, 5.0, 10.0):
        density = density_of(carbon, 32, voxel_A, 0.5 * voxel_A)
        expected = VOLT_A3_PER_A * sum(gemmi.Element("C").c4322.a) - ICE_V * 16.44
        assert density.sum() * voxel_A**3 == pytest.approx(expected, rel=1e-3)


def test_density_is_shifted_to_any_point():
    atoms = {"C": np.array([[10.0, -5.0, 20.0, 1.0], [15.0, -5.0, 25.0, 1.0]])}
    spectrum = potential_spectrum(atoms, 32, 5.0, 5.0)
    moved = shifted_density(np.array([10.0, -5.0, 20.0]), spectrum, 5.0)
    expected = np.roll(shifted_density(np.zeros(3), spectrum, 5.0), (-4, 1, -2), (0, 1, 2))
    np.testing.assert_allclose(moved, expected, atol=1e-5)
    assert moved[16, 16, 16] == pytest.approx(moved.max(), rel=1e-3)


def test_grid_sum_equals_atom_sum():
    rng = np.random.default_rng(0)
    places = rng.uniform(-25, 25, (40, 3))
    density = density_of({"S": np.column_stack((places, np.ones(40)))}, 32, 4.0, 4.0)
    # One atom's radial profile at the distances of all voxels from all atoms.
    fine = density_of({"S": np.array([[0.0, 0.0, 0.0, 1.0]])}, 128, 1.0, 4.0)
    profile = fine[64, 64, 64:]
    axis = (np.arange(32) - 16) * 4.0
    grid = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1)[..., ::-1]
    exact = sum(
        np.interp(np.linalg.norm(grid - centre, axis=-1), np.arange(64), profile) for centre in places
    )
    # Sharing atoms out over grid points is exact on average over their places, and a little off for each.
    assert np.abs(density - exact).max() < 0.04 * exact.max()
    assert np.corrcoef(density.ravel(), exact.ravel())[0, 1] > 0.999


def test_other_files_are_refused(tmp_path):
    (tmp_path / "text.cif").write_text("this is no structure")
    with pytest.raises(InputError, match="cannot be read"):
        read_atoms(tmp_path / "text.cif")
    (tmp_path / "empty.cif").touch()
    for empty in (write_pdb(tmp_path / "empty.pdb", []), tmp_path / "empty.cif"):
        with pytest.raises(InputError, match="holds no atoms"):
            read_atoms(empty)
    (tmp_path / "notes.txt").write_text("this is no structure")
    with pytest.raises(InputError, match=r"species 'note': .* is neither a structure .* nor a map"):
        load_template(Species("note", (str(tmp_path / "notes.txt"),), count=1), 0, 10.0)
    with pytest.raises(InputError, match="cannot be read"):
        read_atoms(tmp_path / "absent.pdb")


def test_conformations_have_their_own_templates(structures):
    species = Species("either", (str(structures / "3gl1.pdb"), "boot"), count=1)
    first, second = (load_template(species, index, 14.0) for index in (0, 1))
    assert first.name != second.name
    with pytest.raises(InputError, match="has 2 conformations, and number 2 is asked for"):
        load_template(species, 2, 14.0)


def test_changed_file_is_read_again(tmp_path):
    path = write_pdb(tmp_path / "it.pdb", [("C", 4.0 * step, 0, 0) for step in range(6)])
    species = Species("it", (str(path),), count=1)
    short = load_template(species, 0, 5.0)
    assert load_template(species, 0, 5.0) is short
    write_pdb(path, [("C", 4.0 * step, 0, 0) for step in range(30)])
    os.utime(path, ns=(1, 1))
    assert load_template(species, 0, 5.0).radius_A > short.radius_A + 30


def write_chain(path, *more):
    """Write a chain of 20 carbon atoms along x, and more lines."""
    write_pdb(path, [("C", 4.0 * step, 0, 0) for step in range(20)])
    lines = path.read_text().removesuffix("END\n")
    path.write_text(lines + "".join(more) + "END\n")
    return path


FAR = "ATOM    500  CA  ALA A 500    {0:>8}{1:>8}{2:>8}{3:6.2f} 20.00           C\n"


def refusal(path, voxel_A=10.0):
    tracemalloc.start()
    with pytest.raises(InputError) as error:
        structure_template(path, voxel_A)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**22  # nothing of the template's size was allocated
    return str(error.value)


def test_atom_whose_place_is_not_known_is_refused(tmp_path):
    path = write_chain(tmp_path / "dummy.pdb", FAR.format("9999.999", "9999.999", "9999.999", 1))
    message = refusal(path)
    assert "atom 500 (CA of ALA 500, chain A) lies at (9999.999, 9999.999, 9999.999)" in message
    assert "remove it, or set its occupancy to 0" in message


def test_atom_of_unknown_place_without_occupancy_is_left_out(tmp_path):
    plain = write_chain(tmp_path / "plain.pdb")
    path = write_chain(tmp_path / "dummy.pdb", FAR.format("9999.000", "9999.000", "9999.000", 0))
    with pytest.warns(UserWarning, match=r"1 atoms without occupancy at 9999 Å.* atom 500 \(CA of ALA 500"):
        atoms = read_atoms(path)
    assert {name: rows.tolist() for name, rows in atoms.items()} == {
        name: rows.tolist() for name, rows in read_atoms(plain).items()
    }


@pytest.mark.parametrize("number", ["nan", "inf", "-inf"])
def test_atom_without_a_number_is_refused(tmp_path, number):
    message = refusal(write_chain(tmp_path / "nan.pdb", FAR.format("1.000", number, "2.000", 1)))
    assert f"atom 500 (CA of ALA 500, chain A) lies at (1.000, {number}, 2.000); remove it" in message


@pytest.mark.parametrize("place", [("1000.000", "0.000", "0.000"), ("3.000", "-900.00", "4.000")])
def test_atom_far_from_all_others_is_refused(tmp_path, place):
    message = refusal(write_chain(tmp_path / "far.pdb", FAR.format(*place, 1)))
    assert "atom 500 (CA of ALA 500, chain A)" in message
    assert "Å from all other atoms along" in message


def test_size_of_a_template_is_bounded(tmp_path):
    path = write_pdb(tmp_path / "long.pdb", [("C", 150.0 * step, 0, 0) for step in range(40)])
    assert "at most 800 are possible" in refusal(path)
    assert "at most 800 are possible" in refusal(write_chain(tmp_path / "chain.pdb"), 0.1)
    with pytest.raises(InputError, match=r"phantom 'coil': .* at most 800 are possible"):
        phantom_template("coil", 0.5)


def test_structure_of_water_alone_is_refused(tmp_path):
    assert "holds no atoms but water" in refusal(write_pdb(tmp_path / "w.pdb", [("O", 0, 0, 0, "HOH")]))
