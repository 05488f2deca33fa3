"""Run by an interpreter that has copick: print what copick and ome-zarr find in a project, as JSON.

The arrays that copick reads are kept beside the configuration, in ``<run>_<name>.npy``.
"""

import json
import sys
from pathlib import Path

import copick
import numpy as np
from ome_zarr.io import parse_url
from ome_zarr.reader import Reader


def described(volume: np.ndarray, path: Path) -> dict:
    np.save(path, volume)
    return {"shape": list(volume.shape), "dtype": str(volume.dtype)}


def main(config: str) -> None:
    root, folder = copick.from_file(config), Path(config).parent
    result: dict = {
        "objects": [[item.name, item.label, item.is_particle, item.radius] for item in root.pickable_objects],
        "runs": {},
    }
    for run in root.runs:
        volumes = {}
        for spacing in run.voxel_spacings:
            for tomogram in spacing.tomograms:
                kept = folder / f"{run.name}_{tomogram.tomo_type}.npy"
                found_there = described(tomogram.numpy(), kept)
                volumes[tomogram.tomo_type] = {"spacing": spacing.voxel_size, **found_there}
        picks = {}
        for item in run.picks:
            places, matrices = item.numpy()
            picks[item.pickable_object_name] = {"places": places.tolist(), "matrices": matrices.tolist()}
        segmentations = {
            item.name: {
                "multilabel": item.is_multilabel,
                "spacing": item.voxel_size,
                **described(item.numpy(), folder / f"{run.name}_{item.name}.npy"),
            }
            for item in run.segmentations
        }
        result["runs"][run.name] = {"volumes": volumes, "picks": picks, "segmentations": segmentations}
    levels = {}
    for store in sorted(folder.glob("ExperimentRuns/*/*/*.zarr")):
        [node] = Reader(parse_url(str(store)))()
        scales = [
            transformations[0]["scale"] for transformations in node.metadata["coordinateTransformations"]
        ]
        units = [axis["unit"] for axis in node.metadata["axes"]]
        levels[store.name] = {"shapes": [list(d.shape) for d in node.data], "scales": scales, "units": units}
    result["ome_zarr"] = levels
    sys.stdout.write("\n" + json.dumps(result) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
