"""The method `matched` on references of other microscopes: it ends next to them, and no setting is touched."""

from pathlib import Path

import numpy as np
from distributed import Client

import faket_dask
from benchmarks.microscopes import correlation, document, recordings, relative_distances
from faket_dask.config import parse
from faket_dask.stages.networks import load_network

# The others of `recordings` differ from these in degree, and take as long.
NAMES = (
    "astigmatic",
    "blurring-detector",
    "few-counts",
    "narrow",
    "gradient",
    "hot-pixels",
    "coarser-pixels",
    "two-tilts",
    "micrograph",
)
LAYERS = (1, 6)
ANGLE = 20.0


def test_matched_ends_next_to_any_reference(one_worker: Client, tmp_path: Path) -> None:
    """As near to the half that was not seen as the other half is, up to chance, with the signal of its start."""
    style = {
        "preset": "matched",
        "weights": "random",
        "random_seed": 5,
        "style_layers": dict.fromkeys(LAYERS, 1),
    }
    found = [recording for recording in recordings(96, [ANGLE]) if recording.name in NAMES]
    assert len(found) == len(NAMES)
    dataset = faket_dask.run(parse(document(tmp_path, found, 128, [ANGLE], style), tmp_path), one_worker)
    assert not dataset.failures, dataset.failures
    network = load_network(dataset.spec.config.style, dataset.spec.inputs.weights_checksum)
    far, lost = {}, {}
    for recording in found:
        ratios = relative_distances(dataset, recording, "faket", ANGLE, network, LAYERS)
        if not np.mean(ratios) < 1.8:
            far[recording.name] = ratios
        ours, start = (correlation(dataset, recording, name, ANGLE) for name in ("faket", "spectral"))
        # Uncorrelated noise has a hundredth by chance.
        if not ours > 0.97 * start - 0.005:
            lost[recording.name] = ours, start
    assert not far
    assert not lost
