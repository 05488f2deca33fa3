"""Registries of exchangeable parts: built in, installed by other packages, or registered by a call."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import entry_points
from pkgutil import resolve_name
from typing import Any, Generic, TypeVar

from faket_dask.errors import InputError

Member = TypeVar("Member")


class Registry(Generic[Member]):
    """Members of one kind by name, imported when they are first used.

    A package adds a member by an entry point of the registry's group, whose name is the member's and whose value is
    ``module:attribute``; a script adds one by `register`.

    Parameters
    ----------
    group
        Group of entry points, such as ``"faket_dask.noise_models"``.
    noun
        Kind of the members in messages, such as ``"noise model"``.
    built_in
        Import path ``module:attribute`` of each member of this package, by name.

    Examples
    --------
    >>> shapes = Registry("example.shapes", "shape", {"point": "builtins:float"})
    >>> shapes.register("line", list)
    >>> shapes.names
    ('point', 'line')
    >>> shapes.get("point")
    <class 'float'>
    """

    def __init__(self, group: str, noun: str, built_in: Mapping[str, str]) -> None:
        self.group = group
        self.noun = noun
        self._targets = dict(built_in)
        self._members: dict[str, Member] = {}
        self._installed: dict[str, str] | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all members: built-in, installed, registered."""
        return tuple(dict.fromkeys([*self._targets, *self._installed_targets(), *self._members]))

    def __contains__(self, name: object) -> bool:
        return name in self.names

    def get(self, name: str) -> Member:
        """Return the member of a name.

        Raises
        ------
        InputError
            If there is none of this name, or its package cannot be imported.
        """
        if name not in self._members:
            target = self._targets.get(name) or self._installed_targets().get(name)
            if target is None:
                raise InputError(f"there is no {self.noun} {name!r}; known are {', '.join(self.names)}")
            try:
                self._members[name] = resolve_name(target)
            except (ImportError, AttributeError, ValueError) as error:
                raise InputError(
                    f"the {self.noun} {name!r} cannot be loaded from {target} ({error}); reinstall its package"
                ) from error
        return self._members[name]

    def register(self, name: str, member: Member) -> None:
        """Add a member in this process; processes that are started later do not know it.

        Raises
        ------
        ValueError
            If the name is taken.
        """
        if name in self:
            raise ValueError(f"there is a {self.noun} {name!r} already")
        self._members[name] = member

    def unregister(self, name: str) -> Any:
        """Remove and return a member that was added by `register`."""
        return self._members.pop(name)

    def _installed_targets(self) -> dict[str, str]:
        if self._installed is None:
            self._installed = {entry.name: entry.value for entry in entry_points(group=self.group)}
        return self._installed
