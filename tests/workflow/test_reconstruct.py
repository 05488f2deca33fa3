"""Tomograms on request: of a complete data set, and of recorded series, from Python and the command line."""

import shutil
from dataclasses import replace
from pathlib import Path

import mrcfile
import numpy as np
import pytest
from distributed import Client
from typer.testing import CliRunner

import faket_dask
from faket_dask.cli import app
from faket_dask.config import ReconstructionSection, parse
from faket_dask.errors import InputError
from faket_dask.formats.imod import write_angles
from faket_dask.formats.mrc import write_stack
from faket_dask.formats.ome_zarr import open_volume
from faket_dask.formats.openers import open_tilt_series
from faket_dask.formats.tilt_series import TiltSeries
from faket_dask.geometry.series_ctf import SeriesCtf
from faket_dask.interchange.export import export
from faket_dask.kernels.backprojection import back_project
from faket_dask.kernels.backprojection_binned import back_project_binned
from faket_dask.kernels.ctf_correction import CtfCorrection, PhaseFlip
from faket_dask.kernels.dose_weighting import DoseWeighting
from faket_dask.kernels.optics import Defocus, Optics
from faket_dask.outputs.record import RECORD
from faket_dask.stages.reconstruction import Restoration, prepare_tilt
from faket_dask.workflow.external_stack import reconstruct_series
from faket_dask.workflow.reconstruct import reconstruct_dataset
from tests.formats.conftest import VOXEL_A, make_phantom, registration_error
from tests.runs import small_document

THICK = ReconstructionSection(thickness_A=400, filter="hann")


@pytest.fixture(scope="module")
def stack_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    phantom = make_phantom((40, 100, 90))
    path = tmp_path_factory.mktemp("series") / "TS_01.st"
    write_stack(path, phantom.tilts(), phantom.stack.shape, VOXEL_A)
    write_angles(path.with_suffix(".tlt"), phantom.geometry.stage_angles)
    return path


@pytest.fixture(scope="module")
def series(stack_file: Path) -> TiltSeries:
    return open_tilt_series(stack_file)


@pytest.mark.parametrize("threads", [1, 3])
def test_recorded_series_gives_the_bytes_of_the_kernels(
    series: TiltSeries, tmp_path: Path, threads: int
) -> None:
    reconstruct_series(series, tmp_path / "a.mrc", THICK, threads)
    angles = series.geometry.tilt_angles
    ready = np.stack(
        [
            prepare_tilt(tilt=series.tilt(i), kind="hann", tilt_angles=angles, index=i, thickness_px=40)
            for i in range(angles.size)
        ]
    )
    with mrcfile.open(tmp_path / "a.mrc") as file:
        assert file.is_volume()
        assert float(file.voxel_size.x) == VOXEL_A
        assert file.data.tobytes() == back_project(ready, angles, 40).tobytes()
    assert [path.name for path in tmp_path.iterdir()] == ["a.mrc"]


@pytest.mark.parametrize("name", ["a.mrc", "a.zarr"])
def test_shares_of_work_add_up(series: TiltSeries, tmp_path: Path, name: str) -> None:
    shares: list[float] = []
    reconstruct_series(series, tmp_path / name, THICK, advance=shares.append)
    assert len(shares) > series.shape[0]
    assert sum(shares) == pytest.approx(1)


def test_recorded_series_is_written_as_ome_zarr(series: TiltSeries, tmp_path: Path) -> None:
    reconstruct_series(series, tmp_path / "a.mrc", THICK)
    for _ in range(2):
        reconstruct_series(series, tmp_path / "a.zarr", THICK)
    volume = open_volume(tmp_path / "a.zarr")
    with mrcfile.open(tmp_path / "a.mrc") as file:
        np.testing.assert_array_equal(volume.data[...], file.data)
    assert volume.voxel_size_A == VOXEL_A


def test_command_reconstructs_a_recorded_series(stack_file: Path, tmp_path: Path) -> None:
    target = tmp_path / "rec/a.mrc"
    command = ["reconstruct", str(stack_file), "--thickness-A", "400", "--to", str(target)]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    with mrcfile.open(target) as file:
        assert registration_error(file.data, make_phantom((40, 100, 90)).particles) < 0.1
    binned = CliRunner().invoke(app, [*command, "--binning", "2", "--filter", "shrec", "--tilt-stride", "2"])
    assert binned.exit_code == 0, binned.output
    with mrcfile.open(target) as file:
        assert file.data.shape == (20, 50, 45)
        assert float(file.voxel_size.x) == 2 * VOXEL_A


@pytest.mark.parametrize("threads", [1, 2])
def test_tomogram_is_binned_after_reconstruction(series: TiltSeries, tmp_path: Path, threads: int) -> None:
    after = ReconstructionSection(thickness_A=400, filter="exact", post_binning=2)
    reconstruct_series(series, tmp_path / "a.mrc", after, threads)
    angles = series.geometry.tilt_angles
    ready = np.stack(
        [
            prepare_tilt(
                tilt=series.tilt(i),
                kind="exact",
                tilt_angles=angles,
                index=i,
                thickness_px=40,
                binning=1,
                post_binning=2,
            )
            for i in range(angles.size)
        ]
    )
    with mrcfile.open(tmp_path / "a.mrc") as file:
        assert file.data.shape == (20, 50, 45)
        assert float(file.voxel_size.x) == 2 * VOXEL_A
        assert file.data.tobytes() == back_project_binned(ready, angles, 20, 2).tobytes()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "thickness"),
        (["--thickness-A", "400", "--filter", "rampp"], "filter: must be ramp, crowther"),
        (["--thickness-A", "400", "--binning", "0"], "binning"),
        (["--thickness-A", "400", "--binning", "60"], "cannot be filtered"),
        (
            ["--thickness-A", "400", "--binning", "10", "--post-binning", "10"],
            "100 pixels per voxel are more",
        ),
        (["--thickness-A", "400", "--align"], "no .xf file beside it"),
        (["--thickness-A", "400", "--to", "a.png"], "neither .mrc, .rec nor .zarr"),
        (["--thickness-A", "400", "--sign", "up"], "sign"),
        (["--thickness-A", "400", "--imod", "--binning", "2"], "--binning: not for IMOD's tilt; leave out"),
    ],
)
def test_unusable_options_are_explained(
    stack_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["reconstruct", str(stack_file), *options])
    assert result.exit_code == 2, result.output
    text = " ".join(result.output.split())
    assert message in text
    assert list(tmp_path.iterdir()) == []


def test_complete_data_set_is_extended_by_tomograms(
    tiny_dataset: faket_dask.Dataset, one_worker: Client, tmp_path: Path
) -> None:
    copy = shutil.copytree(tiny_dataset.folder, tmp_path / "data")
    for modalities, settings in ((("faket",), {"filter": "ramp"}), (("noisy",), {"filter": "ramp"})):
        section = ReconstructionSection(modalities=modalities, **settings)
        dataset = reconstruct_dataset(copy, section, one_worker)
    assert not dataset.failures
    for name in dataset.series:
        for modality in ("faket", "noisy"):
            assert dataset.tomogram(name, modality).shape == (60, 96, 80)
    command = ["reconstruct", str(copy), "--imod", "--align", "--modality", "faket"]
    refused = CliRunner().invoke(app, command)
    assert refused.exit_code == 2
    assert "--align, --imod: for recorded series" in " ".join(refused.output.split())
    with pytest.raises(InputError, match="is not a data set"):
        reconstruct_dataset(tmp_path, section, one_worker)


def test_modality_is_one_that_is_kept(one_worker: Client, tmp_path: Path) -> None:
    document = small_document(tmp_path / "data", specimen={"count": 1}, outputs={"modalities": ["noisy"]})
    faket_dask.run(parse(document, tmp_path), one_worker)
    with pytest.raises(InputError, match=r"'faket' is not kept; add it to outputs\.modalities"):
        reconstruct_dataset(tmp_path / "data", ReconstructionSection(modalities=("faket",)), one_worker)
    dataset = reconstruct_dataset(tmp_path / "data", ReconstructionSection(), one_worker)
    assert dataset.tomogram(dataset.series[0], "noisy").shape == (60, 96, 80)
    written = list(export(dataset, ["mrc"], tmp_path / "export"))
    assert any(path.name.endswith("_noisy.mrc") for path in written)


def test_imod_gets_its_files_and_commands(
    stack_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scripts stand for its programs and check what they are called with."""
    programs = tmp_path / "bin"
    programs.mkdir()
    target = tmp_path / "rec.mrc"
    command = ["reconstruct", str(stack_file), "--imod", "--thickness-A", "400", "--to", str(target)]
    monkeypatch.setenv("PATH", str(programs))
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 2
    assert "IMOD is not on the PATH" in result.output
    scripts = {
        "submfg": "read line < tilt.com; echo made > series_full_rec.mrc; [ -f series.mrc ] && [ -f series.tlt ]",
        "trimvol": '[ "$1 $2" = "-rx series_full_rec.mrc" ] && echo turned > "$3"',
    }
    for name, script in scripts.items():
        (programs / name).write_text(f"#!/bin/sh\n{script}\n")
        (programs / name).chmod(0o755)
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    assert target.read_text() == "turned\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == [RECORD, "bin", "rec.mrc"]


def with_exposures(series: TiltSeries, defocus_um: float | None = None) -> TiltSeries:
    """Return the series as if its files told exposures, in the order of the angles, and a defocus."""
    tilts = series.shape[0]
    geometry = replace(
        series.geometry, exposure_e_per_A2=np.full(tilts, 3.0), acquisition_order=np.arange(tilts)
    )
    ctf = None if defocus_um is None else SeriesCtf((Defocus(defocus_um),) * tilts, "a.defocus", 200.0)
    return replace(series, geometry=geometry, ctf=ctf)


def test_recorded_series_is_corrected_with_the_defocus_of_its_files(
    series: TiltSeries, tmp_path: Path
) -> None:
    section = THICK.model_copy(
        update={"ctf": "phase_flip", "dose_weighting": True, "halves": ("tilts", "dose")}
    )
    told = with_exposures(series, defocus_um=4.0)
    reconstruct_series(told, tmp_path / "a.mrc", section)
    names = ["a.mrc", "a_early.mrc", "a_even.mrc", "a_late.mrc", "a_odd.mrc"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    angles, tilts = series.geometry.tilt_angles, series.shape[0]
    restoration = Restoration(
        VOXEL_A,
        CtfCorrection(PhaseFlip(), Optics(voltage_kV=200.0), (Defocus(4.0),) * tilts),
        DoseWeighting(200.0, tuple(3.0 * np.arange(tilts)), (3.0,) * tilts),
    )
    ready = np.stack(
        [
            prepare_tilt(
                tilt=series.tilt(index),
                kind="hann",
                tilt_angles=angles,
                index=index,
                thickness_px=40,
                restoration=restoration,
            )
            for index in range(tilts)
        ]
    )
    early = (tilts + 1) // 2
    parts = {"a": slice(None), "a_odd": slice(0, None, 2), "a_even": slice(1, None, 2)}
    parts |= {"a_early": slice(early), "a_late": slice(early, None)}
    for name, part in parts.items():
        with mrcfile.open(tmp_path / f"{name}.mrc") as file:
            assert file.data.tobytes() == back_project(ready[part], angles[part], 40).tobytes()


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        (
            {"ctf": "phase_flip"},
            "TS_01.st cannot be corrected for its CTF: no file .* defocus .*--ctf-file",
        ),
        (
            {"dose_weighting": True},
            "TS_01.st cannot be weighted by its dose: no file .* exposure .* put its .mdoc",
        ),
        ({"halves": ("dose",)}, "TS_01.st cannot be halved by its dose"),
        ({"halves": ("tilts",), "tilt_stride": 90}, "one tilt has no halves"),
    ],
)
def test_series_without_what_a_correction_needs_is_refused(
    series: TiltSeries, tmp_path: Path, setting: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        reconstruct_series(series, tmp_path / "a.mrc", THICK.model_copy(update=setting))
    assert list(tmp_path.iterdir()) == []


def test_exposure_of_nothing_and_assumed_voltage_are_told(series: TiltSeries, tmp_path: Path) -> None:
    told = with_exposures(series)
    with pytest.warns(UserWarning, match="does not tell the voltage .*; 300 kV is assumed"):
        reconstruct_series(told, tmp_path / "a.mrc", THICK.model_copy(update={"dose_weighting": True}))
    exposure = np.full(series.shape[0], 3.0)
    exposure[4] = 0
    unexposed = replace(told, geometry=replace(told.geometry, exposure_e_per_A2=exposure))
    with pytest.raises(InputError, match="an exposure of 0 for view 5 of"):
        reconstruct_series(unexposed, tmp_path / "b.mrc", THICK.model_copy(update={"dose_weighting": True}))


def test_command_makes_tomograms_of_halves(stack_file: Path, tmp_path: Path) -> None:
    command = ["reconstruct", str(stack_file), "--thickness-A", "400", "--to", str(tmp_path / "a.zarr")]
    result = CliRunner().invoke(app, [*command, "--halves", "tilts"])
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in tmp_path.glob("*.zarr")) == ["a.zarr", "a_even.zarr", "a_odd.zarr"]


def test_command_corrects_the_ctf_with_a_given_defocus(
    series: TiltSeries, stack_file: Path, tmp_path: Path
) -> None:
    command = ["reconstruct", str(stack_file), "--thickness-A", "400", "--to", str(tmp_path / "a.mrc")]
    refused = CliRunner().invoke(app, [*command, "--ctf", "wiener"])
    assert refused.exit_code != 0
    assert "--defocus-um" in refused.output
    idle = CliRunner().invoke(app, [*command, "--defocus-um", "4"])
    assert "--defocus-um: for --ctf phase_flip or wiener" in idle.output
    result = CliRunner().invoke(app, [*command, "--ctf", "wiener", "--wiener-snr", "3", "--defocus-um", "4"])
    assert result.exit_code == 0, result.output
    assert "300 kV is assumed" in result.output
    told = replace(series, ctf=SeriesCtf((Defocus(4.0),) * series.shape[0], "a.defocus", 300.0))
    section = THICK.model_copy(update={"ctf": "wiener", "wiener_snr": 3.0})
    reconstruct_series(told, tmp_path / "b.mrc", section)
    with mrcfile.open(tmp_path / "a.mrc") as file, mrcfile.open(tmp_path / "b.mrc") as expected:
        np.testing.assert_array_equal(file.data, expected.data)
