"""Exported MRC files and particle tables, and exporters from other packages."""

import shutil
import warnings
from pathlib import Path

import mrcfile
import numpy as np
import pytest
from distributed import Client
from typer.testing import CliRunner

import faket_dask
from faket_dask.cli import app
from faket_dask.config import parse
from faket_dask.dataset.dataset import open_dataset
from faket_dask.errors import InputError, UnfinishedError
from faket_dask.formats.imod import read_angles
from faket_dask.formats.mrc import open_stack
from faket_dask.interchange.export import export
from faket_dask.interchange.exporters import exporter_names, load_exporter
from faket_dask.interchange.exporters.base import Exporter
from faket_dask.specimen.particles import ParticleTable, read_particles
from tests.runs import small_document

SPECIMEN_FILES = {"density.mrc", "class_mask.mrc", "instance_mask.mrc", "particles.csv"}


@pytest.fixture(scope="module")
def exported(tiny_dataset: faket_dask.Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export")
    written = list(export(tiny_dataset, ["mrc"], folder, ["faket", "noiseless", "faket"]))
    assert sorted(written) == sorted((folder / "mrc").iterdir())
    return folder / "mrc"


def read(path: Path) -> np.ndarray:
    with mrcfile.open(path) as file:
        return np.array(file.data)


def test_every_series_and_specimen_has_its_files(exported: Path) -> None:
    expected = {
        f"{series}_{modality}{suffix}"
        for series in ("specimen-000__b", "specimen-001__a")
        for modality in ("faket", "noiseless")
        for suffix in (".mrc", ".rawtlt", ".mrc.mdoc")
    }
    expected |= {f"specimen-00{n}_{name}" for n in (0, 1) for name in SPECIMEN_FILES}
    assert {path.name for path in exported.iterdir()} == expected


def test_every_mrc_file_is_valid(exported: Path) -> None:
    for path in exported.glob("*.mrc"):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert mrcfile.validate(path)
        with mrcfile.open(path) as file:
            assert file.is_image_stack() == ("__" in path.name)
            np.testing.assert_allclose([file.voxel_size[axis] for axis in "xyz"], 10, rtol=1e-6)
            assert float(file.header.dmin) == pytest.approx(float(file.data.min()))


def test_exported_stacks_equal_the_stored_ones(tiny_dataset: faket_dask.Dataset, exported: Path) -> None:
    for name in tiny_dataset.series:
        series = tiny_dataset.open(name)
        for modality in ("faket", "noiseless"):
            stack = read(exported / f"{name}_{modality}.mrc")
            assert stack.dtype == np.float32
            np.testing.assert_array_equal(stack, series[modality].values)
            angles = read_angles(exported / f"{name}_{modality}.rawtlt")
            np.testing.assert_allclose(-angles, series["tilt_angle"].values)  # IMOD's sign


def test_volumes_are_cut_to_the_field_of_view(tiny_dataset: faket_dask.Dataset, exported: Path) -> None:
    for name, series in tiny_dataset.spec.series_by_name.items():
        opened = tiny_dataset.open(name)
        for volume in ("density", "class_mask", "instance_mask"):
            exported_volume = read(exported / f"{series.specimen}_{volume}.mrc")
            assert exported_volume.shape == (60, 96, 80)
            np.testing.assert_array_equal(exported_volume, opened[volume].values)


def test_particle_table_is_in_the_frame_of_the_exported_volume(
    tiny_dataset: faket_dask.Dataset, exported: Path
) -> None:
    """Beads are solid, so the voxel at a bead's centre carries its class and its instance number."""
    beads = 0
    for specimen in tiny_dataset.spec.specimens:
        table = read_particles(exported / f"{specimen}_particles.csv")
        classes, instances = (
            read(exported / f"{specimen}_{name}_mask.mrc") for name in ("class", "instance")
        )
        indices = np.round(table.centre_A[:, ::-1] / 10).astype(int)
        assert (indices >= 0).all()
        assert (indices < classes.shape).all()
        solid = table.class_name == "fiducial"
        beads += int(solid.sum())
        np.testing.assert_array_equal(classes[tuple(indices[solid].T)], table.class_id[solid])
        np.testing.assert_array_equal(instances[tuple(indices[solid].T)], table.instance[solid])
    assert beads


def test_particle_table_lists_particles_centred_in_view(
    tiny_dataset: faket_dask.Dataset, exported: Path
) -> None:
    for name, series in tiny_dataset.spec.series_by_name.items():
        whole: ParticleTable = tiny_dataset.particles(name)
        x = tiny_dataset.open(name)["x"].values
        inside = (whole.centre_A[:, 0] > x[0] - 5) & (whole.centre_A[:, 0] < x[-1] + 5)
        table = read_particles(exported / f"{series.specimen}_particles.csv")
        assert table.instance.tolist() == whole.instance[inside].tolist()
        np.testing.assert_array_equal(table.rotation, whole.rotation[inside])


def test_exported_stack_is_accepted_as_reference(exported: Path, tmp_path: Path) -> None:
    stack = exported / "specimen-000__b_faket.mrc"
    assert open_stack(stack).pixel_size_A == pytest.approx(10)
    document = small_document(
        tmp_path / "data",
        references=[{"name": "exported", "stack": str(stack)}],
        noise={"statistics": "given", "given": {"signal_scale": [0.4], "noise_scale": [0.9]}},
    )
    [recording] = faket_dask.plan(parse(document, tmp_path)).spec.inputs.recordings.values()
    assert recording.shape == (5, 96, 80)
    assert recording.tilt_angles == (-40, -20, 0, 20, 40)


@pytest.mark.parametrize("modality", ["fakets", "spectral"])
def test_absent_modality_is_refused_by_name(
    tiny_dataset: faket_dask.Dataset, tmp_path: Path, modality: str
) -> None:
    with pytest.raises(
        InputError, match=f"no modality '{modality}'; it has noiseless, faket, noisy, content"
    ):
        export(tiny_dataset, ["mrc"], tmp_path / "out", ["faket", modality])
    assert not (tmp_path / "out").exists()


def test_incomplete_modality_is_refused_and_complete_ones_are_exported(
    tiny_dataset: faket_dask.Dataset, tmp_path: Path
) -> None:
    copy = shutil.copytree(tiny_dataset.folder, tmp_path / "data")
    (copy / "series/specimen-001__a.zarr/tilts/faket/c/3/0/0").unlink()
    dataset = open_dataset(copy)
    with pytest.raises(
        UnfinishedError, match=r"1 of 5 units of synthesise specimen-001__a are not done; finish it"
    ):
        export(dataset, ["mrc"], tmp_path / "out", ["faket"])
    assert not (tmp_path / "out").exists()
    assert list(export(dataset, ["mrc"], tmp_path / "out", ["noiseless", "benchmark"]))


def test_specimens_of_several_series_are_written_once(one_worker: Client, tmp_path: Path) -> None:
    document = small_document(
        tmp_path / "data", specimen={"count": 1}, pairing="all", outputs={"modalities": ["noisy"]}
    )
    dataset = faket_dask.run(parse(document, tmp_path), one_worker)
    assert dataset.series == ["specimen-000__a", "specimen-000__b"]
    written = [path.name for path in export(dataset, ["mrc"], tmp_path / "out", ["noisy"])]
    assert len(written) == len(set(written)) == 6 + len(SPECIMEN_FILES)


def test_export_without_modalities_writes_labels_alone(
    tiny_dataset: faket_dask.Dataset, tmp_path: Path
) -> None:
    names = {path.name for path in export(tiny_dataset, ["mrc"], tmp_path, [])}
    assert names == {
        f"{specimen}_{name}" for specimen in tiny_dataset.spec.specimens for name in SPECIMEN_FILES
    }


OUTSIDE = """
class NamesExporter:
    name = "names"
    help = "names of the series, one per line"

    def export(self, source, folder):
        path = folder / "names.txt"
        path.write_text("".join(f"{series.name}\\n" for series in source.series))
        yield path
"""


def test_format_of_another_package_is_one_file_and_an_entry_point(
    tiny_dataset: faket_dask.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site"
    metadata = site / "outside-1.0.dist-info"
    metadata.mkdir(parents=True)
    (site / "outside.py").write_text(OUTSIDE)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: outside\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[faket_dask.exporters]\nnames = outside:NamesExporter\n")
    monkeypatch.syspath_prepend(site)
    assert exporter_names()[-1] == "names"
    assert isinstance(load_exporter("names"), Exporter)
    [path] = export(tiny_dataset, ["names"], tmp_path, ["faket"])
    assert path.read_text().splitlines() == tiny_dataset.series
    assert "names of the series" in CliRunner().invoke(app, ["export", "--help"]).output


def test_broken_package_of_a_format_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    metadata = tmp_path / "broken-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[faket_dask.exporters]\nbad = no_such_package:Exporter\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InputError, match="'bad' cannot be loaded from no_such_package:Exporter"):
        load_exporter("bad")
    result = CliRunner().invoke(app, ["export", "--help"])
    assert result.exit_code == 0
    assert "cannot be loaded" in result.output


@pytest.mark.parametrize("name", exporter_names())
def test_every_exporter_follows_the_protocol_under_its_own_name(name: str) -> None:
    exporter = load_exporter(name)
    assert isinstance(exporter, Exporter)
    assert exporter.name == name
    assert exporter.help


def test_root_is_refused_where_no_format_uses_it(tiny_dataset: faket_dask.Dataset, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"--root .* copick .* mrc, warp has none; leave it out"):
        export(tiny_dataset, ["mrc", "warp"], tmp_path, root="/elsewhere")
    assert not list(tmp_path.iterdir())
