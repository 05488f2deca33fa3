"""`cryocat` on exported RELION-5 and IMOD files."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import faket_dask
from faket_dask.specimen.particles import read_particles
from tests.clients.environments import Client

pytestmark = pytest.mark.clients

PARTICLES = """
import json, sys
from cryocat.cryomotl import RelionMotlv5
motl = RelionMotlv5(sys.argv[1] + "/particles.star", input_tomograms=sys.argv[1] + "/tomograms.star")
table = motl.df
places = table[["x", "y", "z"]].to_numpy() + table[["shift_x", "shift_y", "shift_z"]].to_numpy()
print()
print(json.dumps([table["tomo_id"].tolist(), places.tolist(), motl.get_rotations().as_matrix().tolist()]))
"""

SERIES = """
import json, sys
from cryocat import ioutils
folder, name = sys.argv[1:]
angles = ioutils.tlt_load(f"{folder}/{name}.tlt")
command = ioutils.imod_com_read(f"{folder}/tilt.com")
print()
print(json.dumps([[float(angle) for angle in angles], command]))
"""

DOSES = """
import json, sys
from cryocat import ioutils
print()
print(json.dumps([float(dose) for dose in ioutils.total_dose_load(sys.argv[1])]))
"""


def test_particles_lie_where_they_are(
    install: Callable[..., Client], binned_dataset: faket_dask.Dataset, exported: Path
) -> None:
    tomograms, places, rotations = install("cryocat").run(PARTICLES, exported / "relion5")
    for number, specimen in enumerate(binned_dataset.spec.specimens):
        table = read_particles(exported / f"mrc/{specimen}_particles.csv")
        rows = np.array(tomograms) == number
        np.testing.assert_allclose(np.array(places)[rows], table.centre_A / 10, atol=1e-4)
        np.testing.assert_allclose(np.array(rotations)[rows], table.rotation, atol=1e-4)


def test_angles_and_command_file_are_read(install: Callable[..., Client], exported: Path) -> None:
    [folder, _] = sorted((exported / "imod").iterdir())
    angles, command = install("cryocat").run(SERIES, folder, folder.name)
    assert angles == [-40, -20, 0, 20, 40]  # it sorts them
    assert command["THICKNESS"] == [60]
    assert command["XTILTFILE"] == [f"{folder.name}.xtilt"]


def test_doses_of_mdoc_are_read(install: Callable[..., Client], exported: Path) -> None:
    [path, _] = sorted((exported / "mrc").glob("*.mdoc"))
    # By increasing angle, each with the tilt's own.
    assert install("cryocat").run(DOSES, path) == pytest.approx([10, 4, 2, 6, 8])
