"""States of a class of particles: conformations, frames, normal modes and partial assemblies, with their weights.

The entries of `states` in the run file are groups. A group is one state, or several that share its weight: the models
of a file, the frames of a trajectory, or draws from normal modes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from faket_dask.documents.section import refuse_bool
from faket_dask.errors import InputError
from faket_dask.specimen.amounts import SECTION
from faket_dask.specimen.source_names import SourceKind, check_source, locate_source
from faket_dask.specimen.structure_file import count_models
from faket_dask.specimen.trajectory import count_frames

MOST_STATES = 1000
"""Most states of a class; each has a template of its own in memory."""

LARGEST_WEIGHT = 1e6
"""Largest weight of a state, as of a share in the crowding."""

Numbers = Annotated[tuple[Annotated[int, Field(ge=1)], ...], BeforeValidator(refuse_bool)]
"""Places in a file, from 1."""


@dataclass(frozen=True)
class NormalModes:
    """Draws from the low-frequency normal modes of a structure.

    Parameters
    ----------
    amplitude_A
        Root mean square displacement of residues in Å.
    states
        Number of draws.
    count
        Number of modes.
    seed
        Seed of the draws.

    Raises
    ------
    InputError
        If a number is impossible.
    """

    __pydantic_config__ = SECTION

    amplitude_A: float
    states: int
    count: int = 10
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.amplitude_A <= 30:
            raise InputError(
                f"modes: amplitude_A is {self.amplitude_A:g}; it is positive and at most 30 Å, beyond which straight "
                "displacements tear a particle"
            )
        if not 1 <= self.states <= MOST_STATES:
            raise InputError(f"modes: states is {self.states}; it lies between 1 and {MOST_STATES}")
        if not 1 <= self.count <= 100:
            raise InputError(f"modes: count is {self.count}; it lies between 1 and 100")
        if self.seed < 0:
            raise InputError(f"modes: seed is {self.seed}; it must not be negative")


@dataclass(frozen=True)
class State:
    """One state of a class.

    Parameters
    ----------
    name
        Name in the particle table.
    source
        Phantom, entry of an archive, or path.
    weight
        Share of the particles of the class, in proportion to those of other states.
    assembly
        Biological assembly of a structure.
    model
        Model of a structure file, from 1.
    trajectory, frame
        Trajectory that the places of atoms come from, and number of the frame, from 1.
    modes, draw
        Normal modes that displace atoms, and number of the draw, from 0.
    chains, without
        Chains that are taken alone, and chains that are left out; empty for all.
    """

    name: str
    source: str
    weight: float = 1.0
    assembly: str | None = None
    model: int = 1
    trajectory: str | None = None
    frame: int = 1
    modes: NormalModes | None = None
    draw: int = 0
    chains: tuple[str, ...] = ()
    without: tuple[str, ...] = ()


@dataclass(frozen=True)
class StateGroup:
    """Entry of `states` in the run file: one state, or several that share a weight.

    Parameters
    ----------
    name
        Name of the state in the particle table; of several, ``name-1``, ``name-2``, … by model, frame or draw.
    source
        Name of a built-in phantom, entry of a public archive (``pdb:1bxn``, ``emdb:3228``), or path of a structure or
        of a density map.
    weight
        Share of the particles of the class, in proportion to those of the other groups.
    assembly
        Biological assembly of a structure file: its name, ``None`` for the first where the file lists any,
        ``"asymmetric unit"`` for the coordinates as they stand.
    models
        Models of a structure file, by their places from 1, or ``"all"``: a state each.
    trajectory
        Trajectory of the atoms of `source`, in their order (XTC, DCD and others that MDTraj reads).
    frames
        Frames of the trajectory: how many, spread evenly from the first to the last, or a list of numbers from 1.
    modes
        Normal modes of `source`, as a mapping of ``amplitude_A``, ``states``, ``count`` and ``seed``.
    chains
        Chains that are taken alone, by name: a partial assembly. Copies that an assembly makes of chain A are A1, A2, …
    without
        Chains that are left out, by name.

    Raises
    ------
    InputError
        If the source cannot be one, keys contradict one another, or a number is impossible.

    Examples
    --------
    >>> [state.name for state in StateGroup("open", "boot").expand()]
    ['open']
    """

    __pydantic_config__ = SECTION

    name: str
    source: str
    weight: float = 1.0
    assembly: str | None = None
    models: Numbers | Literal["all"] = (1,)
    trajectory: str | None = None
    frames: Annotated[int, Field(ge=1, le=MOST_STATES)] | Numbers = 10
    modes: NormalModes | None = None
    chains: tuple[str, ...] = ()
    without: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        where = f"state '{self.name}'"
        if not self.name or any(sign in self.name for sign in ',"\n'):
            raise InputError(f"{where}: a state has a name without commas and quotation marks")
        kind = check_source(self.source, where)
        if not 0 <= self.weight <= LARGEST_WEIGHT:
            raise InputError(
                f"{where}: weight is {self.weight:g}; it must not be negative, and at most {LARGEST_WEIGHT:g}"
            )
        several = [
            key
            for key, is_given in (
                ("models", self.models != (1,)),
                ("trajectory", self.trajectory is not None),
                ("modes", self.modes is not None),
            )
            if is_given
        ]
        if len(several) > 1:
            raise InputError(f"{where}: {' and '.join(several)} exclude one another; write a state for each")
        if self.chains and self.without:
            raise InputError(f"{where}: chains and without exclude one another; give one of them")
        needs_atoms = [*several, *(key for key in ("chains", "without", "assembly") if getattr(self, key))]
        if needs_atoms and kind is not SourceKind.STRUCTURE:
            raise InputError(
                f"{where}: {needs_atoms[0]} needs the coordinates of a structure, not {self.source}"
            )
        if self.trajectory is not None and self.assembly is not None:
            raise InputError(f"{where}: a trajectory has all atoms that are taken; leave out assembly")
        if self.models == () or self.frames == ():
            raise InputError(f"{where}: an empty list of models or frames is no state; leave the state out")

    @property
    def kind(self) -> SourceKind:
        """Kind of the source."""
        return check_source(self.source, f"state '{self.name}'")

    @property
    def files(self) -> tuple[Path, ...]:
        """Files of the group: none for a phantom.

        Raises
        ------
        InputError
            If an entry of an archive is not in the cache, or damaged.
        """
        path = locate_source(self.source)
        paths = () if path is None else (path,)
        return paths if self.trajectory is None else (*paths, Path(self.trajectory))

    def expand(self) -> list[State]:
        """Return the states of the group; files are opened where their models or frames must be counted.

        Raises
        ------
        InputError
            If a file cannot be read, or has no such model or frame.
        """
        only = State(
            self.name, self.source, self.weight, self.assembly, chains=self.chains, without=self.without
        )
        if self.modes is not None:
            draws = [
                (draw + 1, replace(only, modes=self.modes, draw=draw)) for draw in range(self.modes.states)
            ]
            return self._share(draws)
        if self.trajectory is not None:
            numbers = _choose_frames(Path(self.trajectory), self.frames)
            return self._share(
                [(number, replace(only, trajectory=self.trajectory, frame=number)) for number in numbers]
            )
        models = self.models
        if models == "all":
            path = locate_source(self.source)
            assert path is not None
            models = tuple(range(1, count_models(path) + 1))
        if len(models) == 1:
            return [replace(only, model=models[0])]
        return self._share([(number, replace(only, model=number)) for number in models])

    def _share(self, states: list[tuple[int, State]]) -> list[State]:
        """Name states by their numbers, and share the weight out."""
        if len(states) > MOST_STATES:
            raise InputError(
                f"state '{self.name}' stands for {len(states)} states, and at most {MOST_STATES} are possible; choose "
                "some of them"
            )
        weight = self.weight / len(states)
        return [replace(state, name=f"{self.name}-{number}", weight=weight) for number, state in states]


def check_states(groups: tuple[StateGroup, ...]) -> None:
    """Check that groups of states have different names, and that some state is drawn.

    Raises
    ------
    InputError
        If names repeat, the weights add up to 0, or there are states of different kinds.
    """
    names = [group.name for group in groups]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise InputError(
            f"the state {', '.join(repeated)} is listed more than once; give each a name of its own"
        )
    if groups and not math.fsum(group.weight for group in groups) > 0:
        raise InputError(
            "the weights of the states add up to 0, so that none is ever drawn; give one a weight"
        )
    kinds = {group.kind: group for group in groups}
    if len(kinds) > 1:
        examples = " and ".join(f"'{group.name}' is a {kind.value}" for kind, group in kinds.items())
        raise InputError(
            f"states of different kinds are in different frames ({examples}); take one kind, or make them species of "
            "their own"
        )


def expand_states(groups: tuple[StateGroup, ...]) -> Iterator[State]:
    """Yield the states of all groups whose weight is not 0.

    Raises
    ------
    InputError
        As for `StateGroup.expand`.
    """
    for group in groups:
        if group.weight > 0:
            yield from group.expand()


def _choose_frames(path: Path, frames: int | tuple[int, ...]) -> tuple[int, ...]:
    """Return the numbers of frames, from 1; a count is spread evenly from the first frame to the last."""
    total = count_frames(path)
    if not isinstance(frames, int):
        absent = [number for number in frames if number > total]
        if absent:
            raise InputError(f"trajectory {path} has {total} frames, and number {absent[0]} is asked for")
        return frames
    if frames > total:
        raise InputError(f"trajectory {path} has {total} frames, and {frames} are asked for; ask for fewer")
    return tuple(1 + (index * (total - 1)) // max(frames - 1, 1) for index in range(frames))
