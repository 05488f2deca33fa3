"""L-BFGS for a smooth function of an image that spends no evaluation on a line search.

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
"""Number of pairs of differences that are kept."""

Image = NDArray[np.float32]
"""Image ``(y, x)`` float32."""


@dataclass(frozen=True, eq=False)
class Minimum:
    """Result of a minimisation.

    Parameters
    ----------
    image
        ``(y, x)`` float32 with the lowest loss.
    loss
        Loss of that image.
    losses
        Loss of every evaluation in order.
    """

    image: Image
    loss: float
    losses: tuple[float, ...]


def minimise(
    evaluate: Callable[[Image], tuple[float, Image]], start: Image, enough: float, evaluations: int
) -> Minimum:
    """Lower a function of an image that is never negative until it is low enough.

    Parameters
    ----------
    evaluate
        Value and gradient at an image; neither depends on what was evaluated before.
    start
        ``(y, x)`` float32.
    enough
        Value at which to stop.
    evaluations
        Largest number of evaluations, that at the start included.

    Raises
    ------
    ValueError
        If there are no evaluations, or the function is not finite at the start.

    Examples
    --------
    >>> def evaluate(image):
    ...     return float(np.sum(image**2)), 2 * image
    >>> minimise(evaluate, np.ones((2, 2), np.float32), enough=1e-6, evaluations=8).loss
    0.0
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
        trial = image + step
        trial_loss, trial_gradient = evaluate(trial)
        losses.append(trial_loss)
        lower = trial_loss < loss
        if np.isfinite(trial_loss):
            change = trial_gradient - gradient
            # A pair of negative curvature would spoil the directions that follow.
            if _dot(step, change) > 0:
                pairs = [*pairs[1 - HISTORY :], (step, change)]
        if lower:
            image, loss, gradient, shrink = trial, trial_loss, trial_gradient, 1.0
        else:
            shrink *= 0.5
    return Minimum(image, loss, tuple(losses))


def _direction(gradient: Image, loss: float, pairs: list[tuple[Image, Image]]) -> Image:
    """Return the step that the pairs of differences suggest."""
    direction = gradient.copy()
    if not pairs:
        square = _dot(gradient, gradient)
        direction *= np.float32(-loss / square if square > 0 else 0.0)
        return direction
    factors = []
    for step, change in reversed(pairs):
        factors.append(_dot(step, direction) / _dot(step, change))
        direction -= np.float32(factors[-1]) * change
    step, change = pairs[-1]
    direction *= np.float32(_dot(step, change) / _dot(change, change))
    for (step, change), factor in zip(pairs, reversed(factors), strict=True):
        direction += np.float32(factor - _dot(change, direction) / _dot(step, change)) * step
    return np.negative(direction, out=direction)


def _dot(a: Image, b: Image) -> float:
    """Return a scalar product summed in float64 and in one order, whatever the number of threads."""
    return float(np.sum(np.multiply(a, b, dtype=np.float64)))
