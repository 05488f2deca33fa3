"""IMOD's command file and how its program is run (IMOD itself is not needed)."""

from pathlib import Path

import numpy as np
import pytest

from faket_dask.errors import InputError
from faket_dask.formats.imod import read_angles
from faket_dask.formats.tilt_com import read_tilt_com, run_tilt, write_tilt_com
from faket_dask.geometry import TiltGeometry

GEOMETRY = TiltGeometry(np.array([-30.0, 0.0, 40.0]), 10.0)


def test_command_file_is_written(tmp_path: Path) -> None:
    path = write_tilt_com(tmp_path, "a", GEOMETRY, (64, 48), 20)
    assert path.read_text().splitlines()[2:] == [
        "$tilt -StandardInput",
        "InputProjections a.mrc",
        "OutputFile a_full_rec.mrc",
        "IMAGEBINNED 1",
        "TILTFILE a.tlt",
        "XTILTFILE a.xtilt",
        "THICKNESS 20",
        "RADIAL 0.35 0.035",
        "FalloffIsTrueSigma 1",
        "XAXISTILT 0.0",
        "SCALE 0.0 250.0",
        "PERPENDICULAR",
        "MODE 2",
        "FULLIMAGE 48 64",
        "SUBSETSTART 0 0",
        "AdjustOrigin",
        "ActionIfGPUFails 1,2",
        "OFFSET 0.0 0.5",
        "SHIFT 0.0 -0.5",
        "$if (-e ./savework) ./savework",
    ]
    assert (tmp_path / "a.tlt").read_text().split() == ["30.0", "0.0", "-40.0"]
    assert read_angles(tmp_path / "a.xtilt").tolist() == [0, 0, 0]
    assert read_tilt_com(path)["FULLIMAGE"] == ("48", "64")


def test_unaligned_series_is_refused(tmp_path: Path) -> None:
    turned = TiltGeometry(GEOMETRY.tilt_angles, 10.0, tilt_axis_angle_deg=4)
    with pytest.raises(InputError, match="not aligned"):
        write_tilt_com(tmp_path, "a", turned, (64, 48), 20)


def test_only_options_of_tilt_are_read(tmp_path: Path) -> None:
    (tmp_path / "tilt.com").write_text(
        "$newstack -in a b\nMODE 1\n# x\n$tilt -StandardInput\nthickness 9\n$ls\nX 1\n"
    )
    assert read_tilt_com(tmp_path / "tilt.com") == {"THICKNESS": ("9",)}
    (tmp_path / "tilt.com").write_text("$newstack\n")
    with pytest.raises(InputError, match="does not run IMOD's tilt"):
        read_tilt_com(tmp_path / "tilt.com")


def test_program_runs_in_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command_file = write_tilt_com(tmp_path, "a", GEOMETRY, (64, 48), 20)
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs))
    with pytest.raises(InputError, match="IMOD is not on the PATH"):
        run_tilt(command_file)
    program = programs / "submfg"
    program.write_text('#!/bin/sh\necho "$1" > said\n')
    program.chmod(0o755)
    run_tilt(command_file)
    assert (tmp_path / "said").read_text() == "tilt.com\n"
    program.write_text("#!/bin/sh\necho first\necho ERROR: TILT - NO SUCH FILE\nexit 1\n")
    with pytest.raises(InputError, match=r"failed on .*tilt.com: ERROR: TILT - NO SUCH FILE"):
        run_tilt(command_file)
