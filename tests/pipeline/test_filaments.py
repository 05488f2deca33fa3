"""Filaments of a run file: centre lines beside the particle table, and masks that agree with both."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import faket_dask
from faket_dask.config import parse
from faket_dask.engine.arrays import create_array
from faket_dask.engine.unit import Item
from faket_dask.errors import InputError
from faket_dask.pipeline.build import BuildVolume, PlaceParticles
from faket_dask.specimen.filaments.centre_line_table import read_centre_lines
from faket_dask.specimen.particles import read_particles
from tests.runs import small_document

FILAMENTS = [
    {"name": "actin", "count": 2, "branches": {"count": 1, "length_A": 200}, "length_A": [300, 500]},
    {"kind": "microtubule", "name": "mt", "protofilaments": 13},
]


def document(folder: Path, filaments: list[dict[str, Any]]) -> dict[str, Any]:
    return small_document(
        folder / "data", specimen={"species": [], "fiducials": None, "filaments": filaments}
    )


@pytest.mark.parametrize("label", ["subunit", "filament"])
def test_centre_lines_are_written_and_masks_agree(tmp_path: Path, label: str) -> None:
    filaments = [{**group, "label": label} for group in FILAMENTS]
    spec = faket_dask.plan(parse(document(tmp_path, filaments), tmp_path)).spec
    item = Item("specimen-000")
    place, build = PlaceParticles(), BuildVolume()
    for stage in (place, build):
        stage.prepare(spec, item)
        for owned in stage.arrays(spec, item):
            if owned.spec.name != "class_mask":
                create_array(owned.group, owned.spec)
    (spec.folder.root / "specimens").mkdir(exist_ok=True)
    place.compute(spec, item, 0)
    assert all(path.is_file() for path in place.files(spec, item))
    lines = read_centre_lines(spec.folder.filaments("specimen-000"))
    table = read_particles(spec.folder.particles("specimen-000"))
    assert set(lines.filament.tolist()) == set(table.parent.tolist())
    for index in range(build.count(spec, item)):
        build.compute(spec, item, index)
    assert not list(build.check_contents(spec, item))


def test_specimens_without_filaments_have_no_centre_lines(tmp_path: Path) -> None:
    spec = faket_dask.plan(parse(small_document(tmp_path / "data"), tmp_path)).spec
    assert len(PlaceParticles().files(spec, Item("specimen-000"))) == 1


def test_files_of_subunits_are_found_beside_the_run_file_and_checksummed(tmp_path: Path) -> None:
    atoms = "".join(
        f"ATOM  {n:5d}  CA  ALA A{n:4d}    {x:8.3f}{y:8.3f}{z:8.3f}  1.00  0.00           C\n"
        for n, (x, y, z) in enumerate(np.random.default_rng(0).normal(0, 12, (300, 3)), start=1)
    )
    (tmp_path / "monomer.pdb").write_text(atoms)
    section = [{"name": "actin", "source": "monomer.pdb", "length_A": 300}]
    config = parse(document(tmp_path, section), tmp_path)
    assert config.specimen.filaments[0].source == str(tmp_path / "monomer.pdb")
    assert len(faket_dask.plan(config).spec.inputs.structures) == 1


def test_mistakes_name_their_section(tmp_path: Path) -> None:
    section = [FILAMENTS[0], {"kind": "microtubule", "name": "mt", "protofilaments": 17}]
    with pytest.raises(InputError, match=r"specimen.filaments.*protofilaments is 17; lattices are known for"):
        parse(document(tmp_path, section), tmp_path)
    with pytest.raises(InputError, match=r"specimen.filaments.*kind"):
        parse(document(tmp_path, [{"kind": "rope", "name": "mt"}]), tmp_path)
