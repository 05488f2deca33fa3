"""Choice of the projection that makes noiseless tilts."""

from __future__ import annotations

from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faket_dask.kernels import projection, projection_pixel


class Projector(StrEnum):
    """Projection of a specimen onto the detector.

    `PIXEL` integrates over the detector's pixels, at every angle alike (`projection_pixel.project_pixels`); `BILINEAR`
    sums interpolated samples along the rays, as the published method does (`projection.project`).

    Examples
    --------
    >>> Projector("pixel").project(np.ones((3, 1, 4)), [0.0])[0, 0].round(5)
    array([-3., -3., -3., -3.], dtype=float32)
    """

    PIXEL = "pixel"
    BILINEAR = "bilinear"

    def project(
        self, volume: NDArray[np.generic], tilt_angles: ArrayLike, width: int | None = None
    ) -> NDArray[np.float32]:
        """Return the negated ``(tilt, y, width)`` projections of a ``(z, y, x)`` volume at every tilt angle.

        Parameters
        ----------
        volume
            ``(z, y, x)`` densities of any real type.
        tilt_angles
            ``(tilt,)`` degrees.
        width
            Number of central columns to project; all of them if not given.

        Raises
        ------
        ValueError
            As for `projection.project`.
        """
        function = {
            Projector.PIXEL: projection_pixel.project_pixels,
            Projector.BILINEAR: projection.project,
        }[self]
        return function(volume, tilt_angles, width)
