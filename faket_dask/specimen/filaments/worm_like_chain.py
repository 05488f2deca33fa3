"""Worm-like chains: thermal shapes of a filament, in steps whose directions are correlated exactly as they should be.

The direction of one step is drawn about that of the step before from a von Mises–Fisher distribution, whose mean cosine
is that of a worm-like chain over the length of a step; its azimuth is uniform. Mean cosines of such a Markov chain
multiply, so that ``<cos θ> = exp(-s / P)`` holds between any two steps and not only in the limit of short ones.
"""

import numpy as np
from numpy.typing import NDArray


def concentration(mean_cosine: float) -> float:
    """Compute the concentration κ of a von Mises–Fisher distribution on the sphere from its mean cosine.

    The inverse of ``coth κ - 1 / κ``, by Newton's method.

    Parameters
    ----------
    mean_cosine
        Mean cosine of the angle to the distribution's axis, above 0 and below 1.

    Returns
    -------
    concentration
        Positive number; large for a narrow distribution.

    Examples
    --------
    >>> kappa = concentration(0.99)
    >>> round(float(1 / np.tanh(kappa) - 1 / kappa), 9)
    0.99
    """
    kappa = mean_cosine * (3 - mean_cosine**2) / (1 - mean_cosine**2)
    for _ in range(50):
        if kappa > 300:
            # coth κ is 1 in double precision.
            return 1 / (1 - mean_cosine)
        change = (1 / np.tanh(kappa) - 1 / kappa - mean_cosine) / (1 / kappa**2 - 1 / np.sinh(kappa) ** 2)
        kappa -= change
        if abs(change) < 1e-12 * kappa:
            break
    return float(kappa)


def draw_directions(
    first: NDArray[np.float64],
    count: int,
    step_A: float,
    persistence_length_A: float,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Draw the directions of consecutive steps of worm-like chains.

    Parameters
    ----------
    first
        ``(n, 3)`` unit vectors: direction of the first step of each chain.
    count
        Number of steps of each chain.
    step_A
        Length of a step in Å.
    persistence_length_A
        Length in Å over which the mean cosine of the angle between directions falls to 1/e.
    rng
        Source of randomness.

    Returns
    -------
    directions
        ``(n, count, 3)`` unit vectors.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> directions = draw_directions(np.tile([0.0, 0.0, 1.0], (2000, 1)), 11, 10.0, 100.0, rng)
    >>> bool(abs(directions[:, 10, 2].mean() - np.exp(-1)) < 0.05)
    True
    """
    kappa = concentration(float(np.exp(-step_A / persistence_length_A)))
    chains = len(first)
    uniform = rng.uniform(size=(chains, count - 1))
    # Inverse of the cumulative distribution of the cosine; log1p and expm1 keep small angles exact.
    loss = -np.log1p(uniform * np.expm1(-2 * kappa)) / kappa
    azimuth = rng.uniform(0, 2 * np.pi, size=(chains, count - 1))
    sine = np.sqrt(loss * (2 - loss))
    directions = np.empty((chains, count, 3))
    directions[:, 0] = first
    for index in range(1, count):
        before = directions[:, index - 1]
        side, other = perpendicular_axes(before)
        turn = azimuth[:, index - 1, None]
        aside = np.cos(turn) * side + np.sin(turn) * other
        after = (1 - loss[:, index - 1, None]) * before + sine[:, index - 1, None] * aside
        directions[:, index] = after / np.linalg.norm(after, axis=1, keepdims=True)
    return directions


def perpendicular_axes(directions: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Compute two unit vectors that form a right-handed frame with each direction as its third.

    Parameters
    ----------
    directions
        ``(n, 3)`` unit vectors.

    Returns
    -------
    first, second
        ``(n, 3)`` unit vectors.

    Examples
    --------
    >>> first, second = perpendicular_axes(np.array([[0.0, 0.0, 1.0]]))
    >>> np.cross(first, second)
    array([[0., 0., 1.]])
    """
    helper = np.zeros_like(directions)
    helper[np.arange(len(directions)), np.argmin(np.abs(directions), axis=1)] = 1.0
    first = np.cross(helper, directions)
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    return first, np.cross(directions, first)


def draw_chains(
    chains: int, length_A: float, step_A: float, persistence_length_A: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Draw worm-like chains with their middle at the origin and directions there that are uniform on the sphere.

    A chain grows from its middle to both ends, which is the same law as growth from one end, since directions form a
    reversible Markov chain.

    Parameters
    ----------
    chains
        Number of chains.
    length_A
        Contour length in Å; an even number of steps of at most `step_A` makes it up.
    step_A
        Largest length of a step in Å.
    persistence_length_A
        Persistence length in Å.
    rng
        Source of randomness.

    Returns
    -------
    points
        ``(chains, steps + 1, 3)`` vertices in Å.

    Examples
    --------
    >>> draw_chains(2, 100.0, 30.0, 1e9, np.random.default_rng(0)).shape
    (2, 5, 3)
    """
    half = max(1, int(np.ceil(0.5 * length_A / step_A)))
    step = 0.5 * length_A / half
    middle = rng.standard_normal((chains, 3))
    middle /= np.linalg.norm(middle, axis=1, keepdims=True)
    # Steps on both sides of the middle share no step: the second half starts one step further.
    forward = draw_directions(middle, half + 1, step, persistence_length_A, rng)[:, 1:]
    backward = draw_directions(-middle, half, step, persistence_length_A, rng)
    ahead, behind = np.cumsum(forward, axis=1) * step, np.cumsum(backward, axis=1) * step
    return np.concatenate((behind[:, ::-1], np.zeros((chains, 1, 3)), ahead), axis=1)
