"""Specimens that come with the package: sections of a run file by name, and how keys beside a name change them."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

import yaml

_FOLDER = files("faket_dask.config") / "presets"

_NAMED_LISTS = {
    "species": ("name",),
    "membranes": ("name", "kind"),
    "filaments": ("name",),
    "crowding": ("inside",),
}
"""Keys of lists whose entries are told apart by the first of some of their own keys that they have."""

_AMOUNTS = {"count", "density_per_um3", "density_per_um2", "share"}
_ALTERNATIVES = (
    (_AMOUNTS, _AMOUNTS),
    ({"source", "states"}, {"source", "states", "stand_in", "assembly"}),
)
"""Keys of which any leaves out the others."""


def list_presets() -> list[str]:
    """Return the names of all presets.

    Examples
    --------
    >>> "shrec2021" in list_presets()
    True
    """
    return sorted(
        file.name.removesuffix(".yaml") for file in _FOLDER.iterdir() if file.name.endswith(".yaml")
    )


def load_preset(name: Any) -> dict[str, Any]:
    """Return the section that a preset stands for; one may stand on another, as a section of a run file does.

    Raises
    ------
    ValueError
        If there is no preset of that name.
    """
    known = list_presets()
    if name not in known:
        close = difflib.get_close_matches(str(name), known, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise ValueError(f"preset must be one of {', '.join(known)}, not {name!r}{hint}")
    section = yaml.safe_load((_FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
    assert isinstance(section, dict)
    return apply_preset(section) if "preset" in section else section


def apply_preset(section: Mapping[str, Any]) -> dict[str, Any]:
    """Return a section with its preset replaced by the keys that it stands for, as changed by those beside it.

    A value takes the place of the preset's, ``null`` removes it, mappings are changed key by key, and lists of objects
    entry by entry: an entry with the name of one of the preset's changes it, another is added.

    Parameters
    ----------
    section
        Section `specimen` of a run file, with the key `preset`.

    Raises
    ------
    ValueError
        If there is no preset of that name.

    Examples
    --------
    >>> section = {"preset": "shrec2021", "thickness_A": 900, "species": [{"name": "1s3x", "count": 3}]}
    >>> changed = apply_preset(section)
    >>> changed["thickness_A"], len(changed["species"])
    (900, 12)
    >>> changed["species"][0]
    {'name': '1s3x', 'source': 'pdb:1s3x', 'stand_in': 'globule:43kDa', 'count': 3}
    """
    given = {key: value for key, value in section.items() if key != "preset"}
    return _merge(load_preset(section["preset"]), given)


def _merge(base: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for chosen, others in _ALTERNATIVES:
        if chosen & given.keys():
            merged = {key: value for key, value in merged.items() if key not in others}
    for key, value in given.items():
        merged[key] = _merge_value(key, base.get(key), value)
    return {key: value for key, value in merged.items() if value is not None}


def _merge_value(key: str, base: Any, given: Any) -> Any:
    if key in _NAMED_LISTS and isinstance(base, list):
        entries = [given] if isinstance(given, Mapping) else given
        if isinstance(entries, list | tuple) and all(isinstance(entry, Mapping) for entry in entries):
            return _merge_entries(base, entries, _NAMED_LISTS[key])
    if isinstance(base, Mapping) and isinstance(given, Mapping):
        return _merge(base, given)
    return given


def _merge_entries(
    base: Sequence[Mapping[str, Any]], given: Sequence[Mapping[str, Any]], names: Sequence[str]
) -> list[dict[str, Any]]:
    def find_name(entry: Mapping[str, Any]) -> Any:
        return next((entry[name] for name in names if name in entry), None)

    changes = {find_name(entry): entry for entry in given}
    known = [find_name(entry) for entry in base]
    kept = [_merge(entry, changes.get(name, {})) for name, entry in zip(known, base, strict=True)]
    return kept + [dict(entry) for entry in given if find_name(entry) not in known]
