"""Run by an interpreter that has cryoet-alignment: print how it takes a RELION-5 project and IMOD's files, as JSON.

Arguments are a `tomograms.star`, an `.xf`, a `.tlt`, columns and rows of a tilt, and points ``(x, y, z)`` of the volume
in pixels from its corner, as JSON.
"""

import json
import sys
from pathlib import Path

import numpy as np
from cryoet_alignment.io.imod.rawtlt import ImodTLT
from cryoet_alignment.io.imod.xf import ImodXF
from cryoet_alignment.io.relion.alignment import RelionAlignment, projection_matrix


def main(tomograms: str, transforms: str, angles: str, size: str, points: str) -> None:
    result = RelionAlignment.from_file(tomograms)
    places = np.array(json.loads(points))
    pixels = []
    for tilt in result.entries:
        turns, shifts = (tilt.x_tilt, tilt.y_tilt, tilt.z_rot), (tilt.x_shift_angst, tilt.y_shift_angst)
        sizes = result.volume_size_px, tuple(json.loads(size)), result.pixel_size_a
        matrix = projection_matrix(*turns, *shifts, *sizes)
        pixels.append((places @ matrix[:2, :3].T + matrix[:2, 3]).tolist())
    said = {
        "pixels": pixels,
        "exposure_before": [tilt.pre_exposure for tilt in result.entries],
        "hand": result.hand,
        "transforms": ImodXF.from_string(Path(transforms).read_text()).numpy().tolist(),
        "angles": ImodTLT.from_string(Path(angles).read_text()).angles,
    }
    sys.stdout.write("\n" + json.dumps(said) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
