"""Transfer methods: ways to give a synthetic tilt the style of a reference.

A package adds one by an entry point of the group ``faket_dask.transfer_methods`` that names a class with the members
of `TransferMethod`. Its settings are a frozen dataclass: their names are keys of the run file's section ``style``
beside ``method``, their defaults those of the run file, and a `ValueError` of theirs a message to the user.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from faket_dask.kernels.moments import Moments
from faket_dask.kernels.style.network import Architecture, Network, Precision
from faket_dask.kernels.style.scaling import Scaling
from faket_dask.methods.arrays import TiltArrayLayout, TiltArrays
from faket_dask.registry import Registry


@dataclass(frozen=True, eq=False)
class TiltImage:
    """A tilt with the range of the stack that it belongs to.

    Parameters
    ----------
    pixels
        ``(y, x)`` in the unit of the stack.
    stack_range
        Values of the whole stack that become 0 and 1; ``None`` where the method does not scale by stacks.
    """

    pixels: NDArray[np.float32]
    stack_range: Scaling | None = None


class TransferMethod(Protocol):
    """One way to transfer style, with its settings."""

    settings_type: ClassVar[type[Any]]
    """Frozen dataclass of the settings."""

    masks_artefacts: ClassVar[bool]
    """True where beads are excluded from simulated references, too: from their style, and from their moments."""

    def __init__(self, settings: Any) -> None: ...

    @property
    def style_layers(self) -> Collection[int]:
        """Layers whose statistics are taken from the reference."""
        ...

    @property
    def layers(self) -> Collection[int]:
        """All layers that the loss uses."""
        ...

    @property
    def evaluations(self) -> int:
        """Largest number of evaluations of loss and gradient per tilt."""
        ...

    @property
    def needs_stack_range(self) -> bool:
        """True where tilts are scaled to [0, 1] by the range of their stack."""
        ...

    @property
    def clip_percent(self) -> float:
        """Percentage of pixels at either end of a tilt that its range leaves out."""
        ...

    def arrays(self, architecture: Architecture) -> Sequence[TiltArrayLayout]:
        """Return the layout of what `measure` returns."""
        ...

    def measure(
        self,
        network: Network,
        reference: TiltImage,
        valid_mask: NDArray[np.bool_] | None = None,
        tile: int | None = None,
    ) -> TiltArrays:
        """Return the style of a reference tilt.

        Parameters
        ----------
        network
            Network whose activations describe style.
        reference
            Tilt of the reference, of any size.
        valid_mask
            ``(y, x)`` bool, false for artefacts; ``None`` lets the method look for them where they matter.
        tile
            Side of the tiles, ``None`` for the whole image.
        """
        ...

    def blend(self, parts: Sequence[tuple[TiltArrays, float]]) -> TiltArrays:
        """Return the style of a blend of tilts, given the style and the weight of each; weights add up to 1."""
        ...

    def transfer(
        self,
        network: Network,
        *,
        content: TiltImage,
        start: TiltImage,
        targets: TiltArrays,
        moments: Moments,
        tile: int | None = None,
    ) -> NDArray[np.float32]:
        """Return the transferred tilt, ``(y, x)``.

        Parameters
        ----------
        network
            Network whose activations describe style.
        content
            Tilt whose specimen the result keeps.
        start
            Tilt with noise that the transfer starts from.
        targets
            Style of the reference at this angle, from `measure` and `blend`.
        moments
            Mean and standard deviation of the reference at this angle, which the result has.
        tile
            Side of the tiles in which gradients are computed, ``None`` for the whole image.
        """
        ...

    def transfer_bytes(
        self, shape: tuple[int, int], tile: int | None, architecture: Architecture, precision: Precision
    ) -> int:
        """Return the peak of `transfer` over what the process held before, in bytes."""
        ...

    def measure_bytes(
        self, shape: tuple[int, int], tile: int | None, architecture: Architecture, precision: Precision
    ) -> int:
        """Return the peak of `measure` over what the process held before, in bytes."""
        ...

    def describe(self) -> str:
        """Return the settings in one line for a report."""
        ...


TRANSFER_METHODS: Registry[type[TransferMethod]] = Registry(
    "faket_dask.transfer_methods",
    "transfer method",
    {
        "published": "faket_dask.methods.published:PublishedTransfer",
        "matched": "faket_dask.methods.gram_matching:GramMatching",
    },
)
"""Transfer methods by the names of run files."""
