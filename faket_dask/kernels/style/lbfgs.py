"""Minimising a smooth function of an image in few evaluations: L-BFGS that wastes none on finding a step length.

The direction is that of limited-memory BFGS (Nocedal & Wright, *Numerical Optimization*, algorithm 7.4). Its first
step has the length that would bring a linear function down to zero, f / ‖g‖ (Polyak's step: the function is a sum of
squares, none of which is far from zero at the minimum). A step is taken whenever it lowers the function; the pair of
differences is learnt from in either case, so that a step which is not taken has not been in vain.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

HISTORY = 5
"""Pairs of differences that are kept."""

Image = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Minimum:
    """The lowest image found, its loss, and the loss of every evaluation in order."""

    image: Image
    loss: float
    losses: tuple[float, ...]


def minimise(
    evaluate: Callable[[Image], tuple[float, Image]], start: Image, enough: float, evaluations: int
) -> Minimum:
    """Lower a function that is never negative until it is low enough.

    Parameters
    ----------
    evaluate
        Value and gradient at an image; neither depends on what was evaluated before.
    start
        ``(y, x)`` float32.
    enough
        Value at which to stop.
    evaluations
        Most evaluations, that at the start included.

    Raises
    ------
    ValueError
        If there are no evaluations, or the function is not finite at the start.
    """
    if evaluations < 1:
        raise ValueError(f"evaluations must be at least 1, got {evaluations}")
    image = start.copy()
    loss, gradient = evaluate(image)
    if not np.isfinite(loss):
        raise ValueError(f"the loss of the start image is {loss}")
    losses = [loss]
    pairs: list[tuple[Image, Image]] = []
    shrink = 1.0
    while loss > enough and len(losses) < evaluations:
        step = _direction(gradient, loss, pairs)
        slope = _dot(gradient, step)
        if slope >= 0:
            break  # at a minimum, up to rounding
        step *= np.float32(shrink)
        tried = image + step
        tried_loss, tried_gradient = evaluate(tried)
        losses.append(tried_loss)
        lower = tried_loss < loss
        if np.isfinite(tried_loss):
            change = tried_gradient - gradient
            # A pair of negative curvature would spoil the directions that follow.
            if _dot(step, change) > 0:
                pairs = [*pairs[1 - HISTORY :], (step, change)]
        if lower:
            image, loss, gradient, shrink = tried, tried_loss, tried_gradient, 1.0
        else:
            shrink *= 0.5
    return Minimum(image, loss, tuple(losses))


def _direction(gradient: Image, loss: float, pairs: list[tuple[Image, Image]]) -> Image:
    """Step that the pairs of differences suggest."""
    found = gradient.copy()
    if not pairs:
        square = _dot(gradient, gradient)
        found *= np.float32(-loss / square if square > 0 else 0.0)
        return found
    factors = []
    for step, change in reversed(pairs):
        factors.append(_dot(step, found) / _dot(step, change))
        found -= np.float32(factors[-1]) * change
    step, change = pairs[-1]
    found *= np.float32(_dot(step, change) / _dot(change, change))
    for (step, change), factor in zip(pairs, reversed(factors), strict=True):
        found += np.float32(factor - _dot(change, found) / _dot(step, change)) * step
    return np.negative(found, out=found)


def _dot(a: Image, b: Image) -> float:
    """In float64 and in one order, whatever the number of threads."""
    return float(np.sum(np.multiply(a, b, dtype=np.float64)))
