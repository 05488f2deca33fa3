"""Scaling to [0, 1] for the network: of whole stacks by their extrema, or of each tilt by its moments.

The published scaling takes the global minimum and maximum of a stack. One hot pixel then sets the contrast
of the whole series, so a percentage of the pixels at either end of every tilt can be ignored: the range is
that of the per-tilt percentiles, which for 0 % is the global minimum and maximum.

Two stacks scaled so, a recorded one and a synthetic one, differ in where their tilts come to lie within [0, 1], and
a transfer spends itself on that difference. Scaled by their moments they differ in their texture alone.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faket_dask.kernels.style.network_input import remove_background, scale_to_network


@dataclass(frozen=True)
class Scaling:
    """Values of a stack that become 0 and 1.

    Examples
    --------
    >>> Scaling(2.0, 4.0).apply(np.array([[1.0, 3.0, 4.0]]))
    array([[0. , 0.5, 1. ]], dtype=float32)
    """

    low: float
    high: float

    def apply(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """Scale an image of any shape to [0, 1]; values outside the range are clipped."""
        unit = (image.astype(np.float64) - self.low) / (self.high - self.low)
        return np.clip(unit, 0.0, 1.0).astype(np.float32)

    @property
    def span(self) -> float:
        """Difference of the two."""
        return self.high - self.low


def tilt_extrema(image: NDArray[np.float32], clip_percent: float = 0.0) -> tuple[float, float]:
    """Return low and high percentile of one tilt, ``(y, x)``; its minimum and maximum for ``clip_percent=0``.

    Examples
    --------
    >>> tilt_extrema(np.arange(101.0)), tilt_extrema(np.arange(101.0), clip_percent=1)
    ((0.0, 100.0), (1.0, 99.0))
    """
    if clip_percent == 0:
        return float(image.min()), float(image.max())
    low, high = np.percentile(image, [clip_percent, 100 - clip_percent])
    return float(low), float(high)


def stack_scaling(extrema: Iterable[tuple[float, float]]) -> Scaling:
    """Return the scaling of a stack from the extrema of its tilts.

    Raises
    ------
    ValueError
        If all tilts are constant and equal, so that there is no range to scale.

    Examples
    --------
    >>> stack_scaling([(0.0, 3.0), (-1.0, 2.0)])
    Scaling(low=-1.0, high=3.0)
    """
    lows, highs = zip(*extrema, strict=True)
    scaling = Scaling(min(lows), max(highs))
    if not scaling.span > 0:
        raise ValueError(f"the stack is constant ({scaling.low:g}), so it has no range to scale to [0, 1]")
    return scaling


@dataclass(frozen=True, eq=False)
class TiltScaling:
    """Scaling of every tilt by itself to one mean and standard deviation.

    Parameters
    ----------
    recorded
        True to remove artefacts and the ramp of the ice first: Gram matrices that hold beads make a transfer draw
        beads without a label.
    valid_mask
        ``(y, x)``, false for the artefacts of the recorded tilt that is scaled; by default they are looked for.
    """

    recorded: bool = False
    valid_mask: NDArray[np.bool_] | None = None

    def apply(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """Scale a tilt, ``(y, x)``, to [0, 1]; values more than five standard deviations off are clipped."""
        return scale_to_network(remove_background(image, self.valid_mask) if self.recorded else image)
