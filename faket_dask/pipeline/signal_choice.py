"""Choice of contrast transfer, noise statistics and shared matter, where a run file leaves it to the references."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from faket_dask.config import RunConfig, StyleSection, TiltSeriesReference, parse
from faket_dask.config.references import BlendedReference
from faket_dask.config.run_file import fill_in_statistics
from faket_dask.config.signal import NO_CTF, DrawnCtf
from faket_dask.dataset.inputs import RecordingInput
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.errors import InputError
from faket_dask.kernels.noise.physical import find_normalisation
from faket_dask.references import open_reference
from faket_dask.references.common_power import list_neighbours
from faket_dask.references.recorded import RecordedReference

DEFAULT_PRESET = "matched"
"""Style of a run file that names none, where the contrast transfer of its references is known."""

DEFAULT_MODALITY = "spectral"
"""Modality of a run file that names neither a style nor modalities, where that contrast transfer is known.

The transfer of style brings nothing over it in three dimensions (docs/signal.md), and it needs no network.
"""


def choose_style(config: RunConfig, recordings: Mapping[str, RecordingInput]) -> RunConfig:
    """Return a run file with style and modalities, where it names none and its signal has a contrast transfer.

    Parameters
    ----------
    config
        Run file.
    recordings
        Facts about its recorded references.
    """
    known = config.references and all(recording.ctf is not None for recording in recordings.values())
    transferred = config.signal.ctf != NO_CTF and (known or isinstance(config.signal.ctf, DrawnCtf))
    if config.style.is_named or not transferred:
        return config
    document: dict[str, Any] = config.model_dump(mode="json")
    kept = StyleSection.model_fields.keys() - {"method", "noise", "settings"}
    style = {key: value for key, value in document["style"].items() if key in kept}
    document["style"] = {**style, "preset": DEFAULT_PRESET}
    if "modalities" not in config.outputs.model_fields_set:
        document["outputs"]["modalities"] = [DEFAULT_MODALITY]
    return parse(document, Path())


def resolve_signal(spec: DatasetSpec) -> DatasetSpec:
    """Return a specification with contrast transfer, noise statistics and shared matter chosen.

    Parameters
    ----------
    spec
        Specification of a data set as its run file has it.

    Raises
    ------
    InputError
        If the run file asks for what its references do not allow.

    Warns
    -----
    UserWarning
        If the references do not allow what would be chosen otherwise.
    """
    document: dict[str, Any] = spec.config.model_dump(mode="json")
    chosen = {**document, "signal": {"ctf": _choose_ctf(spec)}}
    if chosen["signal"]["ctf"] == NO_CTF:
        chosen = fill_in_statistics(chosen)
    else:
        chosen["noise"] = {**chosen["noise"], "statistics": _choose_statistics(spec)}
    source = _choose_background(spec, is_physical=chosen["noise"]["statistics"] == "physical")
    chosen["background"] = {**chosen["background"], "source": source}
    return spec if chosen == document else replace(spec, config=parse(chosen, Path()))


def _choose_ctf(spec: DatasetSpec) -> Any:
    """Return the contrast transfer: the run file's, or for `auto` that of the references if all are known."""
    wanted = spec.config.model_dump(mode="json")["signal"]["ctf"]
    recordings = spec.inputs.recordings
    unknown = [name for name, recording in recordings.items() if recording.ctf is None]
    if wanted == "auto":
        if unknown and len(unknown) < len(recordings):
            known = next(name for name in recordings if name not in unknown)
            warnings.warn(
                f"the files of {known!r} tell its defocus and those of {unknown[0]!r} do not, so no signal gets a "
                "contrast transfer; give it (the key `ctf` or `defocus_um` of the reference), or write "
                "`signal: {ctf: none}`",
                stacklevel=2,
            )
        return "reference" if spec.references and not unknown else NO_CTF
    if wanted == "reference" and unknown:
        raise InputError(
            f"signal.ctf: the files of {unknown[0]!r} tell no defocus; give it (the key `ctf` or `defocus_um` of the "
            "reference), draw one (`signal: {ctf: {defocus_um: [2, 4]}}`), or write `ctf: none`"
        )
    return wanted


def _choose_statistics(spec: DatasetSpec) -> str:
    """Return the noise statistics of a signal with contrast transfer: the run file's, or physical ones."""
    section = spec.config.noise
    wanted = section.statistics
    if wanted not in ("auto", "physical"):
        return wanted
    if section.intensity != "mean":
        _warn_of_unknown_exposures(spec)
        return "physical"
    for name in spec.inputs.recordings:
        reference = open_reference(spec, name)
        assert isinstance(reference, RecordedReference)
        reason = _find_normalisation(reference)
        if reason is None:
            continue
        message = (
            f"{name}: {reason}, so its tilts hold no counts, of which contrast would be a share; give the series as it "
            "was counted, or write `noise: {statistics: physical, intensity: counting}` with its exposures"
        )
        if wanted == "physical":
            raise InputError(f"noise.statistics: {message}, or `statistics: unpaired`")
        warnings.warn(
            f"{message}; unpaired statistics are taken, as good as the specimen fits it", stacklevel=2
        )
        return "unpaired"
    return "physical"


def _warn_of_unknown_exposures(spec: DatasetSpec) -> None:
    """Warn of recordings whose exposures are not known, by which their electrons are counted."""
    dose = spec.config.microscope.dose_e_per_A2
    for name, recording in spec.inputs.recordings.items():
        if recording.exposure_e_per_A2 is None:
            warnings.warn(
                f"{name}: its files tell no exposures, by which `noise.intensity: counting` counts; "
                f"microscope.dose_e_per_A2 is taken, {dose} e/Å² for each tilt, and a wrong one is a wrong contrast",
                stacklevel=2,
            )


def _find_normalisation(reference: RecordedReference) -> str | None:
    """Return why a recording's tilts are no intensities, or ``None``; beads are masked in three of them alone."""
    angles, series = reference.tilt_angles, reference.series
    tilts = sorted({0, int(np.argmin(np.abs(angles))), angles.size - 1})
    images = [reference.read_tilt(tilt) for tilt in tilts]
    valid = [image.pixels[image.valid_mask] for image in images]
    reason = find_normalisation(
        [float(pixels.mean(dtype=np.float64)) for pixels in valid],
        [float(pixels.std(dtype=np.float64)) for pixels in valid],
        angles[tilts],
    )
    if reason is not None:
        return reason
    for tilt, (stack, section) in enumerate(series.images):
        mean = float(stack.tilt(section).mean(dtype=np.float64))
        if mean <= 0:
            return f"the mean of {series.describe_tilt(tilt)} is {mean:.3g}"
    return None


def _choose_background(spec: DatasetSpec, *, is_physical: bool) -> str:
    """Return the source of shared matter: the run file's, or for `auto` the references where it can be measured."""
    wanted = spec.config.background.source
    if wanted == "none" or (wanted == "auto" and not (is_physical and spec.makes_series)):
        return "none"
    for obstacle in _find_obstacles(spec, is_physical=is_physical):
        if wanted == "reference":
            raise InputError(f"background.source: {obstacle}")
        warnings.warn(f"the tilts of a series share their specimen alone: {obstacle}", stacklevel=2)
        return "none"
    return "reference"


def _find_obstacles(spec: DatasetSpec, *, is_physical: bool) -> Iterator[str]:
    """Iterate over the reasons why the matter that tilts share cannot be measured."""
    for name, section in spec.references.items():
        if isinstance(section, BlendedReference):
            continue
        reference = open_reference(spec, name)
        try:
            list_neighbours(reference)
        except InputError as error:
            yield str(error)
            continue
        if not isinstance(reference, RecordedReference):
            continue
        # Physical statistics have refused it already.
        measured = is_physical or spec.config.noise.intensity == "counting"
        if not measured and (reason := _find_normalisation(reference)) is not None:
            yield (
                f"{name}: {reason}, so its tilts hold no counts, of which contrast would be a share; give the series "
                "as it was counted, or write `noise: {intensity: counting}` with its exposures"
            )
        if isinstance(section, TiltSeriesReference) and not reference.knows_alignment:
            yield (
                f"nothing is known about the alignment of {section.stack}, and what its tilts share shows in "
                "aligned tilts alone; give its .xf file beside it, or write `aligned: true` if its tilt axis lies "
                "along y through the centre"
            )
