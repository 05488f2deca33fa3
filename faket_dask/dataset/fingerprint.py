"""Content of a data set's fingerprint: everything that its results depend on."""

from __future__ import annotations

from typing import Any

from faket_dask.config import RunConfig
from faket_dask.dataset.inputs import Inputs
from faket_dask.specimen.source_names import names_phantom

KERNEL_VERSION = 6
"""Raised whenever results change, or the sections that describe them, so that old and new are never mixed."""


def result_inputs(config: RunConfig, inputs: Inputs) -> dict[str, Any]:
    """Return everything that results depend on as plain data by section.

    Left out are paths, cluster settings, how many specimens there are, what is kept and how tomograms are made; the
    checksums among the inputs stand for files.
    """
    document = config.model_dump(mode="json", exclude={"cluster", "outputs", "reconstruction"})
    document["dataset"].pop("folder")
    specimen = document["specimen"]
    if specimen["kind"] == "built":
        specimen.pop("count")
        specimen.pop("structures")  # the sources stand for it
        crowds = specimen["crowding"] or ()
        crowds = [crowds] if isinstance(crowds, dict) else crowds
        for species in (*specimen["species"], *(species for crowd in crowds for species in crowd["species"])):
            species.pop("stand_in")
            sources = species["source"] or ()
            species["source"] = [_describe_source(source) for source in sources]
            for state in species["states"]:
                state["source"] = _describe_source(state["source"])
                state["trajectory"] = "file" if state["trajectory"] else None
        for group in specimen["filaments"]:
            group["source"] = group["source"] and _describe_source(group["source"])
    else:
        specimen.pop("volumes")
    for reference in document["references"]:
        for key in (
            "stack",
            "clean",
            "tilt_angles",
            "align",
            "exclude",
            "exclude_angles",
            "ctf",
            "defocus_um",
        ):
            reference.pop(key, None)
        if reference.get("mask", "none") not in ("artefacts", "none"):
            reference["mask"] = "file"
    detector = document["microscope"]["detector"]
    detector["mtf"] = "file" if detector["mtf"] else None
    document["style"].pop("memory_per_task_GiB")  # `tile`, resolved from it, stands for it
    document["style"].pop("weights")
    document["style"].pop("random_seed")  # the weights' checksum, among the inputs, stands for both
    document["inputs"] = inputs.to_json()
    for recording in document["inputs"]["recordings"].values():
        if recording["ctf"] is not None:
            recording["ctf"].pop("source")
    document["kernel_version"] = KERNEL_VERSION
    return document


def _describe_source(source: str) -> str:
    """Return the name of a phantom; the contents of other sources are among the inputs."""
    return source if names_phantom(source) else "file"
