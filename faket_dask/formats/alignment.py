"""In-plane alignment of tilts: the map from aligned to recorded pixels, and resampling through it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

from faket_dask.geometry import TiltGeometry


@dataclass(frozen=True, eq=False)
class Alignment:
    """Affine map from the pixels of aligned tilts to those of the recorded ones.

    The pixel at ``p``, ``(x, y)`` from the centre ``N // 2`` of the aligned tilt, lies in the recorded one at
    ``matrix p + shift`` from its centre.

    Parameters
    ----------
    matrix, shift
        ``(tilt, 2, 2)`` and ``(tilt, 2)``, in pixels.
    centre
        ``(x, y)`` index of the recorded tilts' centre.
    shape
        Rows and columns of the aligned tilts.
    """

    matrix: NDArray[np.float64]
    shift: NDArray[np.float64]
    centre: tuple[float, float]
    shape: tuple[int, int]

    @classmethod
    def from_transforms(cls, transforms: NDArray[np.float64], shape: tuple[int, int]) -> Alignment:
        """Convert the transforms of an `.xf` file.

        IMOD's centre lies in the middle of the image, between pixels where their number is even.

        Parameters
        ----------
        transforms
            ``(tilt, 2, 3)``, as `faket_dask.formats.imod.read_transforms` returns them.
        shape
            Rows and columns of the recorded tilts.

        Examples
        --------
        >>> unit = np.eye(2, 3)[None]
        >>> alignment = Alignment.from_transforms(unit, (4, 6))
        >>> alignment.centre, alignment.shape
        ((2.5, 1.5), (4, 6))
        """
        matrix = np.linalg.inv(transforms[:, :, :2]).astype(np.float64)
        shift = -np.einsum("tij,tj->ti", matrix, transforms[:, :, 2])
        return cls(matrix, shift, _imod_centre(shape), _upright_shape(matrix, shape))

    @classmethod
    def from_geometry(cls, geometry: TiltGeometry, shape: tuple[int, int]) -> Alignment:
        """Convert the tilt-axis angles and shifts of a geometry.

        Parameters
        ----------
        geometry
            Tilts as they are recorded.
        shape
            Rows and columns of the recorded tilts.

        Examples
        --------
        >>> across = TiltGeometry(np.array([-3.0, 0.0, 3.0]), 2.0, tilt_axis_angle_deg=90.0)
        >>> Alignment.from_geometry(across, (4, 6)).shape  # the axis lies along x: rows and columns change places
        (6, 4)
        """
        rows, columns = shape
        phi = np.deg2rad(geometry.tilt_axis_angles)
        matrix = np.array([[np.cos(phi), -np.sin(phi)], [np.sin(phi), np.cos(phi)]]).transpose(2, 0, 1)
        shift = np.zeros((len(geometry), 2))
        if geometry.shift_A is not None:
            shift = geometry.shift_A / geometry.pixel_size_A
        return cls(matrix, shift, (columns // 2, rows // 2), _upright_shape(matrix, shape))

    @property
    def turns_deg(self) -> NDArray[np.float64]:
        """Angles ``(tilt,)`` in degrees, from x towards y, by which aligning turns what a tilt shows.

        Examples
        --------
        >>> geometry = TiltGeometry(np.array([-3.0, 3.0]), 2.0, tilt_axis_angle_deg=85.0)
        >>> Alignment.from_geometry(geometry, (4, 6)).turns_deg.round(9)
        array([-85., -85.])
        """
        turn = np.linalg.inv(self.matrix)
        return np.rad2deg(np.arctan2(turn[:, 1, 0] - turn[:, 0, 1], turn[:, 0, 0] + turn[:, 1, 1])).astype(
            np.float64
        )

    def to_transforms(self, shape: tuple[int, int]) -> NDArray[np.float64]:
        """Convert to the transforms ``(tilt, 2, 3)`` of an `.xf` file, for recorded tilts of a shape."""
        between = np.array(self.centre) - _imod_centre(shape)
        matrix = np.linalg.inv(self.matrix)
        return np.concatenate((matrix, -matrix @ (self.shift + between)[..., None]), axis=2)

    def resample(self, image: NDArray[np.float32], tilt: int, order: int) -> NDArray[np.float32]:
        """Resample a recorded tilt ``(y, x)`` on the pixels of the aligned one, zero outside the recorded one.

        Parameters
        ----------
        image
            ``(y, x)`` recorded tilt.
        tilt
            Index of the tilt.
        order
            Order of the interpolating spline.
        """
        # SciPy counts (y, x): the matrix turns over, the shift from index 0 to index 0 takes in both centres.
        matrix = self.matrix[tilt][::-1, ::-1]
        rows, columns = self.shape
        middle = np.array([rows // 2, columns // 2])
        offset = np.array(self.centre[::-1]) + self.shift[tilt][::-1] - matrix @ middle
        return scipy.ndimage.affine_transform(
            image, matrix, offset, self.shape, output=np.float32, order=order, mode="constant"
        )


def _imod_centre(shape: tuple[int, int]) -> tuple[float, float]:
    rows, columns = shape
    return (columns - 1) / 2, (rows - 1) / 2


def _upright_shape(matrix: NDArray[np.float64], shape: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns of the aligned tilts: exchanged where the recorded axis is nearer to x."""
    rows, columns = shape
    across = np.abs(matrix[:, 0, 1]).mean() > np.abs(matrix[:, 0, 0]).mean()
    return (columns, rows) if across else (rows, columns)
