"""`cryoet-alignment`, `etomofiles` and `mdocfile` on exported IMOD folders and .mdoc files, `alnfile` as our `.aln`."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from faket_dask.formats.aretomo import read_aln
from faket_dask.formats.mrc import open_stack
from tests.clients.environments import Client

pytestmark = pytest.mark.clients

ALIGNMENT = """
import json, sys
from cryoet_alignment.io.cryoet_data_portal import Alignment
from cryoet_alignment.io.imod import ImodAlignment
alignment = ImodAlignment.read(base_name=sys.argv[1])
sections = Alignment.from_imod(alignment).per_section_alignment_parameters
print(json.dumps([
    [section.tilt_angle for section in sections],
    [section.in_plane_rotation for section in sections],
    [[section.x_offset, section.y_offset, section.volume_x_rotation] for section in sections],
    [alignment.tiltcom.THICKNESS, alignment.tiltcom.FULLIMAGE, alignment.tiltcom.XTILTFILE, str(alignment.tiltcom)],
]))
"""

ETOMO = """
import json, sys
from etomofiles.utils import read_tlt, read_xf
print(json.dumps([read_tlt(sys.argv[1] + ".tlt").tolist(), read_xf(sys.argv[1] + ".xf").tolist()]))
"""

MDOC = """
import json, sys, mdocfile
table = mdocfile.read(sys.argv[1])
print(json.dumps([
    table["TiltAngle"].astype(float).tolist(),
    table["PriorRecordDose"].astype(float).tolist(),
    [str(path) for path in table["SubFramePath"]],
    [str(time) for time in table["DateTime"]],
]))
"""


ALN = """
import json, sys, alnfile
table = alnfile.read(sys.argv[1])
print(json.dumps([alnfile.df_to_xf(table).tolist(), table["tilt"].tolist(), table["sec"].tolist()]))
"""


@pytest.fixture
def series(exported: Path) -> Path:
    """Path of the files of an exported series, without their ending."""
    folder = min((exported / "imod").iterdir())
    return folder / folder.name


def test_cryoet_alignment_reads_an_aligned_series(install: Callable[..., Client], series: Path) -> None:
    angles, rotations, offsets, command = install("cryoet-alignment").run(ALIGNMENT, series)
    assert angles == [40, 20, 0, -20, -40]
    np.testing.assert_array_equal(rotations, [np.eye(2)] * 5)
    assert not np.any(offsets)
    assert command[:3] == [60, [80, 96], f"{series.name}.xtilt"]
    assert "$tilt -StandardInput" in command[3]


def test_etomofiles_reads_angles_and_transforms(install: Callable[..., Client], series: Path) -> None:
    angles, transforms = install("imod-readers").run(ETOMO, series)
    assert angles == [40, 20, 0, -20, -40]
    np.testing.assert_array_equal(np.array(transforms).reshape(5, 6), [[1, 0, 0, 1, 0, 0]] * 5)


def test_mdocfile_reads_frames_and_times(install: Callable[..., Client], exported: Path) -> None:
    client = install("imod-readers")
    files = sorted((exported / "warp/mdoc").iterdir())
    assert len(files) == 2
    for path in files:
        angles, doses, frames, times = client.run(MDOC, path)
        assert angles == [40, 20, 0, -20, -40]
        assert doses == [6, 4, 0, 2, 8]
        for frame in frames:
            assert open_stack(exported / "warp/frames" / frame).shape == (1, 96, 80)
        assert np.argsort(times).tolist() == np.argsort(doses).tolist()
        assert times[2] == "01-Jan-00  00:00:00"


def test_alnfile_agrees_about_angles_and_transforms(install: Callable[..., Client], tmp_path: Path) -> None:
    rows = [(1, -95.404, 9.22, 103.933, -3.2), (2, -95.404, -1.5, 84.977, -0.2), (3, 84.596, 0.0, 0.0, 2.79)]
    path = tmp_path / "a.aln"
    path.write_text(
        "# AreTomo Alignment / Priims bprmMn\n# RawSize = 64 48 4\n# NumPatches = 0\n"
        "# DarkFrame =     3    4     6.00\n# AlphaOffset =     0.00\n# BetaOffset =     0.00\n"
        "# SEC     ROT         GMAG       TX          TY      SMEAN     SFIT    SCALE     BASE     TILT\n"
        + "".join(f"{sec} {rot} 1.0 {x} {y} 1.00 1.00 1.00 0.00 {tilt}\n" for sec, rot, x, y, tilt in rows)
    )
    transforms, angles, sections = install("imod-readers").run(ALN, path)
    ours = read_aln(path)
    bright = ~ours.is_dark
    assert (np.flatnonzero(bright) + 1).tolist() == sections
    assert ours.angles[bright].tolist() == angles
    np.testing.assert_allclose(ours.transforms[bright], transforms, atol=1e-9)
