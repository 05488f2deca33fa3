"""Choice of contrast transfer, noise statistics and shared matter, where a run file leaves it to the references."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from faket_dask.config import RunConfig, TiltSeriesReference, parse
from faket_dask.config.run_file import fill_in_statistics
from faket_dask.config.signal import NO_CTF
from faket_dask.dataset.inputs import RecordingInput
from faket_dask.errors import InputError
from faket_dask.references.common_power import list_neighbours
from faket_dask.references.recorded import open_recording


def resolve_signal(config: RunConfig, recordings: Mapping[str, RecordingInput]) -> RunConfig:
    """Return a run file with contrast transfer, noise statistics and shared matter chosen.

    Parameters
    ----------
    config
        Run file.
    recordings
        Facts about its recorded references.

    Raises
    ------
    InputError
        If it asks for what its references do not allow; one line for each mistake.
    """
    document: dict[str, Any] = config.model_dump(mode="json")
    unknown = [name for name, recording in recordings.items() if recording.ctf is None]
    if config.signal.ctf == "auto":
        document["signal"]["ctf"] = "reference" if config.references and not unknown else NO_CTF
    elif config.signal.ctf == "reference" and unknown:
        raise InputError(
            f"signal.ctf: the files of {unknown[0]!r} tell no defocus; give it (the key `ctf` or `defocus_um` of the "
            "reference), draw one (`signal: {ctf: {defocus_um: [2, 4]}}`), or write `ctf: none`"
        )
    if document["signal"]["ctf"] == NO_CTF:
        document = fill_in_statistics(document)
    elif config.noise.statistics == "auto":
        document["noise"]["statistics"] = "physical"
    if config.background.source == "auto":
        physical = document["noise"]["statistics"] == "physical"
        shared = physical and not any(True for _ in _find_obstacles(config, recordings))
        document["background"]["source"] = "reference" if shared else "none"
    elif config.background.source == "reference":
        for obstacle in _find_obstacles(config, recordings):
            raise InputError(f"background.source: {obstacle}")
    if document == config.model_dump(mode="json"):
        return config
    return parse(document, Path())


def _find_obstacles(config: RunConfig, recordings: Mapping[str, RecordingInput]) -> Iterator[str]:
    """Iterate over the reasons why the matter that tilts share cannot be measured."""
    for reference in config.references:
        if isinstance(reference, TiltSeriesReference):
            try:
                list_neighbours(reference.name, np.asarray(recordings[reference.name].tilt_angles))
            except InputError as error:
                yield str(error)
                continue
            series = open_recording(reference)
            if series.alignment is None and not series.needs_alignment and not reference.aligned:
                yield (
                    f"nothing is known about the alignment of {reference.stack}, and what its tilts share shows in "
                    "aligned tilts alone; give its .xf file (`align`), or write `aligned: true` if its tilt axis lies "
                    "along y through the centre"
                )
