"""Entries of public archives, fetched from mirrors in folders."""

import gzip
import hashlib
from pathlib import Path

import mrcfile
import numpy as np
import pytest

from faket_dask import structures
from faket_dask.errors import InputError
from faket_dask.structures import parse_entry
from faket_dask.user_cache import cache_folder

CIF = """data_1ABC
_entry.id 1ABC
loop_
_atom_site.group_PDB
_atom_site.id
_atom_site.type_symbol
_atom_site.label_atom_id
_atom_site.label_alt_id
_atom_site.label_comp_id
_atom_site.label_asym_id
_atom_site.label_entity_id
_atom_site.label_seq_id
_atom_site.Cartn_x
_atom_site.Cartn_y
_atom_site.Cartn_z
_atom_site.occupancy
_atom_site.B_iso_or_equiv
_atom_site.auth_seq_id
_atom_site.auth_asym_id
ATOM 1 C CA . GLY A 1 1 0.0 0.0 0.0 1.0 10.0 1 A
ATOM 2 C CA . GLY A 1 2 3.8 0.0 0.0 1.0 10.0 2 A
"""
PDB = (
    "HEADER    TEST                                    01-JAN-00   1ABC\n"
    "ATOM      1  CA  GLY A   1       0.000   0.000   0.000  1.00 10.00           C\nEND\n"
)
ENTRY = parse_entry("pdb:1abc")


@pytest.fixture(autouse=True)
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A mirror and a cache, both empty."""
    monkeypatch.setenv("FAKET_DASK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("FAKET_DASK_MIRROR", str(tmp_path / "mirror"))
    (tmp_path / "mirror").mkdir()
    return tmp_path / "mirror"


def write_map(path: Path, label: str = "::::EMDATABANK.org::::EMD-1234::::", voxel_A: float = 2.0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with mrcfile.new(path, overwrite=True) as file:
        file.set_data(np.arange(64, dtype=np.float32).reshape(4, 4, 4))
        file.voxel_size = voxel_A
        file.header.label[0] = label
        file.header.nlabl = 1
    return path


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("pdb/data/structures/divided/mmCIF/ab/1abc.cif.gz", gzip.compress(CIF.encode())),
        ("1abc.cif.gz", gzip.compress(CIF.encode())),
        ("1abc.cif", CIF.encode()),
        ("1abc.pdb", PDB.encode()),
        ("pdb1abc.ent.gz", gzip.compress(PDB.encode())),
    ],
    ids=["archive", "gzipped", "cif", "pdb", "entry"],
)
def test_entry_is_found_wherever_a_mirror_has_it(mirror, name, content):
    (mirror / name).parent.mkdir(parents=True, exist_ok=True)
    (mirror / name).write_bytes(content)
    stored = structures.fetch(ENTRY)
    plain = gzip.decompress(content) if name.endswith(".gz") else content
    assert stored.path.read_bytes() == plain
    assert stored.sha256 == hashlib.sha256(plain).hexdigest()
    assert stored.address == (mirror / name).as_uri()
    assert structures.locate(ENTRY) == stored
    assert structures.list_entries() == [(ENTRY, stored)]


def test_mirror_may_be_an_address(mirror, monkeypatch):
    (mirror / "1abc.cif").write_text(CIF)
    monkeypatch.setenv("FAKET_DASK_MIRROR", mirror.as_uri() + "/")
    assert structures.fetch(ENTRY).path.read_text() == CIF


def test_same_content_has_the_same_checksum_compressed_or_not(mirror, monkeypatch, tmp_path):
    (mirror / "1abc.cif").write_text(CIF)
    plain = structures.fetch(ENTRY).sha256
    (mirror / "1abc.cif").unlink()
    (mirror / "1abc.cif.gz").write_bytes(gzip.compress(CIF.encode()))
    monkeypatch.setenv("FAKET_DASK_CACHE", str(tmp_path / "other"))
    assert structures.fetch(ENTRY).sha256 == plain


def test_cached_entry_needs_no_mirror(mirror, monkeypatch):
    (mirror / "1abc.cif").write_text(CIF)
    stored = structures.fetch(ENTRY)
    monkeypatch.setenv("FAKET_DASK_MIRROR", "/nowhere")
    assert structures.fetch(ENTRY) == structures.locate(ENTRY) == stored


def test_nothing_is_fetched_by_a_look(mirror):
    (mirror / "1abc.cif").write_text(CIF)
    with pytest.raises(InputError, match=r"pdb:1abc is not here .*`faket-dask structures fetch pdb:1abc`"):
        structures.locate(ENTRY)
    assert not cache_folder().exists()


def test_damaged_entry_is_noticed_and_fetched_again(mirror):
    (mirror / "1abc.cif").write_text(CIF)
    stored = structures.fetch(ENTRY)
    stored.path.write_text(CIF.replace("3.8", "3.9"))
    with pytest.raises(InputError, match=f"is corrupted: its checksum is not {stored.sha256}.* again"):
        structures.locate(ENTRY)
    assert structures.fetch(ENTRY) == stored
    assert structures.locate(ENTRY).path.read_text() == CIF


def test_entry_that_its_archive_has_changed_is_told(mirror):
    (mirror / "1abc.cif").write_text(CIF)
    structures.fetch(ENTRY).path.unlink()
    (mirror / "1abc.cif").write_text(CIF.replace("3.8", "3.9"))
    with pytest.warns(UserWarning, match="pdb:1abc was damaged or gone .* data sets of the old one cannot"):
        structures.fetch(ENTRY)


def test_mirror_without_the_file_is_an_error_that_names_the_files(mirror):
    with pytest.raises(InputError, match=r"pdb:1abc: the mirror .* has none of pdb/data.*, 1abc\.cif, .*put"):
        structures.fetch(ENTRY)
    assert structures.list_entries() == []


def test_mirror_that_is_no_folder_is_an_error(monkeypatch):
    monkeypatch.setenv("FAKET_DASK_MIRROR", "/nowhere/at/all")
    with pytest.raises(InputError, match="FAKET_DASK_MIRROR is /nowhere/at/all, and there is no such folder"):
        structures.fetch(ENTRY)


def test_checksums_of_a_mirror_are_compared(mirror):
    (mirror / "1abc.cif").write_text(CIF)
    (mirror / "SHA256SUMS").write_text(f"{hashlib.sha256(CIF.encode()).hexdigest()} *./1abc.cif\n")
    structures.fetch(ENTRY).path.unlink()
    (mirror / "SHA256SUMS").write_text(f"{'0' * 64}  1abc.cif\n")
    with pytest.raises(
        InputError, match=rf"1abc\.cif has the checksum .*, and SHA256SUMS .* says {'0' * 64}"
    ):
        structures.fetch(ENTRY)


def test_file_that_the_list_of_checksums_does_not_name_is_told(mirror):
    (mirror / "1abc.cif").write_text(CIF)
    (mirror / "SHA256SUMS").write_text(f"{'0' * 64}  2xyz.cif\n")
    with pytest.warns(
        UserWarning, match=r"SHA256SUMS of the mirror .* does not name 1abc\.cif, .* unchecked"
    ):
        structures.fetch(ENTRY)


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("1abc.cif", CIF.replace("_entry.id 1ABC", "_entry.id 2XYZ"), "it is the entry '2XYZ' by its own"),
        ("1abc.cif", CIF.replace("_entry.id 1ABC", ""), "it names no entry"),
        ("1abc.cif", CIF.split("loop_")[0], "it is mmCIF without coordinates"),
        ("1abc.cif", "<html>gone</html>", "it cannot be read"),
        ("1abc.cif", "", "it is empty"),
        ("1abc.pdb", PDB.replace("1ABC", "2XYZ"), "it is the entry '2XYZ' by its own account"),
        ("1abc.pdb", PDB.split("ATOM")[0], "it has no coordinates"),
    ],
)
def test_file_of_another_entry_or_none_is_refused(mirror, name, content, fault):
    (mirror / name).write_text(content)
    with pytest.raises(InputError, match=f"pdb:1abc: the file at .* is not that entry: {fault}.*was stored"):
        structures.fetch(ENTRY)
    assert [path for path in (cache_folder() / "structures").rglob("*") if path.is_file()] == []


def test_cut_off_download_is_refused(mirror):
    (mirror / "1abc.cif.gz").write_bytes(gzip.compress(CIF.encode())[:-20])
    with pytest.raises(InputError, match=r"1abc\.cif\.gz is damaged"):
        structures.fetch(ENTRY)


def test_map_is_taken_for_the_entry_that_its_label_names(mirror):
    entry = parse_entry("emdb:EMD-1234")
    path = write_map(mirror / "emdb/structures/EMD-1234/map/emd_1234.map")
    packed = path.with_name("emd_1234.map.gz")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    stored = structures.fetch(entry)
    assert stored.path.read_bytes() == path.read_bytes()
    assert stored.path.name == "emd_1234.map"


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"label": "::::EMDATABANK.org::::EMD-9999::::"}, "it is the entry EMD-9999 by its own account"),
        ({"label": "made by hand"}, "its header has no label of the Electron Microscopy Data Bank"),
        ({"voxel_A": 0.0}, "its header has no voxel size"),
    ],
)
def test_map_of_another_entry_is_refused(mirror, change, fault):
    write_map(mirror / "emd_1234.map", **change)
    with pytest.raises(InputError, match=fault):
        structures.fetch(parse_entry("emdb:1234"))


def test_truncated_map_is_refused(mirror):
    path = write_map(mirror / "emd_1234.map")
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(InputError, match="is not that entry: it is truncated"):
        structures.fetch(parse_entry("emdb:1234"))


@pytest.mark.parametrize("name", ["pdb:ribosome", "pdb:", "pdb:0abc", "emdb:12", "emdb:1abc", "pdb:1bxn2"])
def test_name_that_is_no_code_is_refused(name):
    with pytest.raises(InputError, match=r"is no code of the (Protein|Electron Microscopy) Data Bank"):
        parse_entry(name)


@pytest.mark.parametrize("name", ["PDB:1ABC", "pdb:pdb_00001abc", "pdb: 1abc"])
def test_spellings_of_a_code_are_one_entry(name):
    assert parse_entry(name) == ENTRY
