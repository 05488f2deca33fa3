"""Pairing of specimens with the references whose style they take."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from faket_dask.dataset.streams import series_stream
from faket_dask.stages.seeds import Purpose, generator


@dataclass(frozen=True)
class Series:
    """One synthetic tilt-series: a specimen in the style of a reference, or alone where that is empty."""

    specimen: str
    reference: str

    @property
    def stream(self) -> str:
        """Stream of its random numbers."""
        return series_stream(self.specimen, self.reference)

    @property
    def name(self) -> str:
        """Name in the data set."""
        return f"{self.specimen}__{self.reference}" if self.reference else self.specimen


def pair_references(
    specimens: Sequence[str],
    references: Sequence[str],
    pairing: Literal["cyclic", "random", "all"],
    seed: int,
) -> list[Series]:
    """Pair N specimens with M references.

    ``cyclic`` (published) gives specimen i the reference i + 1 modulo M, ``random`` draws one from the seed
    for each specimen, both N series; ``all`` makes N x M. More specimens leave the earlier pairs as they are.
    Without references, each specimen is a series by itself.
    """
    if not references:
        return [Series(specimen, "") for specimen in specimens]
    if pairing == "all":
        return [Series(s, r) for s in specimens for r in references]
    if pairing == "cyclic":
        return [Series(s, references[(i + 1) % len(references)]) for i, s in enumerate(specimens)]
    return [
        Series(s, references[int(generator(seed, s, Purpose.PAIRING).integers(len(references)))])
        for s in specimens
    ]
