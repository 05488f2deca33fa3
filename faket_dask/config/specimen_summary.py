"""Contents of a built specimen in a line, for the output of commands."""

from __future__ import annotations

from faket_dask.config.specimen import BuiltSpecimen

_ORIGINS = {
    "auto": "",
    "pdb": "; particles are made from entries of archives",
    "phantoms": "; phantoms of the same masses stand for particles",
}


def describe_specimen(specimen: BuiltSpecimen) -> str:
    """Describe what a specimen is made of, with its preset resolved.

    Parameters
    ----------
    specimen
        Section of a run file.

    Examples
    --------
    >>> describe_specimen(BuiltSpecimen(thickness_A=1000, species=[{"name": "boot", "count": 3}], fiducials={}))
    '1000 Å thick, labelled are boot, fiducial'
    """
    labelled = [
        name for component in specimen.components if component.labelled for name in component.class_names
    ]
    text = f"{specimen.thickness_A:g} Å thick, labelled are {', '.join(labelled) or 'none'}"
    for crowd in specimen.crowds:
        where = "" if crowd.inside is None else f" in {crowd.inside}"
        text += f"; crowded to {crowd.fraction:.0%}{where} by {', '.join(crowd.class_names)}"
    return text + _ORIGINS[specimen.structures]
