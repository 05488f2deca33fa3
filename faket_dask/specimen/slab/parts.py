"""Components of a slab: its faces, and what lies on them."""

from faket_dask.specimen.component import Component
from faket_dask.specimen.slab.carbon_film import CarbonFilm
from faket_dask.specimen.slab.crystals import Crystals
from faket_dask.specimen.slab.film import Film
from faket_dask.specimen.slab.slab import Slab


def list_parts(slab: Slab) -> tuple[Component, ...]:
    """Return the components of a slab in the order of their labels.

    Parameters
    ----------
    slab
        Film or lamella.

    Examples
    --------
    >>> from faket_dask.specimen.slab.deposits import Carbon, Contamination
    >>> film = Film(thickness_A=400.0, carbon=Carbon(), contamination=Contamination())
    >>> [part.class_names for part in list_parts(film)]
    [('ice',), ('carbon',), ('contamination',)]
    """
    parts: list[Component] = [slab]
    if isinstance(slab, Film) and slab.carbon is not None:
        parts.append(CarbonFilm(slab.carbon, slab))
    if slab.contamination is not None:
        parts.append(Crystals(slab.contamination, slab))
    return tuple(parts)
